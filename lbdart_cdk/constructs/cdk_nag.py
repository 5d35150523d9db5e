"""Suppressions for what cdk-nag reports about the artifacts' resources, each with its reason.

The people who run cdk-nag over an app did not write these resources, so the library gives the reasons.
cdk-nag 2 reads them from a resource's CloudFormation metadata. cdk-nag 3 reads the acknowledgements of CDK's
``Validations``. Each acknowledgement names one finding exactly. A finding about a permission contains the ARN
as the template has it, which is known only at synth.
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
    """Suppress a rule of cdk-nag in one resource.

    :param rule: the rule's id, such as ``AwsSolutions-S1``.
    """
    _add_metadata(resource, rule, reason)
    _acknowledge(resource, {rule: reason})


@jsii.implements(IValidation)
class WildcardSuppressions:
    """Suppresses findings about the wildcards in this library's permissions, but in no others of a role."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._arns: dict[int, tuple[IConstruct, list[str]]] = {}  # by id(scope)

    def note_in(self, policy: iam.Policy) -> None:
        """Put the reason for the wildcards into the policy's metadata."""
        _add_metadata(policy.node.default_child, _IAM5, self._reason)

    def add(self, scope: IConstruct, arns: Iterable[str]) -> None:
        """Add the ARNs of statements in a policy of ``scope``."""
        self._arns.setdefault(id(scope), (scope, []))[1].extend(arn for arn in arns if "*" in arn)

    @jsii.member(jsii_name="validate")
    def validate(self) -> list[str]:
        """Acknowledge the findings; CDK calls this after it resolves references and before cdk-nag runs."""
        for scope, arns in self._arns.values():
            resolved = Stack.of(scope).resolve(arns)
            _acknowledge(scope, {f"{_IAM5}[Resource::{_arn_text(arn)}]": self._reason for arn in resolved})
        return []


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
