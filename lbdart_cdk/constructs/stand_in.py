"""Lets a construct of CDK, made in Node, stand for a construct of this library.

CDK asks a construct in Python over a pipe, which takes half a millisecond for each question, and a function
asks each of its layers six times. CDK asks a construct that Node made without leaving Node.
"""

from __future__ import annotations

from constructs import IConstruct

from ..core.errors import LbdartError


def stand_for(ours: IConstruct, in_node: IConstruct) -> None:
    """Make the construct ``in_node``, which CDK made, stand for ``ours``.

    Call it in the ``__init__`` of ``ours``, instead of the base class's ``__init__``. jsii's runtime for
    Python has an object in Node for each construct, and ``__jsii_ref__`` refers to that object.
    """
    ours.__jsii_ref__ = in_node.__jsii_ref__  # type: ignore[attr-defined]


def reference_of(construct: IConstruct) -> str:
    """Return what Node knows a construct by; Python may have several objects for one that CDK made."""
    return str(construct.__jsii_ref__.ref)  # type: ignore[attr-defined]


def refuse_overrides(subclass: type, base: type, *interfaces: type) -> None:
    """Refuse a subclass that overrides what CDK asks for: CDK asks Node and would not see the override.

    :param base: the class of this library.
    :param interfaces: the interfaces through which CDK asks the construct.
    :raises LbdartError: when the subclass, or a class between it and ``base``, overrides a member of these.
    """
    members = {name for interface in interfaces for name in dir(interface) if not name.startswith("_")}
    between = subclass.__mro__[: subclass.__mro__.index(base)]
    overridden = sorted(members.intersection(name for parent in between for name in vars(parent)))
    if overridden:
        raise LbdartError(
            f"{subclass.__name__} overrides {', '.join(overridden)} of {base.__name__}, but CDK does not use "
            "an override in Python.",
            f"Wrap the {base.__name__} in a construct of your own instead.",
        )
