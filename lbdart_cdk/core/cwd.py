"""Another working directory, for as long as a block takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path

from .errors import LbdartError


@contextmanager
def temp_cwd(path: str | Path) -> Iterator[Path]:
    """Work in a directory, and then in the one before again, whatever happens in the block.

    Yields its absolute path. The working directory is the whole process's, so no other thread may rely
    on it meanwhile. Raises :class:`LbdartError` when the directory cannot be entered.
    """
    directory = Path(path).absolute()
    with ExitStack() as stack:
        try:
            stack.enter_context(chdir(directory))
        except OSError as error:
            raise LbdartError(
                f"The directory {directory} cannot be entered: {error.strerror}.",
                "Check that it exists, is a directory and may be entered.",
            ) from error
        yield directory
