"""Sources built to a wheel: the user's own, whose tree is only read; source distributions; repositories."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from .archive import write_zip
from .build_key import key_of, tree_hash
from .errors import LbdartError
from .git import tree_of
from .lock import Requirements
from .progress import announced
from .project import copy_of
from .store import Store
from .tool import Tool
from .wheel import lasting, required_by, wheel_entries

if TYPE_CHECKING:
    from .selection import LockedCommit, LockedWheel


@dataclass(frozen=True, slots=True)
class BuiltWheel:
    """A wheel in the store, and what its build backend said it requires."""

    path: Path
    requires: Requirements


def build_local_wheel(directory: Path, tool: Tool, store: Store) -> BuiltWheel:
    """Return a wheel of the project at ``directory``, built when its files changed.

    Raises :class:`LbdartError` when it cannot be built, and when it compiles: what this machine's
    compiler makes need not load in Lambda.
    """
    key = key_of({"artifact": "wheel", "tool": tool.name, "tree": tree_hash(directory)})
    return _built(
        key, str(directory), lambda folder: copy_of(directory, folder / directory.name), tool, store
    )


def build_sdist_wheel(sdist: Path, locked: LockedWheel, tool: Tool, store: Store) -> BuiltWheel:
    """Return a wheel of a source distribution, built once for its hash; it raises as above."""
    key = key_of(
        {"artifact": "wheel", "tool": tool.name, "sdist": locked.sha256, "subdirectory": locked.subdirectory}
    )

    def source(folder: Path) -> Path:
        unpacked = _unpacked(sdist, locked.filename, folder / "sdist")
        return _project_in(_only_directory(unpacked, locked.filename), locked.subdirectory, locked.filename)

    return _built(key, locked.filename, source, tool, store)


def build_commit_wheel(locked: LockedCommit, tool: Tool, store: Store) -> BuiltWheel:
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
        unpacked = _unpacked(tree_of(commit, store), commit.place, folder / "repository")
        return _project_in(unpacked, locked.subdirectory, commit.place)

    with _told_version(locked.version):
        return _built(key, f"{locked.package} from {commit.place}", source, tool, store)


def _built(key: str, what: str, source: Callable[[Path], Path], tool: Tool, store: Store) -> BuiltWheel:
    if not store.has_archive(key):
        with store.scratch() as folder:
            output = folder / "wheel"
            with announced(f"Building {Path(what).name}"):
                tool.build_wheel(source(folder), output)
            (built,) = output.glob("*.whl")
            _refuse_compiled(built, what)
            made = folder / "made.whl"
            with store.explained(made), made.open("wb") as file:
                write_zip(file, lasting(wheel_entries(built)))
            store.keep_archive(key, made, requires=required_by(built))
    noted = store.recall("archives", key) or {}
    return BuiltWheel(store.archive(key), noted["requires"])


def _unpacked(archive: Path, filename: str, folder: Path) -> Path:
    """Unpack an archive of a project; nothing in it gets outside of ``folder``."""
    try:
        if filename.endswith(".zip"):
            with zipfile.ZipFile(archive) as found:
                found.extractall(folder)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise _unusable(filename, str(error)) from error
    return folder


def _only_directory(folder: Path, filename: str) -> Path:
    found = list(folder.iterdir())
    if len(found) != 1 or not found[0].is_dir():
        raise _unusable(filename, "it does not hold one directory")
    return found[0]


def _project_in(root: Path, subdirectory: str, filename: str) -> Path:
    project = (root / subdirectory).resolve()
    if not project.is_dir() or not project.is_relative_to(root.resolve()):
        raise _unusable(filename, f"it has no directory {subdirectory}")
    return project


def _unusable(filename: str, why: str) -> LbdartError:
    return LbdartError(
        f"{filename} is not a usable source distribution: {why}.",
        "Lock a version of the package that has a wheel, or leave it out with exclude=.",
    )


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
