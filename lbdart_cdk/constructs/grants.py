"""What the handler's role may do: noted by each artifact, and put into the role's policy at synthesis.

A few statements for all artifacts together instead of some for each: a call into CDK takes about half a
millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jsii
from aws_cdk import Aspects, IAspect, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

#: Resources of one statement: CDK splits a policy that grew too long between statements, never within one.
_BATCH: Final = 20
#: Before the role's own aspect, which splits the policy (AspectPriority.MUTATING is 200).
_PRIORITY: Final = 100


@jsii.implements(IAspect)
class Grants:
    """Statements for ``role`` that wait for the aspects of ``scope`` to be invoked.

    ``scope`` has no other construct in it and is made before the role, so that it is visited once, and first.
    """

    def __init__(self, scope: Construct, role: iam.IRole) -> None:
        self._role = role
        self._stack = Stack.of(scope)
        self._waiting: dict[tuple[str, ...], list[str]] = {}
        self._visited = False
        Aspects.of(scope).add(self, priority=_PRIORITY)

    def allow(self, actions: Sequence[str], resource: str) -> None:
        """Let the role do ``actions`` to what has the ARN ``resource``."""
        self._waiting.setdefault(tuple(actions), []).append(resource)
        if self._visited:
            self._put()

    def visit(self, _node: IConstruct) -> None:
        """Put the statements into the role's policy."""
        self._visited = True
        self._put()

    def _put(self) -> None:
        for actions, resources in self._waiting.items():
            distinct = self._distinct(resources)
            for start in range(0, len(distinct), _BATCH):
                self._role.add_to_principal_policy(statement(actions, distinct[start : start + _BATCH]))
        self._waiting.clear()

    def _distinct(self, resources: Sequence[str]) -> list[str]:
        """Return the resources in their order, one of those that differ only in their tokens."""
        resolved = self._stack.resolve(list(resources))
        by_value = {
            json.dumps(value, sort_keys=True): one for value, one in zip(resolved, resources, strict=True)
        }
        return list(by_value.values())


def statement(
    actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, Any] | None = None
) -> iam.PolicyStatement:
    """Return a statement that allows ``actions``."""
    return iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)
