"""Tokens: values that CDK knows when it writes the template."""

from __future__ import annotations

from typing import Any

import jsii
from aws_cdk import CfnResource, IStableAnyProducer, Lazy, Token


def attribute(resource: CfnResource, name: str) -> str:
    """Return the token for an attribute of a resource."""
    return Token.as_string(resource.get_att(name))


def noted(value: object, note: str) -> dict[str, Any]:
    """Return an expression that is worth ``value`` and has ``note`` in its text.

    CloudFormation and CDK compare the text of properties before they look at values. A reference has the same
    text whatever it is worth: CDK would not name another function version when a layer changes, and the stack
    of a function would look unchanged when the layer is in another stack.
    """
    return {"Fn::Select": [0, [value, note]]}


@jsii.implements(IStableAnyProducer)
class Later:
    """An attribute of a resource that is created later; CDK reads it when it writes the template."""

    def __init__(self) -> None:
        self._resource: CfnResource | None = None
        self._name = ""
        self._note = ""

    def token(self) -> str:
        """Return the token that stands for the value until then."""
        return Token.as_string(Lazy.any(self))

    def is_attribute(self, resource: CfnResource, name: str, note: str) -> None:
        """Set the attribute that the token stands for, and the note that its text is to have."""
        self._resource, self._name, self._note = resource, name, note

    def produce(self) -> object:
        """Return the attribute with its note; CDK calls this once."""
        assert self._resource is not None, "the construct was not finished"
        return noted(self._resource.get_att(self._name), self._note)
