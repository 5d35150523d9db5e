"""One function's code in a zip whose hash changes with the code, and only with it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.source import SourceArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from tests.support.fakes import FakeTool
from tests.support.projects import files_in, kept_in, make_project
from tests.support.wheels import names_in, read_from, sha256


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_project(tmp_path / "orders")


def source(root: Path, store: Store, *, tool: FakeTool | None = None) -> SourceArtifact:
    return SourceArtifact(Project(root, root / "uv.lock"), tool or FakeTool(), (), (), store)


def test_a_project_is_packed_as_it_is_built_at_the_root_of_the_zip(root: Path, store: Store) -> None:
    built = source(root, store, tool=FakeTool(version="3.4")).build()
    assert names_in(built.path) == ["orders-3.4.dist-info/METADATA", "orders/__init__.py", "orders/app.py"]
    assert built.sha256 == sha256(built.path)
    assert built.version == "3.4"


def test_a_project_without_a_build_system_is_packed_as_it_is(tmp_path: Path, store: Store) -> None:
    root = make_project(tmp_path / "orders", version="1.2.0", built=False)
    tool = FakeTool()
    built = source(root, store, tool=tool).build()
    assert names_in(built.path) == ["orders/__init__.py", "orders/app.py"]
    assert built.version == "1.2.0"
    assert tool.built == []


def test_a_project_that_has_no_version_has_one_in_the_key(tmp_path: Path, store: Store) -> None:
    root = tmp_path / "orders"
    root.mkdir()
    (root / "app.py").write_text("x = 1\n")
    assert source(root, store).build().version == "0.0.0"


def test_included_files_are_kept_at_their_places(root: Path, store: Store) -> None:
    (root / "conf").mkdir()
    (root / "conf/a.json").write_text("{}")
    (root / "conf/b.json").write_text("{}")
    artifact = replace(source(root, store), include=("*.json",), exclude=("b.json", "__init__.py"))
    assert names_in(artifact.build().path) == [
        "conf/a.json",
        "orders-1.0.dist-info/METADATA",
        "orders/app.py",
    ]


def test_the_code_has_bytecode_if_asked_for(root: Path, store: Store) -> None:
    here = Target(sys.version_info[:2])
    (root / "src/orders/python2.py").write_text("print 'not Python 3'\n")
    plain = source(root, store)
    artifact = replace(plain, bytecode=here, exclude=("__init__.py",))
    built, tag = artifact.build(), f"cpython-{here.python[0]}{here.python[1]}"
    assert names_in(built.path) == [
        "orders-1.0.dist-info/METADATA",
        f"orders/__pycache__/app.{tag}.pyc",
        "orders/app.py",
        "orders/python2.py",
    ]
    assert b"/var/task/orders/app.py" in read_from(built.path, f"orders/__pycache__/app.{tag}.pyc")
    assert (built.files, built.bytecode > 0) == (3, True)
    assert len({each.build_key for each in (plain, replace(plain, bytecode=here), artifact)}) == 3


def test_it_is_built_once(root: Path, store: Store) -> None:
    tool = FakeTool()
    first = source(root, store, tool=tool).build()
    assert source(root, store, tool=tool).build() == first
    assert len(tool.built) == 1


def test_a_damaged_zip_is_made_again(root: Path, store: Store) -> None:
    first = source(root, store).build()
    first.path.write_bytes(b"damaged")
    assert source(root, store).build() == first
    assert sha256(first.path) == first.sha256


def test_a_line_of_code_is_another_hash(root: Path, store: Store) -> None:
    first = source(root, store).build()
    (root / "src/orders/app.py").write_text("def handler(event, context):\n    return 43\n")
    second = source(root, store).build()
    assert second.sha256 != first.sha256
    assert b"43" in read_from(second.path, "orders/app.py")


@pytest.mark.parametrize("name", ["README.md", "tests/test_app.py", "uv.lock"])
def test_what_does_not_reach_the_zip_is_no_change_of_the_code(root: Path, store: Store, name: str) -> None:
    first = source(root, store).build()
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("new")
    assert source(root, store).build().sha256 == first.sha256


def test_the_users_tree_is_only_read(root: Path, store: Store) -> None:
    before = files_in(root)
    source(root, store).build()
    assert files_in(root) == before


@pytest.mark.parametrize("exclude", [("*.py",), ("orders",)])
def test_a_source_without_code_is_refused(root: Path, store: Store, exclude: tuple[str, ...]) -> None:
    with pytest.raises(LbdartError, match=r"The source of orders in .* would have no Python code\.\n"):
        replace(source(root, store), exclude=exclude).build()


def test_a_directory_that_is_not_there(tmp_path: Path, store: Store) -> None:
    with pytest.raises(LbdartError, match="nowhere cannot be read"):
        source(tmp_path / "nowhere", store).build()
    assert kept_in(store) == set()
