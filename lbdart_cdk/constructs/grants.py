"""Collects the permissions that artifacts need, and adds them to the handler's role at synthesis.

All artifacts share a few statements, because each call into CDK takes about half a millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jsii
from aws_cdk import Aspects, IAspect, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

#: Resources in one statement: CDK splits a policy that is too long between statements, never within one.
_BATCH: Final = 20
#: Runs before the role's own aspect, which splits the policy (AspectPriority.MUTATING is 200).
PRIORITY: Final = 100


@jsii.implements(IAspect)
class AtSynthesis:
    """Calls a function when CDK invokes the aspects of a construct: all artifacts are declared by then."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def visit(self, _node: IConstruct) -> None:
        """Call the function."""
        self._call()


@jsii.implements(IAspect)
class Grants:
    """Statements for ``role``, added to its policy when CDK invokes the aspects of ``scope``.

    :param scope: a construct without children, created before the role: CDK visits it once, and first.
    """

    def __init__(self, scope: Construct, role: iam.IRole) -> None:
        self._role = role
        self._stack = Stack.of(scope)
        self._pending: dict[tuple[str, ...], list[str]] = {}
        self._visited = False
        Aspects.of(scope).add(self, priority=PRIORITY)

    def allow(self, actions: Sequence[str], resource: str) -> None:
        """Allow the role ``actions`` on the ARN ``resource``."""
        self._pending.setdefault(tuple(actions), []).append(resource)
        if self._visited:
            self._add_statements()

    def visit(self, _node: IConstruct) -> None:
        """Add the statements to the role's policy."""
        self._visited = True
        self._add_statements()

    def _add_statements(self) -> None:
        for actions, resources in self._pending.items():
            unique = self._without_duplicates(resources)
            for start in range(0, len(unique), _BATCH):
                self._role.add_to_principal_policy(statement(actions, unique[start : start + _BATCH]))
        self._pending.clear()

    def _without_duplicates(self, resources: Sequence[str]) -> list[str]:
        """Return the resources in their order, without those whose tokens resolve to the same value."""
        resolved = self._stack.resolve(list(resources))
        by_value = {
            json.dumps(value, sort_keys=True): resource
            for value, resource in zip(resolved, resources, strict=True)
        }
        return list(by_value.values())


def statement(
    actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, Any] | None = None
) -> iam.PolicyStatement:
    """Return a statement that allows ``actions`` on ``resources``."""
    return iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)
