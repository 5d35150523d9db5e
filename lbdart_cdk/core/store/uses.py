"""When each key of the store was last used: a file for each day, with the keys that were used on it.

The days are in the names of the files and not in modification times, because in a cache that CI restored all
files may be from today. A key is written at most once a day, so an unchanged synth only reads a small file.
"""

from __future__ import annotations

import contextlib
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from ..windows import replace_file
from .locks import InUseError, held

#: Seconds to try to get the lock. It is held while some keys are written or one key's files are deleted.
_PATIENCE: Final = 1.0
_KEY_LENGTH: Final = 64

#: For each log, the day of the last use in this process, and the keys that are written for that day.
_WRITTEN: Final[dict[Path, tuple[date, set[str]]]] = {}
_THREADS: Final = threading.Lock()


def today() -> date:
    """Return the day, in UTC."""
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class UseLog:
    """The log of a store.

    :param folder: the folder of its files.
    """

    folder: Path

    def record(self, keys: Iterable[str]) -> None:
        """Write that keys are used, before their files are looked for.

        In a store that cannot be written, nothing is recorded.
        """
        day = today()
        with _THREADS:
            known_day, known = _WRITTEN.get(self.folder, (None, set[str]()))
            if known_day != day:
                known = _keys_in(self.folder / day.isoformat()) or set()
                _WRITTEN[self.folder] = (day, known)
            new = [key for key in keys if key not in known]
            if new:
                known.update(new)
                with contextlib.suppress(OSError, InUseError), self.locked():
                    self._append(day, new)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep everybody from writing uses for the block: what they use next, they use after the block.

        :raises InUseError: when others have the lock all the time.
        :raises OSError: when the log cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            last_try = time.monotonic() + _PATIENCE
            while True:
                try:
                    stack.enter_context(held(self.folder / "log.lock"))
                    break
                except InUseError:
                    if time.monotonic() > last_try:
                        raise
                    time.sleep(0.001)
            yield

    def state(self) -> frozenset[tuple[str, int]]:
        """Return what changes when a use is written."""
        return frozenset((path.name, path.lstat().st_size) for _, path in self._files())

    def read(self) -> dict[str, date]:
        """Return the day of each key's last use. A day in the future, from a wrong clock, counts as today."""
        latest = today()
        used: dict[str, date] = {}
        for day, path in self._files():
            for key in _keys_in(path) or ():
                used[key] = min(day, latest)
        return used

    def rewrite(self, used: Mapping[str, date], scratch: Path) -> None:
        """Write each key for one day only.

        Call this in a block of :meth:`locked`.

        :param scratch: a folder for unfinished files.
        """
        latest = today()
        wanted: dict[date, set[str]] = {}
        for key, day in used.items():
            wanted.setdefault(day, set()).add(key)
        for day, keys in wanted.items():
            path = self.folder / day.isoformat()
            written = _keys_in(path)
            if day == latest:  # others append to it
                self._append(day, keys - (written or set()))
            elif written != keys and not path.is_dir():
                made = scratch / path.name
                made.write_bytes(_lines(keys))
                replace_file(made, path)
        for day, path in self._files():
            if day not in (*wanted, latest) and _keys_in(path) is not None:
                path.unlink()

    def _append(self, day: date, keys: Iterable[str]) -> None:
        if lines := _lines(keys):
            with (self.folder / day.isoformat()).open("ab") as file:
                file.write(lines)

    def _files(self) -> list[tuple[date, Path]]:
        """Return the files of the log by their days; files of others may be beside them."""
        days = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            with contextlib.suppress(ValueError):
                day = date.fromisoformat(path.name)
                if day.isoformat() == path.name:
                    days.append((day, path))
        return sorted(days)


def _lines(keys: Iterable[str]) -> bytes:
    # Each line has its end before it, so that it is whole after one that was cut off.
    return b"".join(b"\n" + key.encode() for key in sorted(keys))


def _keys_in(path: Path) -> set[str] | None:
    """Return the keys in a file of the log; None when there is no such file or it cannot be read."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        lines = path.read_bytes().decode(errors="replace").split("\n")
    except OSError:
        return None
    return {line for line in lines if len(line) == _KEY_LENGTH}
