"""The build directory in the user's project: files and directories appear there whole, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

from ..errors import LbdartError, MissingError, explained
from ..store.locks import InUseError, held


def usable_directory(directory: Path) -> AbstractContextManager[None]:
    """Turn an error of the block into an :class:`LbdartError` that names the build directory."""
    return explained(
        lambda error: LbdartError(
            f"The build directory {directory} cannot be used: {error.strerror or error}.",
            "Check its permissions and free space, and that no file has its path.",
        ),
        OSError,
    )


#: The build directories that the current context has claimed.
_CLAIMED: ContextVar[frozenset[Path]] = ContextVar("claimed build directories", default=frozenset())


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Keep other builds out of a build directory while the block runs.

    The block may claim the directory again. The lock is a file beside the directory, and stays there. On a
    file system without locks (some network drives) other builds can still enter.

    :raises LbdartError: when another build uses the directory, or the project does not exist.
    """
    path = directory.resolve()
    if path in _CLAIMED.get():
        yield
        return
    project = directory.parents[2]
    if not project.is_dir():
        raise MissingError(f"There is no {project}.", "Pass the path of the project's pyproject.toml.")
    with ExitStack() as stack:
        with usable_directory(directory):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(held(path.with_name(f".{path.name}.lock")))
            except InUseError as error:
                raise LbdartError(
                    f"The build directory {directory} is in use by another build.",
                    "Run the builds of a project one after the other, or each in its own checkout.",
                ) from error
        stack.callback(_CLAIMED.reset, _CLAIMED.set(_CLAIMED.get() | {path}))
        yield


@contextmanager
def scratch(directory: Path) -> Iterator[Path]:
    """Yield a temporary directory in a build directory; remove it after the block."""
    with usable_directory(directory):
        directory.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=directory, prefix=".", ignore_cleanup_errors=True)
    with folder as name, usable_directory(directory):
        yield Path(name)


@contextmanager
def replaced_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory, which replaces ``path`` when the block succeeds and is removed otherwise."""
    with scratch(path.parent) as folder:
        new = folder / "new"
        new.mkdir()
        yield new
        if path.exists():
            path.rename(folder / "old")
        new.rename(path)
