"""Copies of the user's directories for uv, because build backends write to the directories that uv reads.

To prepare metadata, setuptools writes an ``egg-info``, and setuptools_scm a module. uv runs no backend for a
directory with static metadata (*Static metadata* in uv's documentation of resolution), so it needs no copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lbdart_cdk.core.project.build_tree import BuildTree, copy_trees
from lbdart_cdk.core.project.project import named_path
from lbdart_cdk.core.project.toml import read_toml_if_any, table
from lbdart_cdk.core.project.workspace import members
from lbdart_cdk.core.store.store import Store

from ._static import is_static

#: Files that uv reads in a directory and in those above it.
_SETTINGS: Final = ("pyproject.toml", "uv.toml", "uv.lock", ".python-version")


@dataclass(frozen=True, slots=True)
class Mirror:
    """Copies of directories, each at its own absolute path below another folder.

    :param folder: the folder. None when there are no copies; then each path stands for itself.
    """

    folder: Path | None = None

    @property
    def is_needless(self) -> bool:
        """Whether there are no copies, because no build backend runs."""
        return self.folder is None

    def copy(self, path: Path) -> Path:
        """Return the path of the copy of a file or directory."""
        return path if self.folder is None else self.folder / path.relative_to(path.anchor)

    def original(self, path: Path) -> Path:
        """Return the path that a copy stands for; any other path is returned unchanged."""
        if self.folder is None or not path.is_relative_to(self.folder):
            return path
        return Path(path.anchor) / path.relative_to(self.folder)

    def in_place(self, message: str) -> str:
        """Replace the paths of copies in a message by the paths that they stand for."""
        return message if self.folder is None else message.replace(str(self.folder), "")


@contextmanager
def mirrored(
    directories: Collection[Path], store: Store, archives: Collection[Path] = ()
) -> Iterator[Mirror]:
    """Yield copies of the directories, or no copies when the metadata of all of them is static.

    A directory with static metadata, and all parents of a directory, are copied only as far as uv reads them.

    :param archives: further files to copy, and directories of such files.
    """
    if all(map(is_static, directories)):
        yield Mirror()
        return
    with store.scratch() as folder:
        # resolve(), because uv prints paths without symbolic links.
        mirror = Mirror(folder.resolve())
        with store.guarded(folder):
            for archive in archives:
                for path in archive.iterdir() if archive.is_dir() else (archive,):
                    _copy(path, mirror.copy(path))
            for directory in directories:
                for path in _settings(directory):
                    _copy(path, mirror.copy(path))
            trees = [BuildTree(directory) for directory in directories if not is_static(directory)]
            copy_trees(trees, mirror.copy)
        yield mirror


def _copy(path: Path, copied: Path) -> None:
    if path.is_file() and not copied.exists():
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)


def _settings(directory: Path) -> list[Path]:
    paths = (above / name for above in (directory, *directory.parents) for name in _SETTINGS)
    return [path for path in paths if path.is_file()]


def with_sources(directories: Collection[Path]) -> list[Path]:
    """Return the directories, and all directories that they use as sources or through their workspace."""
    visited: dict[Path, None] = {}
    waiting = list(directories)
    while waiting:
        directory = waiting.pop()
        if directory not in visited and directory.is_dir():
            visited[directory] = None
            waiting += _sources(directory)
    return list(visited)


def _sources(directory: Path) -> Iterator[Path]:
    """Yield the directories in a project's ``tool.uv.sources``."""
    for sources in table(uv_table(directory), "sources").values():
        for source in sources if isinstance(sources, list) else [sources]:
            if isinstance(source, dict) and isinstance(source.get("path"), str):
                if (path := named_path(directory, source["path"])) is not None:
                    yield path
            elif isinstance(source, dict) and source.get("workspace"):
                yield from _workspace(directory)


def _workspace(directory: Path) -> Iterator[Path]:
    for above in (directory, *directory.parents):
        if "workspace" in uv_table(above):
            yield above
            yield from members(above)
            return


def uv_table(directory: Path) -> dict[str, Any]:
    """Return the ``tool.uv`` table of a directory's ``pyproject.toml``; empty when there is none."""
    return table(read_toml_if_any(directory / "pyproject.toml"), "tool", "uv")
