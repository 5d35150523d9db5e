"""Which files of a user's tree are input: their hash, and a copy of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from ..errors import LbdartError
from ..store.cache_tag import CACHE_SIGNATURE, CACHE_TAG

#: Folders that tools leave in a project, wherever they are in it ...
_NO_INPUT: Final = {
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
_NO_INPUT_AT_TOP: Final = _NO_INPUT | {"build", "dist"}
#: Files that say of the folder they are in that it was made, whatever its name, and how they begin.
_SAYS_MADE: Final = {
    CACHE_TAG: CACHE_SIGNATURE,
    "cdk.out": b'{"version":',  # a cloud assembly (AWS CDK)
    "pyvenv.cfg": b"",  # a virtual environment (PEP 405)
}


def is_bytecode(name: str) -> bool:
    """Tell whether a file is compiled Python: made by one interpreter, on one machine, at one time."""
    return name.endswith((".pyc", ".pyo")) or "__pycache__/" in name


def files_below(root: Path) -> Iterator[Path]:
    """Yield the input files of a project, in a fixed order, without what tools leave beside them.

    Left out are version control, virtual environments, tagged caches, bytecode, build outputs and cloud
    assemblies. Links are followed, except into a directory that the walk is already in.
    """
    yield from _walk(_entries(root), _NO_INPUT_AT_TOP, (root.resolve(),))


def _walk(
    entries: Sequence[os.DirEntry[str]], left_out: Collection[str], inside: tuple[Path, ...]
) -> Iterator[Path]:
    for entry in entries:
        if entry.is_dir():
            if entry.name in left_out or entry.name.endswith(".egg-info"):
                continue
            resolved = Path(entry.path).resolve() if entry.is_symlink() else inside[-1] / entry.name
            below = _entries(entry.path) if resolved not in inside else []
            if not any(_says_made(one) for one in below):
                yield from _walk(below, _NO_INPUT, (*inside, resolved))
        elif entry.is_file() and not is_bytecode(entry.name):
            yield Path(entry.path)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def _says_made(entry: os.DirEntry[str]) -> bool:
    beginning = _SAYS_MADE.get(entry.name)
    if beginning is None or not entry.is_file():
        return False
    with Path(entry.path).open("rb") as file:
        return file.read(len(beginning)) == beginning


def tree_hash(root: Path) -> str:
    """Return the SHA-256 of a project's input files: their relative names, modes and contents."""
    digest = hashlib.sha256()
    try:
        for path in files_below(root):
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
    for path in files_below(root):
        copied = target / path.relative_to(root)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
    return target
