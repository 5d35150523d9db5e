"""cfn-lint accepts the templates, in every partition; it checks them by its own copy of AWS's schemas."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from cfnlint.api import ManualArgs, lint  # type: ignore[import-untyped]

from integ.example.app import OrdersStack
from lbdart_cdk import ArtifactPublisher, LambdaLayerArtifact, LambdaSourceArtifact
from tests.support.apps import make_app

#: One of each partition: commercial, China, GovCloud, the European Sovereign Cloud and the two secret ones.
REGIONS = ["eu-west-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1"]
#: CDK's functions depend on their role with its policies, and cfn-lint sees the reference to the role alone.
NOT_OURS = ["W3005"]


def complaints(template: Path) -> list[str]:
    settings = ManualArgs(regions=REGIONS, ignore_checks=NOT_OURS)
    return [str(match) for match in lint(template.read_text(), config=settings)]


def test_the_example_is_accepted(orders: Path, tmp_path: Path, cache: Path) -> None:
    app = make_app(tmp_path / "cdk.out")
    OrdersStack(app, "Orders", project=str(orders))
    app.synth()
    assert complaints(tmp_path / "cdk.out" / "Orders.template.json") == []


@pytest.mark.parametrize("chosen", ["a key", "a role"])
def test_a_stack_with_all_there_is_to_choose_is_accepted(
    orders: Path, tmp_path: Path, cache: Path, chosen: str
) -> None:
    app = make_app(tmp_path / "cdk.out")
    stack = Stack(app, "Shop")
    if chosen == "a key":
        ArtifactPublisher(stack, encryption_key=kms.Key(stack, "Key"))
    else:
        role = iam.Role.from_role_arn(stack, "Ours", "arn:aws:iam::123456789012:role/ours")
        ArtifactPublisher(stack, role=role)
    deps = LambdaLayerArtifact(
        stack,
        "Deps",
        project=str(orders),
        license="MIT",
        description="Ours",
        parameter_name="/deps",
        removal_policy=RemovalPolicy.DESTROY,
    )
    deps.add_permission("Partner", account_id="111122223333")
    LambdaSourceArtifact(stack, "Code", project=str(orders), removal_policy=RemovalPolicy.DESTROY)
    app.synth()
    assert complaints(tmp_path / "cdk.out" / "Shop.template.json") == []


def test_a_mistake_would_be_found(tmp_path: Path) -> None:
    template = tmp_path / "template.json"
    template.write_text('{"Resources": {"Fn": {"Type": "AWS::Lambda::Function", "Properties": {}}}}')
    assert any("'Role' is a required property" in complaint for complaint in complaints(template))
