"""A function's version is named after the layers that it has, so that an alias follows a changed layer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, NestedStack, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import LambdaLayerArtifact
from tests.support.apps import PYTHON_3_13, function

#: Where the layer is, for a function in the stack ``Shop``.
PLACES: dict[str, Callable[[App, Stack], Stack]] = {
    "the same stack": lambda app, shop: shop,
    "a nested stack": lambda app, shop: NestedStack(shop, "Nested"),
    "another stack": lambda app, shop: Stack(app, "Layers"),
    "a nested stack of another": lambda app, shop: NestedStack(Stack(app, "Layers"), "Nested"),
}
FLAGS: dict[str, dict[str, bool]] = {
    "no flag": {},
    "layer versions": {"@aws-cdk/aws-lambda:recognizeLayerVersion": True},
    "version props": {"@aws-cdk/aws-lambda:recognizeVersionProps": True},
    "both flags": {
        "@aws-cdk/aws-lambda:recognizeLayerVersion": True,
        "@aws-cdk/aws-lambda:recognizeVersionProps": True,
    },
}


class Versions:
    """Names the version of a function in a new app, with a layer of these props."""

    def __init__(self, folder: Path, project: Path, flags: Mapping[str, bool], place: str) -> None:
        self.project = project
        self._numbers: Iterator[int] = itertools.count()
        self._folder = folder
        self._flags = flags
        self._place = PLACES[place]

    def __call__(self, **props: Any) -> str:
        outdir = self._folder / f"out{next(self._numbers)}"
        app = App(outdir=str(outdir), analytics_reporting=False, context=self._flags)
        shop = Stack(app, "Shop")
        props = {"project": str(self.project), "runtime": PYTHON_3_13, **props}
        deps = LambdaLayerArtifact(self._place(app, shop), "Deps", **props)
        function(shop, layers=[deps]).add_alias("live")
        template = app.synth().get_stack_by_name("Shop").template
        (name,) = (
            name for name, row in template["Resources"].items() if row["Type"] == "AWS::Lambda::Version"
        )
        return str(name)


@pytest.fixture(params=FLAGS)
def flags(request: pytest.FixtureRequest) -> dict[str, bool]:
    return FLAGS[request.param]


@pytest.mark.parametrize("place", PLACES)
def test_a_changed_layer_makes_a_new_version(
    orders: Path, cache: Path, tmp_path: Path, flags: dict[str, bool], place: str
) -> None:
    version = Versions(tmp_path, orders, flags, place)
    assert version() == version()
    assert version() != version(extras=["fast"])


def test_a_layer_of_another_name_makes_a_new_version(
    orders: Path, cache: Path, tmp_path: Path, flags: dict[str, bool]
) -> None:
    version = Versions(tmp_path, orders, flags, "another stack")
    assert version(layer_name="one") != version(layer_name="two")


@pytest.mark.parametrize(
    "props",
    [
        {"keep_versions": 2},
        {"removal_policy": RemovalPolicy.DESTROY},
        {"description": "Ours"},
        {"prefix": "p"},
    ],
    ids=lambda props: next(iter(props)),
)
def test_what_publishes_nothing_makes_no_new_version(
    orders: Path, cache: Path, tmp_path: Path, flags: dict[str, bool], props: dict[str, Any]
) -> None:
    # CloudFormation refuses a second version of an unchanged function.
    version = Versions(tmp_path, orders, flags, "the same stack")
    assert version() == version(**props)


def test_a_lock_with_other_text_makes_no_new_version(
    orders: Path, cache: Path, tmp_path: Path, flags: dict[str, bool]
) -> None:
    version = Versions(tmp_path, orders, flags, "the same stack")
    before = version()
    lock = orders / "uv.lock"
    lock.write_text(f"# Another text, the same packages.\n{lock.read_text()}")
    assert version() == before


def test_a_name_with_tokens_is_no_change(orders: Path, cache: Path, tmp_path: Path) -> None:
    names = []
    for number, constructs_before in enumerate((0, 3)):
        app = App(outdir=str(tmp_path / f"out{number}"), analytics_reporting=False)
        for other in range(constructs_before):  # each takes numbers of tokens
            function(Stack(app, f"Other{other}"))
        shop = Stack(app, "Shop")
        deps = LambdaLayerArtifact(
            shop, "Deps", project=str(orders), runtime=PYTHON_3_13, layer_name=f"deps-{shop.region}"
        )
        made: lambda_.Function = function(shop, layers=[deps])
        made.add_alias("live")
        names.append(
            next(n for n in app.synth().get_stack_by_name("Shop").template["Resources"] if "Version" in n)
        )
    assert names[0] == names[1]
