"""Which files of a user's tree are input: their hash, and a copy of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ..errors import LbdartError, explained
from ..store.cache_tag import CACHE_SIGNATURE, CACHE_TAG

#: Folders that tools leave in a project, wherever they are in it ...
_MADE: Final = {
    ".git",
    ".hg",
    ".hypothesis",
    ".idea",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".vscode",
    "__pycache__",
    "cdk.out",
    "node_modules",
}
#: ... and those with names that a package may have too, so only at the top of a project.
_MADE_AT_TOP: Final = _MADE | {"build", "dist"}
#: Files that mark the folder they are in as made by a tool, whatever its name, and how they begin.
_MARKERS: Final = {
    CACHE_TAG: CACHE_SIGNATURE,
    "cdk.out": b'{"version":',  # a cloud assembly (AWS CDK)
    "pyvenv.cfg": b"",  # a virtual environment (PEP 405)
}


def is_bytecode(name: str) -> bool:
    """Tell whether a file is compiled Python: made by one interpreter, on one machine, at one time."""
    return name.endswith((".pyc", ".pyo")) or "__pycache__/" in name


def walk(
    root: Path, is_skipped: Callable[[os.DirEntry[str], bool], bool] = lambda _folder, _at_top: False
) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a directory, and the links that lead nowhere, in a fixed order.

    Links are followed, except into a directory that the walk is already in.

    :param is_skipped: tells of a folder, and whether it is at the top, that the walk leaves it out.
    :raises OSError: when a directory cannot be read.
    """
    yield from _walk(root, is_skipped, (root.resolve(),))


def _walk(
    folder: str | Path, is_skipped: Callable[[os.DirEntry[str], bool], bool], inside: tuple[Path, ...]
) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if not _is(entry.is_dir):
            yield entry
        elif not is_skipped(entry, len(inside) == 1):
            resolved = Path(entry.path).resolve() if entry.is_symlink() else inside[-1] / entry.name
            if resolved not in inside:
                yield from _walk(entry.path, is_skipped, (*inside, resolved))


def input_files(root: Path) -> Iterator[Path]:
    """Yield the input files of a project, in a fixed order, without what tools leave beside them.

    These are left out: version control, virtual environments, tagged caches, bytecode, build outputs and
    cloud assemblies.

    :raises OSError: when a directory cannot be read.
    """
    for entry in walk(root, _is_made):
        if not is_bytecode(entry.name) and _is(entry.is_file):
            yield Path(entry.path)


def _is(kind: Callable[[], bool]) -> bool:
    try:
        return kind()
    except OSError:  # a link that leads to itself is nothing
        return False


def _is_made(folder: os.DirEntry[str], at_top: bool) -> bool:
    """Tell whether tools made a folder: its name says so, or a file in it."""
    names = _MADE_AT_TOP if at_top else _MADE
    return (
        folder.name in names
        or folder.name.endswith(".egg-info")
        or any(_begins(os.path.join(folder.path, name), start) for name, start in _MARKERS.items())  # noqa: PTH118
    )


def _begins(path: str, start: bytes) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  (a Path for each folder takes longer than to look)
            return file.read(len(start)) == start
    except OSError:
        return False


def wanted_files(root: Path, is_wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Yield the files below a directory whose relative names are wanted, in a fixed order.

    :raises LbdartError: when a wanted link leads nowhere, and when a directory cannot be read.
    """
    with explained(
        lambda error: LbdartError(
            f"The directory {error.filename} cannot be read: {error.strerror}.", "Check that it may be read."
        ),
        OSError,
    ):
        for entry in walk(root):
            if not is_wanted(Path(entry.path).relative_to(root).as_posix()):
                continue
            path = Path(entry.path)
            if entry.is_symlink() and not path.exists():
                raise LbdartError(
                    f"{path} is a link to {path.readlink()}, which does not exist.",
                    "Remove the link, or make what it leads to.",
                )
            if _is(entry.is_file):
                yield path


def tree_hash(root: Path) -> str:
    """Return the SHA-256 of a project's input files: their relative names, modes and contents."""
    digest = hashlib.sha256()
    try:
        for path in input_files(root):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
                executable = bool(os.fstat(file.fileno()).st_mode & 0o111)
            digest.update(os.fsencode(f"{path.relative_to(root).as_posix()}\0{executable}\0{content}\0"))
    except OSError as error:
        raise LbdartError(
            f"The directory {root} cannot be read: {error.strerror}.", "Check that it exists and may be read."
        ) from error
    return digest.hexdigest()


def copy_of(root: Path, target: Path) -> Path:
    """Copy a project's input files to ``target``, so that a build leaves nothing in the user's tree."""
    for path in input_files(root):
        copied = target / path.relative_to(root)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
    return target
