"""Packages that are directories of the user's, in every tool: all their files count, and none is touched."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.locking.manifest import find_project, tools
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from tests.support import pdm, poetry
from tests.support.git import git, make_repository
from tests.support.index import Index
from tests.support.locks import locked
from tests.support.projects import index_table, leave_extras_to_backend, make_project, uv_lock
from tests.support.wheels import names_in

#: A build backend that is setuptools as it is installed here: nothing is downloaded to build with.
SETUPTOOLS = """
import sys
sys.path.append({place!r})
from setuptools.build_meta import *
"""


def with_uv(workspace: Path, index: Index) -> Path:
    """A member of a workspace that requires another one."""
    (workspace / "pyproject.toml").write_text(
        "[tool.uv.workspace]\nmembers = ['orders', 'libs/lib']\n" + index_table(index.url)
    )
    sources = "[tool.uv.sources]\nlib = { workspace = true }\n"
    root = make_project(workspace / "orders", dependencies=["lib"], tail=sources)
    uv_lock(workspace)
    return root


def with_poetry(workspace: Path, index: Index) -> Path:
    root = make_project(workspace / "orders")
    poetry.poetry_lock(root, poetry.directory("lib", "../libs/lib"))
    return root


def with_pdm(workspace: Path, index: Index) -> Path:
    root = make_project(workspace / "orders")
    pdm.pdm_lock(root, pdm.source_package("lib", 'editable = true\npath = "../libs/lib"'))
    return root


def with_pip(workspace: Path, index: Index) -> Path:
    root = make_project(workspace / "orders")
    (root / "requirements.txt").write_text("--no-index\n-e ../libs/lib\n")
    return root


def with_pylock(workspace: Path, index: Index) -> Path:
    root = make_project(workspace / "orders")
    table = locked("lib", source='directory = { path = "../libs/lib", editable = true }\n')
    (root / "pylock.toml").write_text(f'lock-version = "1.0"\ncreated-by = "tests"\n{table}')
    return root


LOCKED_WITH: dict[str, Callable[[Path, Index], Path]] = {
    "uv": with_uv,
    "poetry": with_poetry,
    "pdm": with_pdm,
    "pip": with_pip,
    "pylock": with_pylock,
}


def test_every_tool_is_here() -> None:
    assert LOCKED_WITH.keys() == tools().keys()


def state(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, time and content of everything below a directory, directories included."""
    found = {}
    for path in (root, *root.rglob("*")):
        status = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        found[path.relative_to(root).as_posix()] = (status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.fixture(params=LOCKED_WITH)
def root(request: pytest.FixtureRequest, tmp_path: Path, index: Index) -> Path:
    """A project that requires ``libs/lib``, a library with a module deep inside."""
    lib = make_project(tmp_path / "workspace/libs/lib", "lib")
    (lib / "src/lib/deep/er").mkdir(parents=True)
    (lib / "src/lib/deep/er/module.py").write_text("x = 1\n")
    return LOCKED_WITH[request.param](tmp_path / "workspace", index)


def layer(root: Path, store: Store) -> LayerArtifact:
    project, tool = find_project(root)
    return LayerArtifact(project, tool, Target((3, 13)), Options(), (), store)


def test_an_edit_deep_inside_gives_another_layer(root: Path, store: Store) -> None:
    module = root.parent / "libs/lib/src/lib/deep/er/module.py"
    first = layer(root, store)
    before = first.build().read_bytes()
    module.write_text("x = 2\n")
    second = layer(root, store)
    assert second.build_key != first.build_key
    assert second.build().read_bytes() != before
    module.write_text("x = 1\n")
    assert layer(root, store).build_key == first.build_key


def test_the_users_tree_is_untouched(root: Path, store: Store) -> None:
    before = state(root.parent)
    assert "python/lib/deep/er/module.py" in names_in(layer(root, store).build())
    assert state(root.parent) == before


def test_what_setuptools_left_of_earlier_builds_is_not_in_it(root: Path, store: Store) -> None:
    found = find_spec("setuptools")  # not imported: a test before this one may have the other distutils
    if found is None or found.origin is None:
        pytest.skip("there is no setuptools here")
    lib = root.parent / "libs/lib"
    (lib / "backend.py").write_text(SETUPTOOLS.format(place=str(Path(found.origin).parents[1])))
    stale = lib / "build/lib/lib/gone.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("a module that was deleted\n")
    (lib / "src/lib.egg-info").mkdir()
    (lib / "src/lib.egg-info/SOURCES.txt").write_text("src/lib/gone.py\n")
    before = state(root.parent)
    names = names_in(layer(root, store).build())
    assert "python/lib/app.py" in names
    assert "python/lib/gone.py" not in names
    assert state(root.parent) == before


#: A build backend that says what a package requires, and wants to know the tags of the repository it is in.
TAGGED = """
import subprocess

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    subprocess.run(["git", "describe", "--tags", "--dirty"], check=True, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(pathlib.Path(metadata_directory, build_wheel(metadata_directory))) as wheel:
        wheel.extractall(metadata_directory, [name for name in wheel.namelist() if "dist-info" in name])
    return "lib-1.2.0.dist-info"

prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
"""


@pytest.mark.parametrize("tool", LOCKED_WITH)
def test_a_backend_that_is_asked_what_a_package_requires_writes_nothing_there(
    tool: str, tmp_path: Path, index: Index, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lib = leave_extras_to_backend(make_project(tmp_path / "workspace/libs/lib", "lib"))
    (lib / "backend.py").write_text((lib / "backend.py").read_text() + TAGGED)
    make_repository(lib.parent)
    git(lib.parent, "tag", "1.2.0")
    root = LOCKED_WITH[tool](tmp_path / "workspace", index)
    (lib / "src/lib/app.py").touch()  # git looks at what changed, and notes that it did not
    before = state(root.parent)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    assert "python/lib/app.py" in names_in(layer(root, store).build())
    assert layer(root, store).build_key == layer(root, Store(tmp_path / "other store")).build_key
    assert state(root.parent) == before
