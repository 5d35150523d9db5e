"""Tokens: values that CDK knows when it writes the template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsii
from aws_cdk import CfnResource, IAnyProducer, IResolveContext, IStableAnyProducer, Lazy, Token


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


class Later:
    """A reference to a resource that is created later; CDK reads it when it writes the template.

    :param is_stable: whether the text of its note is the same each time that CDK reads it. CDK asks once for
        one that is.
    """

    def __init__(self, *, is_stable: bool) -> None:
        self._reference: object = None
        self._note: Callable[[], str] | None = None
        self._is_stable = is_stable

    def token(self) -> str:
        """Return the token that stands for the value until then."""
        lazy = Lazy.any(_Stable(self)) if self._is_stable else Lazy.uncached_any(_Changing(self))
        return Token.as_string(lazy)

    def becomes(self, reference: object, note: Callable[[], str]) -> None:
        """Set the reference that the token stands for, and what returns the note that its text is to have."""
        self._reference, self._note = reference, note

    def value(self) -> object:
        """Return the reference with its note."""
        assert self._note is not None, "the construct was not finished"
        return noted(self._reference, self._note())


@jsii.implements(IStableAnyProducer)
class _Stable:
    def __init__(self, later: Later) -> None:
        self._later = later

    def produce(self) -> object:
        """Return the value; CDK calls this once."""
        return self._later.value()


@jsii.implements(IAnyProducer)
class _Changing:
    def __init__(self, later: Later) -> None:
        self._later = later

    def produce(self, _context: IResolveContext) -> object:
        """Return the value; CDK calls this each time that it reads the token."""
        return self._later.value()
