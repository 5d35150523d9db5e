"""What all artifacts of a stack share: one handler and one bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsii
import pytest
from aws_cdk import Aspects, IAspect, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template
from constructs import Construct, IConstruct

from lbdart_cdk import ArtifactPublisher, LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.constructs.handler_zip import handler_zip
from tests.support.apps import make_app, properties, resources, template_of


@pytest.fixture
def outdir(tmp_path: Path, cache: Path) -> Path:
    return tmp_path / "cdk.out"


@pytest.fixture
def stack(outdir: Path) -> Stack:
    return Stack(make_app(outdir), "Shop")


def test_a_stack_has_one_handler_and_one_bucket(orders: Path, stack: Stack) -> None:
    LambdaLayerArtifact(stack, "Deps", project=str(orders))
    LambdaLayerArtifact(stack, "More", project=str(orders), extras=["fast"])
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    template = template_of(stack)
    template.resource_count_is("Custom::LbdartLayer", 2)
    for type_name in ("AWS::Lambda::Function", "AWS::S3::Bucket", "AWS::IAM::Role", "AWS::Logs::LogGroup"):
        template.resource_count_is(type_name, 1)


def test_the_bucket_is_versioned_encrypted_private_and_retained(orders: Path, stack: Stack) -> None:
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    (bucket,) = resources(stack, "AWS::S3::Bucket").values()
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    declared = bucket["Properties"]
    assert declared["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(declared["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketEncryption" in declared


def test_the_handler_waits_long_enough_and_no_longer(orders: Path, stack: Stack) -> None:
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    declared = properties(stack, "AWS::Lambda::Function")
    assert (declared["Handler"], declared["Timeout"]) == ("runtime.handler.handle", 300)
    service_timeout = int(properties(stack, "Custom::LbdartSource")["ServiceTimeout"])
    # Lambda runs a handler that crashed three times in all, with pauses of one minute and two.
    assert 3 * declared["Timeout"] + 180 <= service_timeout <= 3600
    assert "Environment" not in declared


def test_the_resources_wait_for_the_handlers_permissions(orders: Path, stack: Stack) -> None:
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    (policy,) = resources(stack, "AWS::IAM::Policy")
    ((name, function),) = resources(stack, "AWS::Lambda::Function").items()
    (source,) = resources(stack, "Custom::LbdartSource").values()
    assert source["Properties"]["ServiceToken"] == {"Fn::GetAtt": [name, "Arn"]}
    assert policy in function["DependsOn"]


def test_statements_name_each_resource_once(orders: Path, stack: Stack) -> None:
    for number in range(3):
        LambdaLayerArtifact(stack, f"Deps{number}", project=str(orders), prefix=f"deps{number}")
    permissions = [f"{action} {resource}" for action, named in resources_of(stack) for resource in named]
    assert len(permissions) == len(set(permissions))
    assert (
        len([permission for permission in permissions if permission.startswith("lambda:PublishLayerVersion")])
        == 3
    )


def resources_of(stack: Stack) -> Iterator[tuple[str, list[str]]]:
    """Yield each action of each statement of the handler's policies, with the resources as JSON."""
    for policy in resources(stack, "AWS::IAM::Policy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            named, actions = statement["Resource"], statement["Action"]
            as_json = [
                json.dumps(resource, sort_keys=True)
                for resource in (named if isinstance(named, list) else [named])
            ]
            for action in actions if isinstance(actions, list) else [actions]:
                yield action, as_json


@jsii.implements(IAspect)
class AddsALayer:
    def __init__(self, stack: Stack, project: Path, **props: Any) -> None:
        self.stack, self.project, self.props = stack, project, props

    def visit(self, node: IConstruct) -> None:
        if node.node.id == "Last":
            LambdaLayerArtifact(self.stack, "More", project=str(self.project), prefix="second", **self.props)


def test_an_artifact_that_an_aspect_adds_gets_its_permissions_too(orders: Path, stack: Stack) -> None:
    LambdaLayerArtifact(stack, "Deps", project=str(orders), prefix="first")
    Construct(stack, "Last")
    Aspects.of(stack).add(AddsALayer(stack, orders))
    written = [named for action, named in resources_of(stack) if action == "s3:PutObject"]
    assert ["first" in json.dumps(named) for named in written] == [True, False]
    assert ["second" in json.dumps(named) for named in written] == [False, True]


@pytest.mark.parametrize("policy", ["RETAIN", "DESTROY"])
def test_the_bucket_that_an_aspect_is_the_first_to_need_is_emptied_or_kept_like_any_other(
    orders: Path, stack: Stack, policy: str
) -> None:
    ours = s3.Bucket(stack, "Ours", versioned=True)
    LambdaLayerArtifact(stack, "Deps", project=str(orders), prefix="first", bucket=ours)
    Construct(stack, "Last")
    Aspects.of(stack).add(AddsALayer(stack, orders, removal_policy=getattr(RemovalPolicy, policy)))
    (emptying,) = resources(stack, "Custom::LbdartBucket").values()
    assert emptying["Properties"]["RemovalPolicy"] == policy.lower()
    removed = {
        action for action, named in resources_of(stack) if "LbdartPublisherBucket" in json.dumps(named)
    }
    assert ("s3:DeleteObjectVersion" in removed) == (policy == "DESTROY")
    buckets = resources(stack, "AWS::S3::Bucket")
    (own,) = (bucket for name, bucket in buckets.items() if name.startswith("LbdartPublisher"))
    assert own["DeletionPolicy"] == {"RETAIN": "Retain", "DESTROY": "Delete"}[policy]


def test_the_function_has_the_handlers_zip(orders: Path, stack: Stack, outdir: Path) -> None:
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    template = Template.from_stack(stack)
    (function,) = template.find_resources("AWS::Lambda::Function").values()
    packed = outdir / f"asset.{function['Properties']['Code']['S3Key']}"
    assert packed.read_bytes() == handler_zip()


def removal_policies(stack: Stack) -> set[tuple[str, str]]:
    """Those of the bucket, of its policy and of what empties it, as CloudFormation gets them."""
    found = {
        (kind, resource.get("DeletionPolicy", "Delete"))
        for kind in ("AWS::S3::Bucket", "AWS::S3::BucketPolicy")
        for resource in resources(stack, kind).values()
    }
    return found | {("emptying", properties(stack, "Custom::LbdartBucket")["RemovalPolicy"])}


RETAINED = {("AWS::S3::Bucket", "Retain"), ("AWS::S3::BucketPolicy", "Retain"), ("emptying", "retain")}
DESTROYED = {("AWS::S3::Bucket", "Delete"), ("AWS::S3::BucketPolicy", "Delete"), ("emptying", "destroy")}
#: Of a layer, and of a source. (To make CDK's enum here would start Node when the tests are collected.)
POLICIES = [("DESTROY", "DESTROY"), ("DESTROY", "RETAIN"), ("RETAIN", "DESTROY"), ("RETAIN", "RETAIN")]


@pytest.mark.parametrize(("layer", "source"), POLICIES)
def test_the_bucket_goes_with_the_stack_if_everything_in_it_does(
    orders: Path, stack: Stack, layer: str, source: str
) -> None:
    LambdaLayerArtifact(stack, "Deps", project=str(orders), removal_policy=RemovalPolicy[layer])
    LambdaSourceArtifact(stack, "Code", project=str(orders), removal_policy=RemovalPolicy[source])
    assert removal_policies(stack) == (DESTROYED if layer == source == "DESTROY" else RETAINED)


def test_a_bucket_that_the_app_asked_for_is_retained(orders: Path, stack: Stack) -> None:
    LambdaSourceArtifact(stack, "Code", project=str(orders), removal_policy=RemovalPolicy.DESTROY)
    assert ArtifactPublisher.of(stack).bucket
    assert removal_policies(stack) == RETAINED


def test_artifacts_are_removed_before_the_bucket_is_emptied(orders: Path, stack: Stack) -> None:
    """Else the records would be gone that say which versions are the stack's."""
    LambdaLayerArtifact(stack, "Deps", project=str(orders), removal_policy=RemovalPolicy.DESTROY)
    ((emptying, declared),) = resources(stack, "Custom::LbdartBucket").items()
    (layer,) = resources(stack, "Custom::LbdartLayer").values()
    assert emptying in layer["DependsOn"]
    (policy,) = (name for name in resources(stack, "AWS::IAM::Policy") if "Emptying" in name)
    assert policy in declared["DependsOn"]
