"""cdk-nag's AwsSolutions pack finds nothing in what artifacts bring; each exception has its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Acknowledgment, App, RemovalPolicy, Stack, Stage, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from integ.example.app import OrdersStack
from lbdart_cdk import ArtifactPublisher, LambdaLayerArtifact, LambdaSourceArtifact
from tests.support.apps import make_app, resources


@pytest.fixture
def app(tmp_path: Path, cache: Path) -> App:
    app = make_app(tmp_path / "cdk.out")
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def findings(app: App) -> set[tuple[str, str]]:
    """Synthesise; return the path of each construct with what was found there."""
    try:
        app.synth()
    except RuntimeError as error:
        assert "ValidationFailed" in str(error)  # noqa: PT017
    report = json.loads(Path(app.outdir, "validation-report.json").read_text())
    return {  # a pack without findings has no report
        (construct["constructPath"], violation["ruleName"])
        for pack in report["pluginReports"]
        for violation in pack["violations"]
        for construct in violation["violatingConstructs"]
    }


def test_the_example_leaves_only_what_its_own_function_is_to_answer_for(orders: Path, app: App) -> None:
    stack = OrdersStack(app, "Orders", project=str(orders))
    # The function runs on the interpreter of this machine, and its role is the one CDK makes.
    basic = "arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    for rule in ("AwsSolutions-L1", f"AwsSolutions-IAM4[Policy::{basic}]"):
        acknowledgment = Acknowledgment(id=rule, reason="The example shows artifacts, and little else.")
        Validations.of(stack.node.find_child("Pricing")).acknowledge(acknowledgment)
    assert findings(app) == set()


def artifacts(stack: Stack, project: Path, bucket: s3.IBucket | None = None, **props: Any) -> None:
    LambdaLayerArtifact(stack, "Deps", project=str(project), bucket=bucket, **props)
    LambdaSourceArtifact(stack, "Code", project=str(project), bucket=bucket, **props)


def test_nothing_is_found_whatever_is_chosen(orders: Path, app: App) -> None:
    destroyed = Stack(app, "Destroyed")
    artifacts(destroyed, orders, removal_policy=RemovalPolicy.DESTROY)

    encrypted = Stack(app, "Encrypted")
    ArtifactPublisher(encrypted, encryption_key=kms.Key(encrypted, "Key", enable_key_rotation=True))
    artifacts(encrypted, orders, removal_policy=RemovalPolicy.DESTROY)

    roles = Stack(app, "Roles")
    role = iam.Role.from_role_arn(roles, "Ours", "arn:aws:iam::123456789012:role/ours")
    ArtifactPublisher(roles, role=role)
    artifacts(roles, orders, removal_policy=RemovalPolicy.DESTROY)

    shared = Stack(app, "Shared")
    bucket = s3.Bucket(
        shared,
        "Artifacts",
        enforce_ssl=True,
        server_access_logs_bucket=s3.Bucket.from_bucket_name(shared, "Logs", "access-logs"),
    )
    artifacts(Stack(app, "Sharing"), orders, bucket)
    artifacts(Stack(Stage(app, "Prod"), "Staged"), orders)
    assert findings(app) == set()


def test_what_the_app_adds_to_the_role_is_not_answered_for(orders: Path, app: App) -> None:
    stack = Stack(app, "Shop")
    artifacts(stack, orders)
    everything = iam.PolicyStatement(actions=["s3:*"], resources=["arn:aws:s3:::everything/*"])
    ArtifactPublisher.of(stack).role.add_to_principal_policy(everything)
    assert {rule for _, rule in findings(app)} == {
        "AwsSolutions-IAM5[Action::s3:*]",
        "AwsSolutions-IAM5[Resource::arn:aws:s3:::everything/*]",
    }


def test_an_aspect_for_the_suppressions_of_version_2_finds_them_with_their_reasons(
    orders: Path, app: App
) -> None:
    """It reads the metadata of resources; each finding is answered on the resource it is about."""
    stack = Stack(app, "Shop")
    artifacts(stack, orders, removal_policy=RemovalPolicy.DESTROY)
    expected = {
        "AWS::IAM::Policy": "AwsSolutions-IAM5",
        "AWS::S3::Bucket": "AwsSolutions-S1",
        "AWS::Lambda::Function": "AwsSolutions-L1",
    }
    for kind, rule in expected.items():
        for resource in resources(stack, kind).values():
            (suppressed,) = resource["Metadata"]["cdk_nag"]["rules_to_suppress"]
            assert suppressed["id"] == rule
            assert len(suppressed["reason"]) > 50


def test_only_these_findings_are_answered(orders: Path, app: App) -> None:
    """A new suppression needs its reason here, too."""
    stack = Stack(app, "Shop")
    place = s3.Bucket.from_bucket_name(stack, "Place", "place")
    LambdaLayerArtifact(
        stack, "Deps", project=str(orders), layer_name="deps", removal_policy=RemovalPolicy.DESTROY
    )
    LambdaSourceArtifact(stack, "Code", project=str(orders), bucket=place)
    app.synth()
    assets = "arn:<AWS::Partition>:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-<AWS::Region>"
    layer = "arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:layer"
    (bucket,) = resources(stack, "AWS::S3::Bucket")
    assert acknowledged(stack) == {
        "AwsSolutions-S1",
        "AwsSolutions-L1",
        f"AwsSolutions-IAM5[Resource::{assets}/*.zip]",
        f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/deps/layer/*]",
        f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/*]",  # to empty it
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::place/orders/source/*]",
        f"AwsSolutions-IAM5[Resource::{layer}:deps:*]",
    }


def acknowledged(construct: IConstruct) -> set[str]:
    """Return the ids of all rules that are acknowledged below a construct."""
    return {
        rule.split("::", 1)[1]
        for each in construct.node.find_all()
        for entry in each.node.metadata
        if entry.type == Validations.ACKNOWLEDGED_RULES_METADATA_KEY
        for rule in entry.data
    }
