"""Why a build is another one: compared with the last one here, without a network."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.function import FunctionArtifact
from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.artifacts.source import SourceArtifact
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.reports.why import Why, since_last_build
from lbdart_cdk.core.store.store import Store
from tests.support.fakes import FakeTool
from tests.support.locks import lock_of, locked, locked_file
from tests.support.projects import make_project
from tests.support.wheels import make_wheel


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_project(tmp_path / "orders")
    make_project(root / "lib", "lib")
    (root / "uv.lock").write_text("version = 1\n")
    return root


def layer(root: Path, store: Store, version: str = "1.0") -> LayerArtifact:
    wheel = make_wheel(root.parent / version, version=version)
    tables = [locked_file(wheel), locked("lib", source='directory = { path = "lib" }\n')]
    project = Project(root, root / "uv.lock")
    return LayerArtifact(
        project, FakeTool(lock_of(*tables, base=root)), Target((3, 13)), Options(), (), store
    )


def lines(why: Why) -> list[str]:
    assert why.comparison is not None
    assert why.comparison.changes is not None
    return [f"{change.group}: {change}" for change in why.comparison.changes]


def test_without_a_build_there_is_nothing_to_compare_with(root: Path, store: Store) -> None:
    why = since_last_build(layer(root, store))
    assert why.comparison is None
    assert why.is_changed
    assert why.inputs["packages"].keys() == {"alpha", "lib"}


def test_nothing_changed_since_a_build(root: Path, store: Store) -> None:
    layer(root, store).build()
    why = since_last_build(layer(root, store))
    assert not why.is_changed
    assert lines(why) == []
    assert why.before is None


def test_each_change_is_named(root: Path, store: Store) -> None:
    layer(root, store).build()
    (root / "lib/src/lib/app.py").write_text("x = 1\n")
    why = since_last_build(layer(root, store, "2.0"))
    assert why.is_changed
    assert lines(why) == ["packages: alpha 1.0 -> 2.0", "packages: lib: 1 file changed: lib/app.py"]


def test_other_options_are_compared_with_the_last_build(root: Path, store: Store) -> None:
    layer(root, store).build()
    why = since_last_build(replace(layer(root, store), target=Target((3, 12)), prefer=("alpha",)))
    assert lines(why) == ["target: runtime: python3.13 -> python3.12", "options: prefer: not set -> alpha"]
    assert why.comparison is not None
    assert why.comparison.known.what == "the last build here, which had other options"


def test_after_a_build_it_is_told_what_changed_in_it(root: Path, store: Store) -> None:
    layer(root, store).build()
    layer(root, store, "2.0").build()
    why = since_last_build(layer(root, store, "2.0"))
    assert not why.is_changed
    assert why.before is not None
    assert [str(change) for change in why.before.changes or ()] == ["alpha 1.0 -> 2.0"]


def test_inputs_that_were_pruned_are_not_known(root: Path, store: Store) -> None:
    layer(root, store).build()
    shutil.rmtree(store.files / "inputs")
    why = since_last_build(layer(root, store, "2.0"))
    assert why.is_changed
    assert why.comparison is not None
    assert why.comparison.changes is None
    assert json.loads(json.dumps(why.to_json()))["comparison"]["changes"] is None


def test_code_and_a_function_tell_their_files(root: Path, store: Store) -> None:
    def function() -> FunctionArtifact:
        dependencies = layer(root, store)
        source = SourceArtifact(dependencies.project, dependencies.tool, (), (), store)
        return FunctionArtifact(source, dependencies)

    function().build()
    function().source.build()
    (root / "src/orders/app.py").write_text("x = 1\n")
    (root / "src/orders/pricing.py").write_text("x = 1\n")
    expected = ["own code: 1 file changed: src/orders/app.py; 1 file added: src/orders/pricing.py"]
    assert lines(since_last_build(function())) == expected
    assert lines(since_last_build(function().source)) == expected
