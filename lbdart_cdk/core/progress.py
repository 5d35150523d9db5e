"""Tell about work that takes longer than a second: with plain lines on stderr, or on another display.

The lines are for apps: the ``cdk`` command line reads an app through a pipe, where no progress bar is
visible. A command that runs on a terminal sets a display of its own.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Final, Protocol, Self

_QUIET: Final = 1.0  # seconds before the first line
_INTERVAL: Final = 10.0  # seconds between lines


class Counter(Protocol):
    """A count of bytes towards a total."""

    def advance(self, count: int) -> None:
        """Add bytes to the count; any thread may do so."""


class Display(Protocol):
    """Where work is shown for as long as a block runs. Several threads may work at once."""

    def counted(self, what: str, total: int) -> AbstractContextManager[Counter]:
        """Show a count of bytes."""
        ...

    def announced(self, what: str) -> AbstractContextManager[None]:
        """Show work that has no count."""
        ...


def counted(what: str, total: int) -> AbstractContextManager[Counter]:
    """Show a count of bytes while the block runs.

    :param what: the text before the count.
    :param total: the number of bytes in all; 0 if unknown.
    """
    return _display.counted(what, total)


def announced(what: str) -> AbstractContextManager[None]:
    """Show that the block runs, once it has run for a second.

    :param what: the text.
    """
    return _display.announced(what)


@contextmanager
def shown_on(display: Display) -> Iterator[None]:
    """Show all work of this process on another display while the block runs."""
    global _display  # noqa: PLW0603  (a process has one stderr)
    before, _display = _display, display
    try:
        yield
    finally:
        _display = before


class Lines:
    """Prints plain lines on stderr."""

    def counted(self, what: str, total: int) -> AbstractContextManager[Counter]:
        """Print a line now and then, and one at the end."""
        return _CountInLines(what, total)

    @contextmanager
    def announced(self, what: str) -> Iterator[None]:
        """Print a line once the block has run for a second."""
        timer = threading.Timer(_QUIET, _print_line, [f"{what} ..."])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


_display: Display = Lines()


class _CountInLines:
    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._next_line = self._started + _QUIET

    def __enter__(self) -> Self:
        return self

    def advance(self, count: int) -> None:
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


def _print_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
