"""What the tests of container builds share: an engine that has the image, and projects that compile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integ.docker.engine import IMAGE, NotPossibleError, docker
from integ.tests.support.projects import go_offline
from lbdart_cdk.core.store.store import Store
from tests.support.index import Index


@pytest.fixture(scope="session")
def engine() -> str:
    """The image, in an engine that is there; ``python -m integ.docker pytest -m docker`` brings one up."""
    try:
        docker("image", "inspect", IMAGE)
    except NotPossibleError as error:
        pytest.skip(f"python -m integ.docker brings up an engine with {IMAGE}: {error}")
    return IMAGE


@pytest.fixture
def pinned(engine: str) -> str:
    """The image by its digest."""
    found = docker("image", "inspect", '--format={{join .RepoDigests "\\n"}}', engine).split()
    if not found:
        pytest.skip("the image came from no registry, so it has no digest")
    return found[0]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go_offline(monkeypatch, tmp_path / "home")
    monkeypatch.delenv("UV_OFFLINE")  # it keeps uv from an index on the loopback address, too


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    (tmp_path / "index").mkdir()
    with Index(tmp_path / "index") as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_runs_on(engine: str) -> Iterator[None]:
    before = docker("ps", "--all", "--quiet")
    yield
    assert docker("ps", "--all", "--quiet") == before
