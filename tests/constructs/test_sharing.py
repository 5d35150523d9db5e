"""``add_permission``: who may use the published versions, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Aws, RemovalPolicy, Stack

from lbdart_cdk import LambdaLayerArtifact
from lbdart_cdk.core.errors import LbdartError
from tests.support.apps import PYTHON_3_13, make_app, properties, resources

PERMISSION = "AWS::Lambda::LayerVersionPermission"


@pytest.fixture
def stack(tmp_path: Path, cache: Path) -> Stack:
    return Stack(make_app(tmp_path / "cdk.out"), "Shop")


def layer(stack: Stack, orders: Path, **props: Any) -> LambdaLayerArtifact:
    return LambdaLayerArtifact(stack, "Deps", project=str(orders), runtime=PYTHON_3_13, **props)


@pytest.mark.parametrize(
    ("policy", "kept"), [(RemovalPolicy.RETAIN, "Retain"), (RemovalPolicy.DESTROY, "Delete")]
)
def test_a_permission_stays_with_its_version_as_the_version_does(
    stack: Stack, orders: Path, policy: RemovalPolicy, kept: str
) -> None:
    layer(stack, orders, removal_policy=policy).add_permission("Partner", account_id="111122223333")
    (permission,) = resources(stack, PERMISSION).values()
    assert (permission["DeletionPolicy"], permission["UpdateReplacePolicy"]) == (kept, kept)


def test_a_layer_is_shared_with_accounts_and_organisations(stack: Stack, orders: Path) -> None:
    deps = layer(stack, orders)
    deps.add_permission("Partner", account_id="111122223333")
    deps.add_permission("Here", account_id=Aws.ACCOUNT_ID)
    deps.add_permission("Company", account_id="*", organization_id="o-a1b2c3d4e5")
    found = [
        (permission["Properties"]["Principal"], permission["Properties"].get("OrganizationId"))
        for permission in resources(stack, PERMISSION).values()
    ]
    assert sorted(found, key=str) == [
        ("*", "o-a1b2c3d4e5"),
        ("111122223333", None),
        ({"Ref": "AWS::AccountId"}, None),
    ]


@pytest.mark.parametrize(
    ("account", "organization", "problem"),
    [
        ("1234", None, "'1234' is not an AWS account id"),
        (123456789012, None, "123456789012 is not an AWS account id"),
        ("111122223333 ", None, "is not an AWS account id"),
        ("arn:aws:iam::111122223333:root", None, "is not an AWS account id"),
        ("", None, "'' is not an AWS account id"),
        ("*", "a1b2c3d4e5", "'a1b2c3d4e5' is not an AWS organization id"),
        ("*", "", "'' is not an AWS organization id"),
        ("*", "o-short", "'o-short' is not an AWS organization id"),
        (
            "111122223333",
            "o-a1b2c3d4e5",
            "One permission cannot share the layer with both the account 111122223333 and",
        ),
    ],
)
def test_what_lambda_would_refuse_is_said_at_synth(
    stack: Stack, orders: Path, account: Any, organization: str | None, problem: str
) -> None:
    deps = layer(stack, orders)
    with pytest.raises(LbdartError, match=problem) as caught:
        deps.add_permission("Partner", account_id=account, organization_id=organization)
    assert caught.value.__notes__ == ["[at Shop/Deps]"]
    assert not resources(stack, PERMISSION)


def test_keeping_versions_asks_for_the_permission_to_remove_them(stack: Stack, orders: Path) -> None:
    layer(stack, orders, keep_versions=3)
    assert properties(stack, "Custom::LbdartLayer")["KeepVersions"] == "3"
    policies = [
        policy["Properties"]["PolicyName"] for policy in resources(stack, "AWS::IAM::Policy").values()
    ]
    assert [name for name in policies if "Removal" in name]
