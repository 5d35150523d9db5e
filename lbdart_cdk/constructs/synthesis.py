"""Calls functions while CDK synthesises: at its aspects, and when it validates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import IAspect, Stage
from constructs import IConstruct, IValidation


@jsii.implements(IAspect)
class AtAspects:
    """Calls a function when CDK invokes the aspects of a construct: all artifacts are declared by then."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def visit(self, _node: IConstruct) -> None:
        """Call the function; CDK calls this."""
        self._call()


@jsii.implements(IValidation)
class AtValidation:
    """Calls functions when CDK validates a stage.

    CDK has resolved all references by then, and has written no template yet.
    """

    _of_stage: Final[WeakKeyDictionary[Stage, AtValidation]] = WeakKeyDictionary()

    def __init__(self, stage: Stage) -> None:
        self._calls: list[Callable[[], None]] = []
        stage.node.add_validation(self)

    @classmethod
    def add(cls, stage: Stage, call: Callable[[], None]) -> None:
        """Let a function be called. CDK calls Python once for all functions of a stage."""
        if stage not in cls._of_stage:
            cls._of_stage[stage] = cls(stage)
        cls._of_stage[stage]._calls.append(call)

    def validate(self) -> list[str]:
        """Call the functions; CDK calls this."""
        for call in self._calls:
            call()
        return []
