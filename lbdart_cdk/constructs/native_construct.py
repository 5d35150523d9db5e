"""Constructs that CDK makes, under the names of ours.

A construct in Python is asked over a pipe, half a millisecond for each question, and a function asks each of
its layers six times. A construct that CDK made it asks without leaving Node.
"""

from __future__ import annotations

import jsii
from aws_cdk import CfnResource, IStableStringProducer, Lazy, Token
from constructs import IConstruct

from ..core.errors import LbdartError


def stand_for(ours: IConstruct, native: IConstruct) -> None:
    """Make ``ours``, in its ``__init__`` and instead of calling that of its base, the construct ``native``.

    jsii's runtime for Python has an object in Node for each of ours, which ``__jsii_ref__`` names.
    """
    ours.__jsii_ref__ = native.__jsii_ref__  # type: ignore[attr-defined]


def refuse_overrides(subclass: type, base: type, *interfaces: type) -> None:
    """Refuse a subclass of a construct that stands for CDK's own: CDK would not see what it overrides.

    :param base: our class.
    :param interfaces: what CDK asks such a construct for.
    :raises LbdartError: when the subclass, or a class between it and ours, overrides one of these.
    """
    asked = {name for interface in interfaces for name in dir(interface) if not name.startswith("_")}
    between = subclass.__mro__[: subclass.__mro__.index(base)]
    overridden = sorted(asked.intersection(name for each in between for name in vars(each)))
    if overridden:
        raise LbdartError(
            f"{subclass.__name__} overrides {', '.join(overridden)} of {base.__name__}, which CDK asks "
            "without asking Python.",
            f"Wrap the {base.__name__} in a construct of your own instead.",
        )


def attribute(resource: CfnResource, name: str) -> str:
    """Return the token of what a resource answers under a name."""
    return Token.as_string(resource.get_att(name))


@jsii.implements(IStableStringProducer)
class Later:
    """A value that is asked for when the template is written: an attribute of a resource made after it."""

    def __init__(self) -> None:
        self._resource: CfnResource | None = None
        self._name = ""

    def token(self) -> str:
        """Return what stands for the value until then."""
        return Lazy.string(self)

    def is_attribute(self, resource: CfnResource, name: str) -> None:
        """Say what it is."""
        self._resource, self._name = resource, name

    def produce(self) -> str:
        """Return the attribute; CDK asks once."""
        assert self._resource is not None, "the construct was not finished"
        return attribute(self._resource, self._name)
