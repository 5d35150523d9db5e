"""Identity is always known: a deployed stack says the same of an artifact, whatever else is deployed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnOutput, NestedStack, Stack

from lbdart_cdk import Credentials, LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.store.store import CACHE_VARIABLE
from tests.support.apps import PYTHON_3_13, function, make_app
from tests.support.projects import files_in

UNKNOWN = "0" * 64


@dataclass
class Shop:
    """An app of two stacks: the functions in one use the artifacts of the other."""

    app: App
    deps: LambdaLayerArtifact
    code: LambdaSourceArtifact
    web: Stack
    outdir: Path

    def template(self, name: str) -> dict[str, Any]:
        self.app.synth()
        found: dict[str, Any] = json.loads((self.outdir / f"{name}.template.json").read_text())
        return found

    def staged(self) -> list[str]:
        return sorted(path.name for path in self.outdir.glob("**/asset.*"))


def shop(project: Path, outdir: Path, deployed: Sequence[str] | None = None) -> Shop:
    """The app as the CDK command line synthesises it with ``--exclusively``.

    :param deployed: the stacks that are; none is for ``cdk ls`` and ``cdk destroy``. Default: all.
    """
    context: dict[str, Any] = {"@aws-cdk/aws-lambda:recognizeLayerVersion": True}
    if deployed is not None:
        context["aws:cdk:bundling-stacks"] = list(deployed)
    app = App(outdir=str(outdir), context=context)
    artifacts, web = Stack(app, "Artifacts"), Stack(app, "Web")
    deps = LambdaLayerArtifact(artifacts, "Deps", project=str(project), runtime=PYTHON_3_13)
    code = LambdaSourceArtifact(artifacts, "Code", project=str(project))
    return Shop(app, deps, code, web, outdir)


def with_function(made: Shop) -> Shop:
    function(made.web, layers=[made.deps], code=made.code.code).add_alias("live")
    return made


@pytest.fixture(params=["cold", "warm"])
def second_store(
    request: pytest.FixtureRequest, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, Any]:
    """The second synth's store: that of the first, or an empty one as on another machine."""
    return {"cold": {CACHE_VARIABLE: str(tmp_path / "other-cache")}, "warm": {}}[request.param]


def test_a_deployed_stack_is_the_same_with_and_without_the_stack_that_it_refers_to(
    orders: Path, tmp_path: Path, second_store: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = with_function(shop(orders, tmp_path / "whole")).template("Web")
    for name, value in second_store.items():
        monkeypatch.setenv(name, value)
    exclusive = with_function(shop(orders, tmp_path / "exclusive", ["Web"]))
    assert exclusive.template("Web") == whole
    assert UNKNOWN not in json.dumps(whole)


def test_a_value_that_the_app_reads_is_the_same(
    orders: Path, tmp_path: Path, second_store: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, ...]] = []
    for deployed in (None, ["Web"]):
        made = shop(orders, tmp_path / f"out{len(read)}", deployed)
        code = made.code
        read.append((made.deps.build_key, code.source_sha256, code.source_version, code.object_key))
        for name, value in second_store.items():
            monkeypatch.setenv(name, value)
    assert read[0] == read[1]
    assert UNKNOWN not in str(read)


def test_the_other_stack_declares_the_identities_that_it_would_if_it_were_deployed(
    orders: Path, tmp_path: Path, cache: Path
) -> None:
    declared: list[list[dict[str, Any]]] = []
    for deployed in (None, ["Web"]):
        template = with_function(shop(orders, tmp_path / f"out{len(declared)}", deployed)).template(
            "Artifacts"
        )
        kinds = ("Custom::LbdartLayer", "Custom::LbdartSource")
        declared.append([each for each in template["Resources"].values() if each["Type"] in kinds])
    known = ("BuildKey", "ManifestMd5", "SourceVersion", "SourceSha256")
    first, second = (
        [{name: each["Properties"].get(name) for name in known} for each in resources]
        for resources in declared
    )
    assert first == second


def test_for_its_identity_no_wheel_is_fetched_and_no_layer_packed(
    orders: Path, tmp_path: Path, cache: Path
) -> None:
    made = shop(orders, tmp_path / "cdk.out", ["Web"])
    function(made.web, layers=[made.deps])
    made.app.synth()
    assert made.deps.build_key != UNKNOWN
    assert not list(cache.glob("*/wheels/**/*.whl"))
    assert not list(cache.glob("*/archives/**/*.zip"))
    assert made.staged() == []


def test_what_no_deployed_stack_refers_to_is_not_even_locked(
    orders: Path, tmp_path: Path, cache: Path
) -> None:
    made = shop(orders, tmp_path / "cdk.out", ["Web"])
    function(made.web)
    other = Stack(made.app, "Other")
    function(other, layers=[made.deps], code=made.code.code).add_alias("live")
    before = files_in(orders)
    made.app.synth()
    assert not cache.exists()
    assert made.staged() == []
    assert files_in(orders) == before


def test_an_artifact_that_cannot_be_identified_stops_only_who_refers_to_it(
    orders: Path, tmp_path: Path, cache: Path
) -> None:
    (orders / "uv.lock").write_text("not a lock")
    made = shop(orders, tmp_path / "cdk.out", ["Web"])
    function(made.web)
    made.app.synth()
    with pytest.raises(LbdartError):
        _ = shop(orders, tmp_path / "again", ["Web"]).deps.build_key


class TestNothingIsDeployed:
    """``cdk ls`` and ``cdk destroy``."""

    def test_nothing_is_built_even_for_what_is_read(self, orders: Path, tmp_path: Path, cache: Path) -> None:
        made = with_function(shop(orders, tmp_path / "cdk.out", []))
        CfnOutput(made.web, "Key", value=f"{made.deps.build_key} {made.code.object_key}")
        made.app.synth()
        assert made.deps.build_key == UNKNOWN
        assert made.code.object_key == f"orders/source/1.2.0/{UNKNOWN}/source.zip"
        assert not cache.exists()
        assert made.staged() == []

    def test_the_templates_are_the_same_whatever_the_store_knows(
        self, orders: Path, tmp_path: Path, cache: Path
    ) -> None:
        templates = []
        for name in ("before", "after"):
            made = with_function(shop(orders, tmp_path / name, []))
            CfnOutput(made.web, "Key", value=f"{made.deps.build_key} {made.code.object_key}")
            templates.append([made.template("Artifacts"), made.template("Web")])
            shop(orders, tmp_path / "built")
        assert templates[0] == templates[1]

    def test_no_password_is_asked_for(self, orders: Path, tmp_path: Path, cache: Path) -> None:
        def refuse() -> Credentials:
            raise AssertionError("nothing is fetched")

        stack = Stack(make_app(tmp_path / "cdk.out", bundling=False), "Shop")
        deps = LambdaLayerArtifact(stack, "Deps", project=str(orders), credentials=refuse)
        assert deps.build_key == UNKNOWN

    def test_a_broken_lock_is_no_error(self, orders: Path, tmp_path: Path, cache: Path) -> None:
        (orders / "uv.lock").write_text("not a lock")
        made = with_function(shop(orders, tmp_path / "cdk.out", []))
        assert made.deps.build_key == UNKNOWN


def test_a_nested_stack_is_deployed_with_the_stack_around_it(
    orders: Path, tmp_path: Path, cache: Path
) -> None:
    """CDK names the outer stack only."""
    app = App(outdir=str(tmp_path / "cdk.out"), context={"aws:cdk:bundling-stacks": ["Shop"]})
    nested = NestedStack(Stack(app, "Shop"), "Nested")
    deps = LambdaLayerArtifact(nested, "Deps", project=str(orders))
    app.synth()
    (template,) = (tmp_path / "cdk.out").glob("ShopNested*.nested.template.json")
    assert UNKNOWN not in template.read_text()
    assert deps.build_key in template.read_text()
