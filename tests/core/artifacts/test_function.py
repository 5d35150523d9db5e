"""Code and dependencies in one zip, for functions without a layer."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.function import FunctionArtifact
from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.artifacts.source import SourceArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from tests.support.wheels import names_in, read_from, sha256


def function(
    root: Path, store: Store, *, without: tuple[str, ...] = (), patterns: tuple[str, ...] = ()
) -> FunctionArtifact:
    """A function without some packages, and without some files of its own."""
    project, tool = find_project(root)
    source = SourceArtifact(project, tool, (), patterns, store)
    layer = LayerArtifact(project, tool, Target((3, 13)), Options(), without, store)
    return FunctionArtifact(source, layer)


def modules(path: Path) -> list[str]:
    return [name for name in names_in(path) if ".dist-info/" not in name]


def test_both_are_at_the_root_of_the_zip(orders: Path, store: Store) -> None:
    made = function(orders, store)
    built = made.build()
    own = modules(made.source.build().path)
    packages = [name.removeprefix("python/") for name in modules(made.dependencies.build())]
    assert modules(built.path) == sorted([*own, *packages])
    assert built.identity.sha256 == sha256(built.path)
    assert built.identity.version == made.source.build().version
    assert made.known_identity() == built.identity
    assert built.report.size == sum(built.report.sizes.values())
    assert {"orders", "alpha", "native"} <= built.report.sizes.keys()


def test_the_same_bytes_in_another_store_and_directory(orders: Path, store: Store, tmp_path: Path) -> None:
    moved = orders.rename(tmp_path / "elsewhere")
    first = function(moved, store).build()
    second = function(moved, Store(tmp_path / "other")).build()
    assert first.path != second.path
    assert first.path.read_bytes() == second.path.read_bytes()


def test_patterns_are_for_the_code_alone(orders: Path, store: Store) -> None:
    names = names_in(function(orders, store, patterns=("__init__.py",)).build().path)
    assert "alpha/__init__.py" in names
    assert "orders/__init__.py" not in names


def test_files_of_both_are_left_out(orders: Path, store: Store) -> None:
    made = function(orders, store)
    slim = replace(made, source=replace(made.source, exclude_files=("__init__.py", "*.dist-info/", "docs/")))
    assert names_in(slim.build().path) == ["native.so", "orders/app.py"]
    assert slim.build_key != made.build_key
    report = slim.build().report
    assert report.excluded.size == made.build().report.size - report.size > 0
    assert [warning.id for warning in report.warnings] == ["lbdart_cdk:exclude-files:docs/"]
    assert "exclude_files saved" in slim.summary().line("Orders", is_new=True, seconds=0)


def test_both_have_bytecode_for_their_path_on_lambda(orders: Path, store: Store) -> None:
    here = Target(sys.version_info[:2])
    plain = function(orders, store, without=("native",))
    plain = replace(plain, dependencies=replace(plain.dependencies, target=here))
    made = replace(plain, source=replace(plain.source, bytecode=here))
    added = set(names_in(made.build().path)) - set(names_in(plain.build().path))
    tag = f"cpython-{here.python[0]}{here.python[1]}"
    assert {f"orders/__pycache__/app.{tag}.pyc", f"alpha/__pycache__/__init__.{tag}.pyc"} <= added
    assert all(b"/var/task/" in read_from(made.build().path, name) for name in added)
    assert made.build().bytecode == made.build().size - plain.build().size > 0
    assert made.build_key != plain.build_key


def test_a_change_of_either_is_another_zip(orders: Path, store: Store) -> None:
    keys = {function(orders, store).build_key, function(orders, store, without=("alpha",)).build_key}
    code = next(path for path in (orders / "src").rglob("app.py"))
    code.write_text(f"{code.read_text()}\nNEW = 1\n")
    keys.add(function(orders, store).build_key)
    assert len(keys) == 3


def test_an_unchanged_one_is_not_built_again(
    orders: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = function(orders, store).build()
    monkeypatch.setattr("lbdart_cdk.core.artifacts.function.make_function", lambda _: pytest.fail("built"))
    assert function(orders, store).build() == first


def test_a_module_of_the_code_and_of_a_package(orders: Path, store: Store) -> None:
    (orders / "src/alpha").mkdir(parents=True, exist_ok=True)
    (orders / "src/alpha/__init__.py").write_text("OURS = 1\n")
    with pytest.raises(LbdartError, match=r"both bring alpha/__init__\.py, with different contents"):
        function(orders, store).build()


def test_without_a_package_it_is_the_code_alone(orders: Path, store: Store) -> None:
    made = function(orders, store, without=("alpha", "native", "urllib3"))
    assert names_in(made.build().path) == names_in(made.source.build().path)
