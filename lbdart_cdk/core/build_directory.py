"""The build directory in the user's project: files and folders appear there whole, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LbdartError


@contextmanager
def explained(directory: Path) -> Iterator[None]:
    """Turn the system's refusal to write or read in a build directory into a message for the user."""
    try:
        yield
    except OSError as error:
        raise LbdartError(
            f"The build directory {directory} cannot be used: {error.strerror or error}.",
            "Make room or give permission there, and see that no file is in its way.",
        ) from error


@contextmanager
def scratch(directory: Path) -> Iterator[Path]:
    """Give a private folder in a build directory, which is made if need be; it is gone after the block."""
    with explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=directory, prefix=".", ignore_cleanup_errors=True)
    with folder as name, explained(directory):
        yield Path(name)


@contextmanager
def replaced_directory(path: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of ``path`` when the block ends well, and else goes."""
    with scratch(path.parent) as folder:
        made = folder / "new"
        made.mkdir()
        yield made
        if path.exists():
            path.rename(folder / "old")
        made.rename(path)
