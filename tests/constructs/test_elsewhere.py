"""Functions of another Region or account than an artifact: what Lambda would refuse is an error at synth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
from tests.support.apps import PYTHON_3_13, function, make_app

HERE = {"account": "111122223333", "region": "eu-west-1"}
FAR = {"account": "111122223333", "region": "us-east-1"}
THEIRS = {"account": "444455556666", "region": "eu-west-1"}


@pytest.fixture
def app(tmp_path: Path, cache: Path) -> App:
    return make_app(tmp_path / "cdk.out")


def messages(app: App, kind: str = "ERROR") -> list[str]:
    """What a synthesis says of the function."""
    said = app.synth().get_stack_by_name("Web").messages
    return [str(message.entry.data) for message in said if message.level.name == kind]


def code(app: App, project: Path, env: Any, name: str = "Shop", **props: Any) -> LambdaSourceArtifact:
    return LambdaSourceArtifact(Stack(app, name, env=env), "Code", project=str(project), **props)


def deps(app: App, project: Path, env: Any) -> LambdaLayerArtifact:
    return LambdaLayerArtifact(Stack(app, "Shop", env=env), "Deps", project=str(project), runtime=PYTHON_3_13)


def web(app: App, env: Any, **props: Any) -> None:
    function(Stack(app, "Web", env=env), **props)


@pytest.mark.parametrize("bucket", [None, "ours"])
def test_code_of_another_region_is_an_error(app: App, orders: Path, bucket: str | None) -> None:
    shop = Stack(app, "Shop", env=HERE)
    place = s3.Bucket.from_bucket_name(shop, "Place", bucket) if bucket else None
    source = LambdaSourceArtifact(shop, "Code", project=str(orders), bucket=place)
    web(app, FAR, code=source.code)
    assert messages(app) == [
        "This function is in us-east-1, but the code of Shop/Code is in eu-west-1, and Lambda reads code "
        "only from a bucket of the function's own Region. Create a LambdaSourceArtifact in a stack in "
        "us-east-1."
    ]


def test_code_of_another_account_is_an_error(app: App, orders: Path) -> None:
    web(app, THEIRS, code=code(app, orders, HERE).code)
    assert messages(app) == [
        "This function is in the account 444455556666, but the code of Shop/Code is in a bucket that only "
        "111122223333 can read. Create a LambdaSourceArtifact in a stack of 444455556666."
    ]


def test_a_bucket_of_the_users_may_let_another_account_read(app: App, orders: Path) -> None:
    shop = Stack(app, "Shop", env=HERE)
    place = s3.Bucket.from_bucket_name(shop, "Place", "ours")
    source = LambdaSourceArtifact(shop, "Code", project=str(orders), bucket=place)
    web(app, THEIRS, code=source.code)
    assert messages(app) == []
    (warning,) = (each for each in messages(app, "WARNING") if "ack: lbdart_cdk" in each)
    assert "Let 444455556666 read it in the policy of the bucket" in warning
    assert "lbdart_cdk:account:Shop/Code" in warning


def test_each_region_with_its_own_code_is_right(app: App, orders: Path) -> None:
    """The key is the same in all of them."""
    code(app, orders, HERE)
    stack = Stack(app, "Web", env=FAR)
    function(stack, code=LambdaSourceArtifact(stack, "Code", project=str(orders)).code)
    assert messages(app) == []


@pytest.mark.parametrize(("ours", "theirs"), [(HERE, HERE), (None, None)])
def test_what_is_the_same_place_is_no_error(app: App, orders: Path, ours: Any, theirs: Any) -> None:
    web(app, theirs, code=code(app, orders, ours).code)
    assert messages(app) == []


def test_a_layer_of_another_account_must_be_shared(app: App, orders: Path) -> None:
    layer = deps(app, orders, HERE)
    web(app, THEIRS, layers=[layer])
    assert messages(app) == []
    (warning,) = (each for each in messages(app, "WARNING") if "lbdart_cdk" in each)
    assert 'Share it with add_permission of the layer: account_id="444455556666".' in warning


@pytest.mark.parametrize("account", ["444455556666", "*"])
def test_one_that_is_shared_is_not_mentioned(app: App, orders: Path, account: str) -> None:
    layer = deps(app, orders, HERE)
    layer.add_permission("Theirs", account_id=account)
    web(app, THEIRS, layers=[layer])
    assert not [each for each in messages(app, "WARNING") if "lbdart_cdk" in each]


def test_with_the_artifact_in_a_stack_that_is_not_deployed_too(
    orders: Path, tmp_path: Path, cache: Path
) -> None:
    app = App(outdir=str(tmp_path / "cdk.out"), context={"aws:cdk:bundling-stacks": ["Web"]})
    web(app, FAR, code=code(app, orders, HERE).code)
    assert len(messages(app)) == 1
