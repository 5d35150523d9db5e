"""What a person sees while something takes longer than a second: plain lines on stderr, now and then.

No bar: the ``cdk`` command line reads an app through a pipe, so that a bar would never be seen there.
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
_EVERY: Final = 10.0  # seconds between lines


class Progress:
    """Counts bytes towards a total. ``advance`` may be called from any thread."""

    def __init__(self, what: str, total: int) -> None:
        """Start to count.

        :param what: the sentence shown.
        :param total: bytes in all; 0 if that is not known.
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
        """Count ``count`` more bytes."""
        with self._lock:
            self._done += count
            if time.monotonic() >= self._next_line:
                total = f" of {_megabytes(self._total)}" if self._total else ""
                _say(f"{self._what}: {_megabytes(self._done)}{total}")
                self._next_line = time.monotonic() + _EVERY

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self._started
        if error is None and seconds >= _QUIET:
            _say(f"{self._what}: {_megabytes(self._done)} in {seconds:.1f} s")


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Say what is going on, once it has been going on for a second."""
    timer = threading.Timer(_QUIET, _say, [f"{what} ..."])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
