"""The build directory in the user's project: files and folders appear there whole, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

from ..errors import LbdartError, explained
from ..store.locks import InUseError, held


def usable_directory(directory: Path) -> AbstractContextManager[None]:
    """Explain why a build directory cannot be read or written."""
    return explained(
        lambda error: LbdartError(
            f"The build directory {directory} cannot be used: {error.strerror or error}.",
            "Make room or give permission there, and check that no file is in its way.",
        ),
        OSError,
    )


#: The build directories that this code runs in a claim of.
_CLAIMED: ContextVar[frozenset[Path]] = ContextVar("claimed build directories", default=frozenset())


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Keep others from a build directory for as long as a block takes; in the block it may be claimed again.

    A file beside the directory is its lock, and stays. On a file system without locks (some network drives)
    nobody is kept out.

    :raises LbdartError: when it is in use, or there is no project.
    """
    path = directory.resolve()
    if path in _CLAIMED.get():
        yield
        return
    project = directory.parents[2]
    if not project.is_dir():
        raise LbdartError(f"There is no {project}.", "Pass the path of the project's pyproject.toml.")
    with ExitStack() as stack:
        with usable_directory(directory):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(held(path.with_name(f".{path.name}.lock")))
            except InUseError as error:
                raise LbdartError(
                    f"The build directory {directory} is in use by another build.",
                    "Run the builds of a project one after the other, or each in a checkout of its own.",
                ) from error
        stack.callback(_CLAIMED.reset, _CLAIMED.set(_CLAIMED.get() | {path}))
        yield


@contextmanager
def scratch(directory: Path) -> Iterator[Path]:
    """Give a private folder in a build directory, which is made if need be; it is gone after the block."""
    with usable_directory(directory):
        directory.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=directory, prefix=".", ignore_cleanup_errors=True)
    with folder as name, usable_directory(directory):
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
