"""Layers that are taken from an SSM parameter, by functions with and without versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Annotations, App, Environment, NestedStack, Stack, Stage
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import LambdaLayerArtifact
from tests.support.apps import PYTHON_3_13, function, make_app, messages, resources, template_of

NAME = "/orders/deps"
KEPT = "this function's version, with its aliases, keeps the layer"


@pytest.fixture
def app(tmp_path: Path, cache: Path) -> App:
    return make_app(tmp_path / "cdk.out")


def declare(scope: Stack, project: Path, name: str = NAME, **props: Any) -> LambdaLayerArtifact:
    return LambdaLayerArtifact(
        scope, "Deps", project=str(project), runtime=PYTHON_3_13, parameter_name=name, **props
    )


def take(stack: Stack, name: str = NAME, **props: Any) -> lambda_.ILayerVersion:
    return LambdaLayerArtifact.from_parameter_name(stack, "Taken", name, runtime=PYTHON_3_13, **props)


def layers_of(stack: Stack) -> list[Any]:
    functions = resources(stack, "AWS::Lambda::Function").values()
    (layers,) = (row["Properties"]["Layers"] for row in functions if "Layers" in row["Properties"])
    return list(layers)


def test_a_version_that_would_keep_its_layer_is_a_warning_that_can_be_acknowledged(app: App) -> None:
    stack = Stack(app, "Shop")
    made = function(stack, layers=[take(stack)])
    made.add_alias("live")
    assert [KEPT in text for text in messages(app, "WARNING")["/Shop/Fn/Resource"]] == [True]


def test_an_acknowledged_warning_is_not_repeated(app: App) -> None:
    stack = Stack(app, "Shop")
    made = function(stack, layers=[take(stack)])
    made.add_alias("live")
    Annotations.of(made).acknowledge_warning("lbdart_cdk:version:Shop/Taken")
    assert messages(app, "WARNING") == {}


def test_a_function_without_a_version_follows_the_parameter(app: App) -> None:
    stack = Stack(app, "Shop")
    taken = take(stack)
    function(stack, layers=[taken])
    lambda_.Function(
        stack, "NoLayer", runtime=PYTHON_3_13, handler="index.h", code=lambda_.Code.from_inline("1")
    ).add_alias("live")
    assert messages(app, "WARNING") == {}


def test_a_layer_of_the_app_is_taken_itself(app: App, orders: Path) -> None:
    # It deploys first, and the names of versions follow it.
    layers, shop = Stack(app, "Layers"), Stack(app, "Shop")
    deps = declare(layers, orders)
    function(shop, layers=[take(shop)]).add_alias("live")
    assert messages(app, "WARNING").get("/Shop/Fn/Resource") is None
    assert layers_of(shop) == [shop.resolve(deps.layer_version_arn)]
    assert layers_of(shop)[0]["Fn::Select"][1][0]["Fn::GetStackOutput"]["StackName"] == "Layers"
    assert not any("Ssm" in name for name in template_of(shop).to_json().get("Parameters", {}))
    assert layers in shop.dependencies


def test_a_name_with_tokens_is_known_too(app: App, orders: Path) -> None:
    layers, shop = Stack(app, "Layers"), Stack(app, "Shop")
    declare(layers, orders, f"/{layers.region}/deps")
    function(shop, layers=[take(shop, f"/{shop.region}/deps")])
    assert "Fn::Select" in layers_of(shop)[0]


def test_another_environment_and_another_stage_have_their_own_parameters(app: App, orders: Path) -> None:
    declare(Stack(app, "Layers", env=Environment(account="111122223333", region="eu-west-1")), orders)
    elsewhere = Stack(app, "Shop", env=Environment(account="111122223333", region="eu-central-1"))
    later = Stack(Stage(app, "Prod"), "Shop", env=Environment(account="111122223333", region="eu-west-1"))
    for shop in (elsewhere, later):
        function(shop, layers=[take(shop)])
    for shop in (elsewhere, later):
        assert "Ref" in layers_of(shop)[0]


def test_a_lookup_is_a_literal_that_versions_follow(tmp_path: Path, cache: Path) -> None:
    versions = []
    for number in (1, 2):
        arn = f"arn:aws:lambda:eu-west-1:111122223333:layer:deps:{number}"
        key = f"ssm:account=111122223333:parameterName={NAME}:region=eu-west-1"
        app = App(outdir=str(tmp_path / f"out{number}"), context={key: arn})
        shop = Stack(app, "Shop", env=Environment(account="111122223333", region="eu-west-1"))
        function(shop, layers=[take(shop, lookup=True)]).add_alias("live")
        assert layers_of(shop) == [arn]
        assert messages(app, "WARNING") == {}
        versions.append(next(iter(resources(shop, "AWS::Lambda::Version"))))
    assert versions[0] != versions[1]


def test_a_layer_that_another_stack_reads_is_an_error(app: App) -> None:
    one, two = Stack(app, "One"), Stack(app, "Two")
    function(two, layers=[take(one)])
    (error,) = messages(app, "ERROR")["/Two/Fn/Resource"]
    assert "is read from the parameter /orders/deps in another stack" in error
    assert "Call from_parameter_name in the function's stack." in error


def test_a_layer_that_the_parent_reads_is_none(app: App) -> None:
    stack = Stack(app, "Shop")
    function(NestedStack(stack, "Nested"), layers=[take(stack)])
    assert messages(app, "ERROR") == {}
