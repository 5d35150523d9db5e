"""Sources built to a wheel: the user's own, whose tree is only read; source distributions; repositories."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from .archive import usable, write_zip
from .build_key import key_of, tree_hash
from .errors import LbdartError
from .git import tree_of
from .lock import Requirements
from .progress import announced
from .project import copy_of
from .sdist import unpack_sdist, unpack_tree, unusable
from .store import Store
from .tool import Frontend
from .wheel import lasting, required_by, wheel_entries

if TYPE_CHECKING:
    from .selection import LockedCommit, LockedWheel


@dataclass(frozen=True, slots=True)
class BuiltWheel:
    """A wheel in the store, and what its build backend said it requires."""

    path: Path
    requires: Requirements


def build_local_wheel(directory: Path, tool: Frontend, store: Store) -> BuiltWheel:
    """Return a wheel of the project at ``directory``, built when its files changed.

    Raises :class:`LbdartError` when it cannot be built, and when it compiles: what this machine's
    compiler makes need not load in Lambda.
    """
    key = key_of({"artifact": "wheel", "tool": tool.name, "tree": tree_hash(directory)})
    return _built(
        key, str(directory), lambda folder: copy_of(directory, folder / directory.name), tool, store
    )


def build_sdist_wheel(sdist: Path, locked: LockedWheel, tool: Frontend, store: Store) -> BuiltWheel:
    """Return a wheel of a source distribution, built once for its hash; it raises as above."""
    key = key_of(
        {"artifact": "wheel", "tool": tool.name, "sdist": locked.sha256, "subdirectory": locked.subdirectory}
    )

    def source(folder: Path) -> Path:
        unpacked = unpack_sdist(sdist, locked.filename, folder / "sdist")
        return _project_in(unpacked, locked.subdirectory, locked.filename)

    return _built(key, locked.filename, source, tool, store)


def build_commit_wheel(locked: LockedCommit, tool: Frontend, store: Store) -> BuiltWheel:
    """Return a wheel of a directory of a git repository, built once for the commit; it raises as above."""
    commit = locked.commit
    key = key_of(
        {
            "artifact": "wheel",
            "tool": tool.name,
            "commit": commit.commit,
            "subdirectory": locked.subdirectory,
            "version": locked.version,
        }
    )

    def source(folder: Path) -> Path:
        unpacked = unpack_tree(tree_of(commit, store), commit.place, folder / "repository")
        return _project_in(unpacked, locked.subdirectory, commit.place)

    with _told_version(locked.version):
        return _built(key, f"{locked.package} from {commit.place}", source, tool, store)


def _built(key: str, what: str, source: Callable[[Path], Path], tool: Frontend, store: Store) -> BuiltWheel:
    if not store.has_archive(key):
        with store.scratch() as folder:
            output = folder / "wheel"
            with announced(f"Building {Path(what).name}"):
                tool.build_wheel(source(folder), output)
            (built,) = output.glob("*.whl")
            _refuse_compiled(built, what)
            made = folder / "made.whl"
            with store.explained(made), usable(built.name), made.open("wb") as file:
                write_zip(file, lasting(wheel_entries(built)))
            store.keep_archive(key, made, requires=required_by(built))
    return BuiltWheel(store.archive(key), store.about_archive(key)["requires"])


def _project_in(root: Path, subdirectory: str, filename: str) -> Path:
    project = (root / subdirectory).resolve()
    if not project.is_dir() or not project.is_relative_to(root.resolve()):
        raise unusable(filename, f"it has no directory {subdirectory}")
    return project


@contextmanager
def _told_version(version: str | None) -> Iterator[None]:
    """Tell build backends the version that they would take from tags; a tree has none, and tags move."""
    names = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION") if version is not None else ()
    before = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.update(dict.fromkeys(names, version or ""))
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)


def _refuse_compiled(wheel: Path, what: str) -> None:
    if not any(tag.platform == "any" for tag in parse_wheel_filename(wheel.name)[-1]):
        raise LbdartError(
            f"{what} builds to {wheel.name}, a wheel compiled for this machine and not for Lambda.",
            "Publish wheels of it that are built for Lambda, and depend on those.",
        )
