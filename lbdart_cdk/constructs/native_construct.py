"""Constructs that CDK makes, under the names of ours.

A construct in Python is asked over a pipe, half a millisecond for each question, and a function asks each of
its layers six times. A construct that CDK made it asks without leaving Node.
"""

from __future__ import annotations

import jsii
from aws_cdk import CfnResource, IStableStringProducer, Lazy, Token
from constructs import IConstruct


def stand_for(ours: IConstruct, native: IConstruct) -> None:
    """Make ``ours``, in its ``__init__`` and instead of calling that of its base, the construct ``native``.

    A Python object is a name for the object in Node that its ``__jsii_ref__`` says.
    """
    ours.__jsii_ref__ = native.__jsii_ref__  # type: ignore[attr-defined]


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
