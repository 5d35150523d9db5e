"""Copies of the user's directories for uv to read: it has build backends prepare metadata in their place.

setuptools leaves an ``egg-info`` there, and setuptools_scm a module. uv asks no backend where a directory's
metadata is static (*Static metadata* in uv's documentation of resolution), and so that one is read as it is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lbdart_cdk.core.process import run
from lbdart_cdk.core.project.toml import read_toml
from lbdart_cdk.core.project.tree import input_files
from lbdart_cdk.core.store.store import Store

#: What a build backend may be left to say, and uv needs to know.
_ASKED_FOR: Final = frozenset({"version", "dependencies", "optional-dependencies", "requires-python"})
#: Files that uv reads in a directory and in those above it.
_SETTINGS: Final = ("pyproject.toml", "uv.toml", "uv.lock", ".python-version")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A folder with copies of directories, each where it is on this machine but for what is before it.

    Without a folder there are no copies, and everything is itself.
    """

    folder: Path | None = None

    def copy(self, path: Path) -> Path:
        """Return where the copy of a file or a directory is."""
        return path if self.folder is None else self.folder / path.relative_to(path.anchor)

    def original(self, path: Path) -> Path:
        """Return what a path is a copy of; one that is none is itself."""
        if self.folder is None or not path.is_relative_to(self.folder):
            return path
        return Path(path.anchor) / path.relative_to(self.folder)

    def in_place(self, message: str) -> str:
        """Return what was said of copies as if it were said of what they are copies of."""
        return message if self.folder is None else message.replace(str(self.folder), "")


@contextmanager
def mirrored(
    directories: Collection[Path], store: Store, archives: Collection[Path] = ()
) -> Iterator[Mirror]:
    """Give copies of the directories, which may be written to, where uv would write to one of them.

    Of those with static metadata, and of all above one, there are only the files with uv's settings.
    ``archives`` are files beside them, or folders of such.
    """
    if all(map(is_static, directories)):
        yield Mirror()
        return
    with store.scratch() as folder:
        # Resolved: uv says where it found a directory without links in the path.
        mirror = Mirror(folder.resolve())
        with store.guarded(folder):
            for archive in archives:
                for path in archive.iterdir() if archive.is_dir() else (archive,):
                    _copy(path, mirror.copy(path))
            for directory in directories:
                for path in dict.fromkeys([*_settings(directory), *_inputs(directory)]):
                    _copy(path, mirror.copy(path))
                if not is_static(directory):
                    _clone_repository(directory, mirror, store)
        yield mirror


def _copy(path: Path, copied: Path) -> None:
    if path.is_file() and not copied.exists():
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)


def _settings(directory: Path) -> list[Path]:
    places = (above / name for above in (directory, *directory.parents) for name in _SETTINGS)
    return [path for path in places if path.is_file()]


def _inputs(directory: Path) -> Iterator[Path]:
    return iter(()) if is_static(directory) else input_files(directory)


def _clone_repository(directory: Path, mirror: Mirror, store: Store) -> None:
    """Give the copy the tags of its repository, for a backend that takes the version from them.

    It is a clone, since git itself notes things in a repository that it is asked about. Where there is no
    git, the backend says what it lacks.
    """
    from lbdart_cdk.core.wheels import git

    above = next((above for above in (directory, *directory.parents) if (above / ".git").exists()), None)
    executable = shutil.which("git")
    if above is None or executable is None or (copied := mirror.copy(above / ".git")).exists():
        return
    with store.scratch() as folder:
        command = [executable, "clone", "--quiet", "--shared", "--no-checkout", "--template=", "--"]
        run([*command, above, folder / "clone"], cwd=folder, environment=git.environment())
        if (made := folder / "clone" / ".git").is_dir():
            made.replace(copied)


def is_static(directory: Path) -> bool:
    """Tell whether uv knows a directory's metadata without asking its build backend."""
    return not left_to_backend(directory)


def left_to_backend(directory: Path) -> AbstractSet[str]:
    """Return what the build backend says of a directory's project, by the keys of ``project`` (PEP 621)."""
    pyproject = _pyproject(directory)
    project = pyproject.get("project")
    if not isinstance(project, dict):
        scripts = ("setup.py", "setup.cfg")
        built = "build-system" in pyproject or any((directory / name).is_file() for name in scripts)
        return _ASKED_FOR if built else frozenset()
    return _ASKED_FOR & ({*map(str, project.get("dynamic", ()))} | {"version"} - project.keys())


def with_sources(directories: Collection[Path]) -> list[Path]:
    """Return the directories and all that they name in ``tool.uv.sources`` or have in their workspace."""
    found: dict[Path, None] = {}
    left = list(directories)
    while left:
        directory = left.pop()
        if directory not in found and directory.is_dir():
            found[directory] = None
            left += _sources(directory)
    return list(found)


def _sources(directory: Path) -> Iterator[Path]:
    sources = _table(uv_table(directory), "sources")
    for source in sources.values():
        for one in source if isinstance(source, list) else [source]:
            if isinstance(one, dict) and isinstance(one.get("path"), str):
                yield Path(os.path.normpath(directory / one["path"]))
            elif isinstance(one, dict) and one.get("workspace"):
                yield from _workspace(directory)


def _workspace(directory: Path) -> Iterator[Path]:
    for above in (directory, *directory.parents):
        if "workspace" in (uv := uv_table(above)):
            yield above
            members = uv["workspace"].get("members", ()) if isinstance(uv["workspace"], dict) else ()
            found = (path for pattern in members for path in above.glob(pattern))
            yield from (path for path in found if (path / "pyproject.toml").is_file())
            return


def uv_table(directory: Path) -> dict[str, Any]:
    """Return what a directory's ``pyproject.toml`` says to uv."""
    return _table(_table(_pyproject(directory), "tool"), "uv")


def _pyproject(directory: Path) -> dict[str, Any]:
    path = directory / "pyproject.toml"
    return read_toml(path) if path.is_file() else {}


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    table = content.get(name)
    return table if isinstance(table, dict) else {}
