"""The input files of a user's tree: their paths, their hash, and a copy of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from ..errors import LbdartError, explained
from ..store.cache_tag import CACHE_SIGNATURE, CACHE_TAG
from .repository import is_executable, tracked_folders

#: Directories that hold no source, even if git tracks files in them.
_NEVER_SOURCE: Final = {".git", ".hg", ".svn", "__pycache__"}
#: Directories that tools create anywhere in a project ...
GENERATED: Final = {
    ".hypothesis",
    ".idea",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".vscode",
    "cdk.out",
    "node_modules",
}
#: ... and those that count only at the top of a project, because a package may have the same name.
OUTPUTS: Final = {"build", "dist"}
#: Files that mark their directory as generated, whatever its name, and the bytes that they start with.
_MARKERS: Final = {
    CACHE_TAG: CACHE_SIGNATURE,
    "cdk.out": b'{"version":',  # a cloud assembly (AWS CDK)
    "pyvenv.cfg": b"",  # a virtual environment (PEP 405)
}


def is_bytecode(name: str, exists: Callable[[str], bool]) -> bool:
    """Tell whether a file is a by-product of compiling Python, which differs from machine to machine.

    A ``.pyc`` without its source is none: it is a module (PEP 3147, the section on legacy files).

    :param exists: tells whether there is a file of this name.
    """
    return (
        name.endswith(".pyo")
        or "__pycache__/" in name
        or (name.endswith(".pyc") and exists(name.removesuffix("c")))
    )


def walk(
    root: Path,
    is_skipped: Callable[[os.DirEntry[str], bool], bool] = lambda _folder, _at_top: False,
    is_followed: Callable[[os.DirEntry[str]], bool] = lambda _link: True,
) -> Iterator[os.DirEntry[str]]:
    """Yield the files, the broken links and the links that are not followed below a directory.

    The order is fixed. A link into a directory that the walk is already in yields nothing.

    :param is_skipped: gets a directory, and whether it is at the top; True leaves the directory out.
    :param is_followed: gets a link to a directory; False yields the link itself.
    :raises OSError: when a directory cannot be read.
    """
    yield from _walk(root, is_skipped, is_followed, (root.resolve(),))


def _walk(
    folder: str | Path,
    is_skipped: Callable[[os.DirEntry[str], bool], bool],
    is_followed: Callable[[os.DirEntry[str]], bool],
    inside: tuple[Path, ...],
) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        if not _is(entry.is_dir) or (entry.is_symlink() and not is_followed(entry)):
            yield entry
        elif not is_skipped(entry, len(inside) == 1):
            resolved = Path(entry.path).resolve() if entry.is_symlink() else inside[-1] / entry.name
            if resolved not in inside:
                yield from _walk(entry.path, is_skipped, is_followed, (*inside, resolved))


def input_files(root: Path) -> Iterator[Path]:
    """Yield the input files of a project, in a fixed order.

    Leaves out what tools create: version control, virtual environments, tagged caches, bytecode, build
    outputs and cloud assemblies.

    :raises OSError: when a directory cannot be read.
    """
    for entry in walk(root, _generated_in(root)):
        if _is_input(entry) and _is(entry.is_file):
            yield Path(entry.path)


def is_input(root: Path, path: Path) -> bool:
    """Tell whether a file would be among the :func:`input_files` of a project if it were there.

    :param path: the path of the file, below ``root``.
    """
    is_generated = _generated_in(root)
    folders = list(reversed(path.relative_to(root).parents[:-1]))
    return not any(is_generated(root / folder, at == 0) for at, folder in enumerate(folders))


def links(root: Path) -> Iterator[Path]:
    """Yield the links among the inputs of a project, to files and to directories."""
    for entry in walk(root, _generated_in(root), lambda _link: False):
        if _is_input(entry) and entry.is_symlink():
            yield Path(entry.path)


def _is_input(entry: os.DirEntry[str]) -> bool:
    # In a linked work tree or a submodule, .git is a file with a path of this machine.
    return entry.name != ".git" and not is_bytecode(entry.path, lambda source: Path(source).is_file())


def _is(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except OSError:  # a link that leads to itself
        return False


def _generated_in(root: Path) -> Callable[[os.DirEntry[str] | Path, bool], bool]:
    """Return a function that tells whether a tool created a directory, by its name or by a file in it.

    A directory in which git tracks files is source, whatever its name.
    """

    def is_generated(folder: os.DirEntry[str] | Path, at_top: bool) -> bool:
        if folder.name in _NEVER_SOURCE:
            return True
        looks_generated = (
            folder.name in GENERATED
            or (at_top and folder.name in OUTPUTS)
            or folder.name.endswith(".egg-info")
            or any(_starts_with(os.path.join(folder, name), start) for name, start in _MARKERS.items())  # noqa: PTH118
        )
        return looks_generated and Path(folder).relative_to(root).as_posix() not in tracked_folders(root)

    return is_generated


def _starts_with(path: str, start: bytes) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  (to create a Path takes longer than to open the file)
            return file.read(len(start)) == start
    except OSError:
        return False


def wanted_files(root: Path, is_wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Yield the wanted files below a directory, in a fixed order.

    :param is_wanted: gets the path of a file, relative to the directory and with ``/``.
    :raises LbdartError: when a wanted link is broken, or a directory cannot be read.
    """
    with explained(
        lambda error: LbdartError(
            f"The directory {error.filename} cannot be read: {error.strerror}.", "Check that you may read it."
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
                    "Remove the link, or create its target.",
                )
            if _is(entry.is_file):
                yield path


def reading(root: Path) -> AbstractContextManager[None]:
    """Turn errors of reading a project's directory into an :class:`LbdartError`."""
    return explained(
        lambda error: LbdartError(
            f"The directory {root} cannot be read: {error.strerror}.",
            "Check that it exists and that you may read it.",
        ),
        OSError,
    )


def tree_hash(root: Path) -> str:
    """Return the SHA-256 of a project's input files: their relative paths, modes and contents.

    :raises LbdartError: when a file or directory cannot be read.
    """
    digest = hashlib.sha256()
    with reading(root):
        for path in input_files(root):
            digest.update(os.fsencode(f"{path.relative_to(root).as_posix()}\0{file_hash(path)}\0"))
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """Return whether a file is executable, and the SHA-256 of its content.

    :raises OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
        executable = is_executable(path, os.fstat(file.fileno()).st_mode)
    return f"{executable}\0{content}"


def copy_inputs(root: Path, target: Path) -> None:
    """Copy a project's input files and links to ``target``.

    A relative link stays a link when the copy has what it leads to; see :func:`resolve_links`.

    :raises OSError: when a file or directory cannot be read or written.
    """
    for entry in walk(root, _generated_in(root), lambda link: not _is_relative(link)):
        path = Path(entry.path)
        copied = target / path.relative_to(root)
        if _is_input(entry) and _is_relative(entry):
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.symlink_to(path.readlink(), target_is_directory=path.is_dir())
        elif _is_input(entry) and _is(entry.is_file):
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copied)


def resolve_links(root: Path, target: Path) -> None:
    """Copy what links lead to that lead nowhere in a copy, and did not in ``root``.

    It gets its place in the copy, if it lies in ``root``; otherwise it replaces the link.

    :param target: the copy that :func:`copy_inputs` made of ``root``, with all that was copied beside it.
    """
    top = root.resolve()
    for path in links(root):
        copied = target / path.relative_to(root)
        if not copied.is_symlink() or copied.exists() or not path.exists():
            continue
        leads_to = path.resolve()
        if leads_to.is_relative_to(top):
            _copy_contents(leads_to, target / leads_to.relative_to(top))
        if not copied.exists():
            copied.unlink()
            _copy_contents(path, copied)


def _copy_contents(path: Path, copied: Path) -> None:
    if path.is_dir():
        copy_inputs(path, copied)
        resolve_links(path, copied)
    else:
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)


def _is_relative(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a link whose target is relative to it."""
    return entry.is_symlink() and not Path(entry.path).readlink().is_absolute()
