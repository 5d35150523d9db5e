"""A walk through a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import LbdartError


def tree_files(root: Path, is_wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Yield the files below a directory whose relative names are wanted, in a fixed order.

    Links are followed, except into a directory that the walk is already in. Raises :class:`LbdartError` for
    one that leads nowhere, and when a directory cannot be read.
    """
    return _walk(root, "", is_wanted, (root.resolve(),))


def _walk(
    folder: Path, prefix: str, is_wanted: Callable[[str], bool], inside: tuple[Path, ...]
) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise LbdartError(
            f"The directory {folder} cannot be read: {error.strerror}.", "Check that it may be read."
        ) from error
    for path in paths:
        name = f"{prefix}{path.name}"
        if path.is_dir():
            resolved = path.resolve()
            if resolved not in inside:
                yield from _walk(path, f"{name}/", is_wanted, (*inside, resolved))
        elif is_wanted(name):
            if path.is_symlink() and not path.exists():
                raise LbdartError(
                    f"{path} is a link to {path.readlink()}, which is not there.",
                    "Remove the link, or make what it leads to.",
                )
            if path.is_file():
                yield path
