"""Two layers of an app that would mix their versions: in one account and Region, whatever their stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Annotations, App, Aws, Stack, Stage
from aws_cdk import aws_s3 as s3

from lbdart_cdk import LambdaLayerArtifact
from lbdart_cdk.core.errors import LbdartError
from tests.support.apps import PYTHON_3_13, make_app

HERE = {"account": "111122223333", "region": "eu-west-1"}
FAR = {"account": "111122223333", "region": "us-east-1"}
THEIRS = {"account": "444455556666", "region": "eu-west-1"}


@pytest.fixture
def app(tmp_path: Path, cache: Path) -> App:
    return make_app(tmp_path / "cdk.out")


def deps(app: App, stage: str, project: Path, env: Any = None, **props: Any) -> LambdaLayerArtifact:
    stack = Stack(Stage(app, stage, env=env), "Shop")
    if "bucket" in props:
        props["bucket"] = s3.Bucket.from_bucket_name(stack, "Place", props["bucket"])
    props = {"layer_name": "deps", **props}
    return LambdaLayerArtifact(stack, "Deps", project=str(project), runtime=PYTHON_3_13, **props)


def warnings(app: App) -> list[str]:
    return [
        str(message.entry.data).partition(".")[0]
        for stack in app.synth().stacks_recursively
        for message in stack.messages
        if message.level.name == "WARNING" and "lbdart_cdk:shared" in str(message.entry.data)
    ]


def test_two_stages_in_one_account_are_an_error(app: App, orders: Path) -> None:
    deps(app, "Dev", orders, HERE)
    with pytest.raises(LbdartError, match=r"Prod/Shop/Deps has the same layer_name as Dev/Shop/Deps\."):
        deps(app, "Prod", orders, HERE)


@pytest.mark.parametrize("env", [FAR, THEIRS])
def test_stages_in_two_accounts_or_regions_are_right(app: App, orders: Path, env: Any) -> None:
    deps(app, "Dev", orders, HERE)
    deps(app, "Prod", orders, env)
    assert warnings(app) == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(None, None), (HERE, None), (None, HERE), ({"region": "eu-west-1"}, {"region": "eu-west-1"})],
)
def test_where_only_the_deployment_knows_it_is_a_warning(
    app: App, orders: Path, ours: Any, theirs: Any
) -> None:
    """With a profile for each account, Dev and Prod are apart."""
    deps(app, "Dev", orders, ours)
    deps(app, "Prod", orders, theirs)
    assert warnings(app) == ["Prod/Shop/Deps has the same layer_name as Dev/Shop/Deps"]


def test_the_warning_can_be_acknowledged(app: App, orders: Path) -> None:
    deps(app, "Dev", orders)
    prod = deps(app, "Prod", orders)
    Annotations.of(prod).acknowledge_warning("lbdart_cdk:shared:Dev/Shop/Deps", "Prod has its own account")
    assert warnings(app) == []


def test_a_region_that_is_known_to_differ_is_enough(app: App, orders: Path) -> None:
    deps(app, "Dev", orders, {"region": "eu-west-1"})
    deps(app, "Prod", orders, {"region": "eu-central-1"})
    assert warnings(app) == []


def test_names_from_the_stage_are_told_apart(app: App, orders: Path) -> None:
    for stage in ("Dev", "Prod"):
        deps(app, stage, orders, HERE, layer_name=None)
    assert warnings(app) == []


def test_a_bucket_of_one_name_is_the_same_everywhere(app: App, orders: Path) -> None:
    deps(app, "Dev", orders, HERE, layer_name="dev", bucket="company-artifacts", prefix="deps")
    with pytest.raises(LbdartError, match="has the same bucket and prefix as Dev/Shop/Deps"):
        deps(app, "Prod", orders, THEIRS, layer_name="prod", bucket="company-artifacts", prefix="deps")


def test_a_bucket_with_the_account_in_its_name_is_another_in_each(app: App, orders: Path) -> None:
    name = f"artifacts-{Aws.ACCOUNT_ID}"
    deps(app, "Dev", orders, HERE, layer_name="dev", bucket=name, prefix="deps")
    deps(app, "Prod", orders, THEIRS, layer_name="prod", bucket=name, prefix="deps")
    assert warnings(app) == []


def test_two_apps_of_one_process_do_not_meet(orders: Path, tmp_path: Path, cache: Path) -> None:
    for number in range(2):
        deps(make_app(tmp_path / f"out{number}"), "Dev", orders, HERE)
