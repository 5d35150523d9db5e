"""What cdk-nag finds in the resources that artifacts bring, and why it has to be so.

Who runs cdk-nag over an app should not have to answer for resources that they did not write. cdk-nag 2 reads
the answers from a resource's CloudFormation metadata. cdk-nag 3 reads the acknowledgements of CDK's
``Validations``, each of which names one finding to the letter; those on permissions contain the ARN as it
stands in the template, which is known at synth only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import jsii
from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import IConstruct, IValidation

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam

_IAM5: Final = "AwsSolutions-IAM5"


def suppress(resource: CfnResource, rule: str, reason: str) -> None:
    """Suppress a finding in one resource; a rule such as ``AwsSolutions-S1``."""
    _note_in(resource, rule, reason)
    _acknowledge(resource, {rule: reason})


@jsii.implements(IValidation)
class WildcardSuppressions:
    """Suppresses findings in the wildcards of our permissions, and in no others of the same role."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._arns: dict[int, tuple[IConstruct, list[str]]] = {}  # by the scope's identity

    def note_in(self, policy: iam.Policy) -> None:
        """Say in the template why the policy has wildcards."""
        _note_in(policy.node.default_child, _IAM5, self._reason)

    def add(self, scope: IConstruct, arns: Iterable[str]) -> None:
        """Note ARNs of statements that went to a policy in a scope."""
        self._arns.setdefault(id(scope), (scope, []))[1].extend(arn for arn in arns if "*" in arn)

    @jsii.member(jsii_name="validate")
    def validate(self) -> list[str]:
        """Acknowledge; CDK calls this when references are resolved and before it runs cdk-nag."""
        for scope, arns in self._arns.values():
            resolved = Stack.of(scope).resolve(arns)
            _acknowledge(scope, {f"{_IAM5}[Resource::{_flat(arn)}]": self._reason for arn in resolved})
        return []


def _note_in(resource: IConstruct | None, rule: str, reason: str) -> None:
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
        # aws-cdk-lib before 2.269 takes no "::", which ARNs have; only cdk-nag 3 misses these answers.
        if "InvalidValidationId" not in str(error):
            raise


def _flat(value: Any) -> str:
    """Write an ARN of a template as cdk-nag names it in its findings."""
    match value:
        case str():
            flat = value.replace("${", "<").replace("}", ">")
        case {"Fn::Join": [delimiter, parts]}:
            flat = str(delimiter).join(map(_flat, parts))
        case {"Fn::GetAtt": [resource, attribute]}:
            flat = f"<{_flat(resource)}.{_flat(attribute)}>"
        case {"Ref": name}:
            flat = f"<{_flat(name)}>"
        case {"Fn::Sub": inner} | {"Fn::ImportValue": inner}:
            flat = _flat(inner)
        case _:
            flat = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return flat
