"""A project of the user's, built to a wheel; the user's tree is only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.local_wheel import build_local_wheel
from lbdart_cdk.core.store import Store
from tests.support.fakes import FakeTool
from tests.support.projects import files_in, make_project
from tests.support.wheels import names_in


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    return make_project(tmp_path / "lib", "lib", built=False)


def test_a_project_is_built_from_a_copy(lib: Path, store: Store) -> None:
    before = files_in(lib)
    tool = FakeTool()
    wheel = build_local_wheel(lib, tool, store)
    assert names_in(wheel) == ["lib-1.0.dist-info/METADATA", "lib/__init__.py", "lib/app.py"]
    assert files_in(lib) == before
    assert not (lib / "build").exists()
    assert lib not in tool.built


def test_it_is_built_again_when_a_file_changed(lib: Path, store: Store) -> None:
    tool = FakeTool()
    first = build_local_wheel(lib, tool, store)
    assert build_local_wheel(lib, tool, store) == first
    assert len(tool.built) == 1
    (lib / "src/lib/app.py").write_text("y = 2\n")
    assert build_local_wheel(lib, tool, store) != first
    assert len(tool.built) == 2


def test_a_module_that_was_deleted_is_not_in_the_next_wheel(lib: Path, store: Store) -> None:
    build_local_wheel(lib, FakeTool(), store)
    (lib / "src/lib/app.py").unlink()
    assert "lib/app.py" not in names_in(build_local_wheel(lib, FakeTool(), store))


def test_a_damaged_wheel_is_built_again(lib: Path, store: Store) -> None:
    wheel = build_local_wheel(lib, FakeTool(), store)
    content = wheel.read_bytes()
    wheel.write_bytes(b"damaged")
    assert build_local_wheel(lib, FakeTool(), store).read_bytes() == content


@pytest.mark.parametrize("tag", ["cp311-cp311-linux_x86_64", "cp39-abi3-macosx_11_0_arm64"])
def test_a_wheel_that_was_compiled_here_is_refused(lib: Path, store: Store, tag: str) -> None:
    with pytest.raises(LbdartError, match=f"lib builds to .*{tag}.whl, a wheel compiled for"):
        build_local_wheel(lib, FakeTool(tag=tag), store)
    assert files_in(store.root) == {}


def test_a_directory_that_is_not_there(tmp_path: Path, store: Store) -> None:
    with pytest.raises(LbdartError, match=r"nowhere cannot be read"):
        build_local_wheel(tmp_path / "nowhere", FakeTool(), store)
