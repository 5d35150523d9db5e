"""Suppressions for what cdk-nag reports about the artifacts' resources, each with its reason.

The people who run cdk-nag over an app did not write these resources, so the library gives the reasons.
cdk-nag 2 reads them from a resource's CloudFormation metadata. cdk-nag 3 reads the acknowledgements of CDK's
``Validations``, which hold for a construct and all below it. Each acknowledgement names one finding exactly.
A finding about a permission contains the ARN as the template has it, which is known only at synth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import IConstruct

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam

_IAM5: Final = "AwsSolutions-IAM5"


class Suppressions:
    """Suppresses findings in resources below ``scope``, and about this library's permissions.

    :param stack: the stack of ``scope``.
    :param wildcards: why the wildcards in the permissions are right.
    """

    def __init__(self, scope: IConstruct, stack: Stack, wildcards: str) -> None:
        self._scope = scope
        self._stack = stack
        self._wildcards = wildcards
        self._reasons: dict[str, str] = {}
        self._arns: dict[int, tuple[IConstruct, list[str]]] = {}  # by id(scope)

    def add(self, resource: CfnResource, rule: str, reason: str) -> None:
        """Suppress a rule in a resource below the scope.

        :param rule: the rule's id, such as ``AwsSolutions-S1``.
        """
        _add_metadata(resource, rule, reason)
        self._reasons[rule] = reason

    def add_policy(self, policy: iam.Policy) -> None:
        """Put the reason for the wildcards into a policy's metadata."""
        _add_metadata(policy.node.default_child, _IAM5, self._wildcards)

    def add_arns(self, arns: Iterable[str], scope: IConstruct | None = None) -> None:
        """Suppress findings about the wildcards in ARNs of statements, but in no others.

        :param scope: what the statements' policy is below, if that is elsewhere.
        """
        scope = self._scope if scope is None else scope
        self._arns.setdefault(id(scope), (scope, []))[1].extend(arn for arn in arns if "*" in arn)

    def acknowledge(self) -> None:
        """Acknowledge the findings. Call it after CDK resolves references, and before cdk-nag runs."""
        for scope, arns in self._arns.values():
            is_own = scope is self._scope
            stack = self._stack if is_own else Stack.of(scope)
            wildcards = {
                f"{_IAM5}[Resource::{_arn_text(arn)}]": self._wildcards for arn in stack.resolve(arns)
            }
            _acknowledge(scope, {**(self._reasons if is_own else {}), **wildcards})


def _add_metadata(resource: IConstruct | None, rule: str, reason: str) -> None:
    assert isinstance(resource, CfnResource)
    resource.add_metadata("cdk_nag", {"rules_to_suppress": [{"id": rule, "reason": reason}]})


def _acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    if not reasons:
        return
    try:
        Validations.of(construct).acknowledge(
            *(Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items())
        )
    except RuntimeError as error:
        # aws-cdk-lib before 2.269 refuses the "::" of an ARN. Only cdk-nag 3 misses these acknowledgements.
        if "InvalidValidationId" not in str(error):
            raise


def _arn_text(value: Any) -> str:
    """Return a template's ARN as cdk-nag writes it in its findings."""
    match value:
        case str():
            text = value.replace("${", "<").replace("}", ">")
        case {"Fn::Join": [delimiter, parts]}:
            text = str(delimiter).join(map(_arn_text, parts))
        case {"Fn::GetAtt": [resource, attribute]}:
            text = f"<{_arn_text(resource)}.{_arn_text(attribute)}>"
        case {"Ref": name}:
            text = f"<{_arn_text(name)}>"
        case {"Fn::Sub": inner} | {"Fn::ImportValue": inner}:
            text = _arn_text(inner)
        case _:
            text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text
