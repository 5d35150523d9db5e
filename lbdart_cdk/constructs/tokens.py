"""Tokens: values that CDK knows when it writes the template."""

from __future__ import annotations

import jsii
from aws_cdk import CfnResource, IStableStringProducer, Lazy, Token


def attribute(resource: CfnResource, name: str) -> str:
    """Return the token for an attribute of a resource."""
    return Token.as_string(resource.get_att(name))


@jsii.implements(IStableStringProducer)
class Later:
    """An attribute of a resource that is created later; CDK reads it when it writes the template."""

    def __init__(self) -> None:
        self._resource: CfnResource | None = None
        self._name = ""

    def token(self) -> str:
        """Return the token that stands for the value until then."""
        return Lazy.string(self)

    def is_attribute(self, resource: CfnResource, name: str) -> None:
        """Set the attribute that the token stands for."""
        self._resource, self._name = resource, name

    def produce(self) -> str:
        """Return the attribute; CDK calls this once."""
        assert self._resource is not None, "the construct was not finished"
        return attribute(self._resource, self._name)
