"""Plain lines on stderr about work that takes longer than a second.

There is no progress bar: the ``cdk`` command line reads an app through a pipe, where no bar is visible.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

_QUIET: Final = 1.0  # seconds before the first line
_INTERVAL: Final = 10.0  # seconds between lines


class Progress:
    """A count of bytes towards a total. Any thread may call :meth:`advance`."""

    def __init__(self, what: str, total: int) -> None:
        """Start to count.

        :param what: the text at the start of each line.
        :param total: the number of bytes in all; 0 if unknown.
        """
        self._what = what
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._next_line = self._started + _QUIET

    def __enter__(self) -> Self:
        return self

    def advance(self, count: int) -> None:
        """Add bytes to the count."""
        with self._lock:
            self._done += count
            if time.monotonic() >= self._next_line:
                total = f" of {_megabytes(self._total)}" if self._total else ""
                _print_line(f"{self._what}: {_megabytes(self._done)}{total}")
                self._next_line = time.monotonic() + _INTERVAL

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self._started
        if error is None and seconds >= _QUIET:
            _print_line(f"{self._what}: {_megabytes(self._done)} in {seconds:.1f} s")


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Print a line once the block has run for a second.

    :param what: the text of the line.
    """
    timer = threading.Timer(_QUIET, _print_line, [f"{what} ..."])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _print_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
