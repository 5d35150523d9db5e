"""Roles as companies want them: with a boundary, made by others, or noted for those who make them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsii
import pytest
from aws_cdk import (
    App,
    Aspects,
    CfnResource,
    IAspect,
    PermissionsBoundary,
    RemovalPolicies,
    RemovalPolicy,
    Stack,
    Tags,
)
from aws_cdk import aws_iam as iam
from constructs import IConstruct

from lbdart_cdk import ArtifactPublisher, LambdaLayerArtifact, LambdaSourceArtifact
from tests.support.apps import make_app, properties, resources, template_of
from tests.support.permissions import handler_permissions

OURS = "arn:aws:iam::123456789012:role/ours"


@pytest.fixture
def outdir(tmp_path: Path, cache: Path) -> Path:
    return tmp_path / "cdk.out"


@pytest.fixture
def app(outdir: Path) -> App:
    return make_app(outdir)


@pytest.fixture
def stack(app: App) -> Stack:
    return Stack(app, "Shop")


def artifacts(stack: Stack, project: Path) -> None:
    """A layer and a source, so that all permissions are needed that there are."""
    LambdaLayerArtifact(
        stack, "Deps", project=str(project), layer_name="deps", removal_policy=RemovalPolicy.DESTROY
    )
    LambdaSourceArtifact(stack, "Code", project=str(project), removal_policy=RemovalPolicy.DESTROY)


def needed(project: Path, outdir: Path) -> list[str]:
    """The permissions of a role that CDK makes."""
    stack = Stack(make_app(outdir / "plain"), "Shop")
    artifacts(stack, project)
    return handler_permissions(stack)


def handler(stack: Stack) -> dict[str, Any]:
    return properties(stack, "AWS::Lambda::Function")


def test_a_boundary_reaches_the_role(orders: Path, stack: Stack) -> None:
    artifacts(stack, orders)
    iam.PermissionsBoundary.of(stack).apply(iam.ManagedPolicy.from_managed_policy_name(stack, "Edge", "edge"))
    boundary = properties(stack, "AWS::IAM::Role")["PermissionsBoundary"]
    assert boundary["Fn::Join"][1][-1] == ":policy/edge"


def test_a_boundary_of_the_whole_app_reaches_the_role(orders: Path, outdir: Path) -> None:
    app = App(outdir=str(outdir), context={"@aws-cdk/core:permissionsBoundary": {"name": "edge"}})
    stack = Stack(app, "Shop")
    artifacts(stack, orders)
    boundary = properties(stack, "AWS::IAM::Role")["PermissionsBoundary"]
    assert boundary["Fn::Join"][1][-1] == ":policy/edge"


def test_a_boundary_of_one_stack_reaches_the_role(orders: Path, app: App) -> None:
    stack = Stack(app, "Shop", permissions_boundary=PermissionsBoundary.from_name("edge"))
    artifacts(stack, orders)
    assert "PermissionsBoundary" in properties(stack, "AWS::IAM::Role")


def test_a_role_of_the_app_gets_the_permissions(orders: Path, stack: Stack, outdir: Path) -> None:
    role = iam.Role(stack, "Ours", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    publisher = ArtifactPublisher(stack, role=role)
    artifacts(stack, orders)
    assert publisher.role.role_arn == role.role_arn
    template_of(stack).resource_count_is("AWS::IAM::Role", 1)
    assert handler_permissions(stack) == needed(orders, outdir)


def test_an_imported_role_gets_policies_that_the_artifacts_wait_for(
    orders: Path, stack: Stack, outdir: Path
) -> None:
    ArtifactPublisher(stack, role=iam.Role.from_role_arn(stack, "Ours", OURS))
    artifacts(stack, orders)
    assert handler(stack)["Role"] == OURS
    template_of(stack).resource_count_is("AWS::IAM::Role", 0)
    assert handler_permissions(stack) == needed(orders, outdir)
    policies = resources(stack, "AWS::IAM::Policy")
    assert all(policy["Properties"]["Roles"] == ["ours"] for policy in policies.values())
    (shared,) = (name for name in policies if not re.search("Removal|Emptying", name))
    # The artifacts wait for the function.
    (function,) = resources(stack, "AWS::Lambda::Function").values()
    assert shared in function["DependsOn"]


def test_an_immutable_role_is_left_as_it_is(orders: Path, stack: Stack) -> None:
    ArtifactPublisher(stack, role=iam.Role.from_role_arn(stack, "Ours", OURS, mutable=False))
    artifacts(stack, orders)
    assert handler(stack)["Role"] == OURS
    for kind in ("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        template_of(stack).resource_count_is(kind, 0)


def test_customised_roles_are_reported_with_all_permissions(
    orders: Path, app: App, stack: Stack, outdir: Path
) -> None:
    """CDK's own way of using precreated roles."""
    iam.Role.customize_roles(stack, use_precreated_roles={"Shop/LbdartPublisher/Role": "ours"})
    artifacts(stack, orders)
    app.synth()
    for kind in ("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        template_of(stack).resource_count_is(kind, 0)
    assert handler(stack)["Role"]["Fn::Join"][1][-1] == ":role/ours"
    (role,) = json.loads((outdir / "iam-policy-report.json").read_text())["roles"]
    assert (role["roleConstructPath"], role["roleName"], role["missing"]) == (
        "Shop/LbdartPublisher/Role",
        "ours",
        False,
    )
    reported = {
        action
        for statement in role["identityPolicyStatements"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert reported == {line.split()[0] for line in needed(orders, outdir)}


@jsii.implements(IAspect)
class Described:
    """An aspect as companies have them: it touches every resource."""

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, CfnResource):
            node.add_metadata("Owner", "platform")
            node.cfn_options.deletion_policy = node.cfn_options.deletion_policy


def test_aspects_tags_and_removal_policies_do_no_harm(orders: Path, stack: Stack, outdir: Path) -> None:
    Tags.of(stack).add("team", "shop")
    Aspects.of(stack).add(Described())
    RemovalPolicies.of(stack).destroy()
    artifacts(stack, orders)
    assert handler_permissions(stack) == needed(orders, outdir)
    tag = {"Key": "team", "Value": "shop"}
    for kind in ("AWS::Lambda::Function", "AWS::IAM::Role", "AWS::S3::Bucket", "AWS::Logs::LogGroup"):
        ((name, resource),) = resources(stack, kind).items()
        assert tag in resource["Properties"]["Tags"], name
        assert resource["Metadata"]["Owner"] == "platform"
        assert resource["DeletionPolicy"] == "Delete"
    # What an aspect cannot choose is the artifacts' own policy, which the handler is told as a property.
    assert properties(stack, "Custom::LbdartLayer")["RemovalPolicy"] == "destroy"
