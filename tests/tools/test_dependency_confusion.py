"""What a private index lacks does not come from the public one, where somebody put a package of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.manifest import find_project, tools
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.tools import _index
from tests.support import pdm, poetry
from tests.support.index import Index
from tests.support.locks import locked_file
from tests.support.projects import files_in, make_project, uv_lock
from tests.support.wheels import make_wheel, names_in, sha256


@dataclass(frozen=True)
class Indexes:
    """``private`` is the one that the lock names; ``public`` is the machine's default."""

    private: Index
    public: Index
    wheel: Path

    def confuse(self) -> None:
        """Take the package from the private index, and put another of its name on the public one."""
        self.wheel.unlink()
        make_wheel(self.public.folder, "internal", files={"internal/evil.py": ""})


@pytest.fixture
def indexes(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Indexes]:
    wheel = make_wheel(tmp_path / "private", "internal")
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    _index._pip_configuration.cache_clear()
    with Index(tmp_path / "private") as private:
        yield Indexes(private, index, wheel)


def with_uv(root: Path, found: Indexes) -> None:
    make_project(
        root,
        dependencies=["internal"],
        tail=f'[[tool.uv.index]]\nname = "private"\nurl = "{found.private.url}/simple/"\nexplicit = true\n'
        f'[[tool.uv.index]]\nname = "public"\nurl = "{found.public.url}/simple/"\ndefault = true\n'
        '[tool.uv.sources]\ninternal = { index = "private" }\n',
    )
    uv_lock(root)


def with_poetry(root: Path, found: Indexes) -> None:
    make_project(root)
    source = f'type = "legacy"\nurl = "{found.private.url}/simple"\nreference = "private"\n'
    poetry.poetry_lock(root, poetry.package(found.wheel, source=source))


def with_pdm(root: Path, found: Indexes) -> None:
    source = f'[[tool.pdm.source]]\nname = "private"\nurl = "{found.private.url}/simple"\n'
    make_project(root, tail=source)
    pdm.pdm_lock(root, pdm.package(found.wheel))


def with_pip(root: Path, found: Indexes) -> None:
    make_project(root)
    (root / "requirements.txt").write_text(
        f"--index-url {found.private.url}/simple/\ninternal==1.0 --hash=sha256:{sha256(found.wheel)}\n"
    )


def with_pylock(root: Path, found: Indexes) -> None:
    make_project(root)
    table = locked_file(found.wheel, found.private.file_url(found.wheel))
    (root / "pylock.toml").write_text(f'lock-version = "1.0"\ncreated-by = "tests"\n{table}')


LOCKED_WITH: dict[str, Callable[[Path, Indexes], None]] = {
    "uv": with_uv,
    "poetry": with_poetry,
    "pdm": with_pdm,
    "pip": with_pip,
    "pylock": with_pylock,
}


def test_every_tool_is_here() -> None:
    assert LOCKED_WITH.keys() == tools().keys()


@pytest.fixture(params=LOCKED_WITH)
def root(request: pytest.FixtureRequest, tmp_path: Path, indexes: Indexes) -> Path:
    LOCKED_WITH[request.param](tmp_path / "orders", indexes)
    return tmp_path / "orders"


def layer(root: Path, store: Store) -> LayerArtifact:
    project, tool = find_project(root)
    return LayerArtifact(project, tool, Target((3, 13)), Options(), (), store)


def test_it_comes_from_the_private_index(root: Path, indexes: Indexes, store: Store) -> None:
    make_wheel(indexes.public.folder, "internal", files={"internal/evil.py": ""})
    assert "python/internal/evil.py" not in names_in(layer(root, store).build())
    # PDM itself asks all sources for a package; no file is taken from another one.
    assert not [name for name in indexes.public.requested if name.endswith(".whl")]


def test_and_from_nowhere_when_it_is_not_there(root: Path, indexes: Indexes, store: Store) -> None:
    indexes.confuse()
    with pytest.raises(LbdartError, match="internal"):
        layer(root, store).build()
    assert not [name for name in files_in(store.root) if name.endswith((".whl", ".zip"))]


@pytest.mark.parametrize("line", ["internal", "internal==1.0"])
def test_an_index_in_requirements_takes_the_place_of_the_machines(
    indexes: Indexes, tmp_path: Path, store: Store, line: str
) -> None:
    root = make_project(tmp_path / "orders")
    (root / "requirements.txt").write_text(f"--index-url {indexes.private.url}/simple/\n{line}\n")
    indexes.confuse()
    with pytest.raises(LbdartError, match=r"uv cannot lock .*internal"):
        layer(root, store).build()
    assert indexes.public.requested == []
