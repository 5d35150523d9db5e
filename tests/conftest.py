"""Every test runs with a cache of its own and without the machine's configuration or its network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lbdart_cdk.core.store import prune
from lbdart_cdk.core.store.store import CACHE_VARIABLE, Store
from tests.support.index import Index
from tests.support.projects import Workbench, index_table, make_project, uv_lock
from tests.support.wheels import make_wheel

settings.register_profile("unit", deadline=None, database=None, max_examples=60)
settings.load_profile("unit")


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment that every test has in place of the user's."""
    return {
        "HOME": str(tmp_path_factory.mktemp("home")),
        "PIP_CONFIG_FILE": os.devnull,
        "UV_CACHE_DIR": str(tmp_path_factory.mktemp("uv-cache")),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        # Whatever a test forgets to keep elsewhere is made here, and not in the user's cache.
        CACHE_VARIABLE: str(tmp_path_factory.mktemp("cache")),
        # CDK's own checks of templates take seconds to load: the process of the tests has them, children not.
        "CDK_VALIDATION": "false",
        # What git and others say is quoted, in English in whatever locale.
        "LANGUAGE": "en",
    }


def _surround(patch: pytest.MonkeyPatch, surroundings: dict[str, str]) -> None:
    for name in list(os.environ):
        if name.startswith(("UV_", "PIP_", "XDG_")) or name.lower().endswith("_proxy"):
            patch.delenv(name)
    for name, value in surroundings.items():
        patch.setenv(name, value)


@pytest.fixture(autouse=True)
def _hermetic(surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    _surround(monkeypatch, surroundings)
    monkeypatch.setattr(prune, "_GROWN", set())  # the tests' own process prunes no store when it ends
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # a construct that fails puts another in its place


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that the constructs keep their store in, for one test."""
    root = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(root))
    return root


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index of one test's own, to break."""
    folder = tmp_path / "index"
    folder.mkdir()
    with Index(folder) as running:
        yield running


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory, surroundings: dict[str, str]) -> Iterator[Workbench]:
    """The project ``orders``; locking it costs once, and the tests only copy it.

    It requires alpha, which requires urllib3, and native, which has other wheels for each machine and
    Python; the extra ``fast`` brings beta, the group ``ops`` gamma.
    """
    folder = tmp_path_factory.mktemp("index")
    make_wheel(folder, "alpha", requires=["urllib3"])
    make_wheel(folder, "urllib3")
    make_wheel(folder, "beta")
    make_wheel(folder, "gamma")
    for python in ("cp311", "cp313"):
        for machine in ("x86_64", "aarch64"):
            tag = f"{python}-{python}-manylinux_2_17_{machine}"
            make_wheel(folder, "native", tag=tag, files={"native.so": tag})
    with Index(folder) as running:
        root = make_project(
            tmp_path_factory.mktemp("project") / "orders",
            dependencies=["alpha", "native"],
            extras={"fast": ["beta"]},
            groups={"ops": ["gamma"]},
            tail=index_table(running.url),
        )
        with pytest.MonkeyPatch.context() as patch:
            _surround(patch, surroundings)
            uv_lock(root)
        yield Workbench(running, root)


@pytest.fixture
def orders(workbench: Workbench, tmp_path: Path) -> Path:
    """A copy of the locked project, for one test."""
    return workbench.copy(tmp_path / "orders")
