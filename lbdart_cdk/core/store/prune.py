"""Delete what nothing used for long, so that the store does not grow for ever.

Only files of the store's own form are deleted: ``{kind}/{2 digits}/{62 digits}.{whl,zip,json}``, regular
files in folders that are no links.

The files of a key are deleted while nobody can write a use of a key, and only if its last use is still the
old one. A build writes a use before it looks for the file. So it finds the file, and the file stays, or it
does not find the file, and makes it again.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from ..errors import LbdartError
from .locks import InUseError, held
from .store import Store, key_in
from .uses import today

#: The age at which files go.
MAX_UNUSED: Final = timedelta(days=90)
#: Days: what was used today or yesterday stays, because a use is written once a day and a build may run over
#: midnight.
_ALWAYS_KEPT: Final = 1
_FOLDER: Final = re.compile(r"[0-9a-f]{2}")
_FILE: Final = re.compile(r"[0-9a-f]{62}\.(whl|zip|json)")

#: The stores in which this process made a zip.
_GROWN: Final[set[Store]] = set()


@dataclass(frozen=True, slots=True)
class Pruned:
    """What :func:`prune` deleted, and what it left.

    :param files: the deleted files with their sizes in bytes.
    :param left: the bytes of the files that are left.
    """

    files: Mapping[Path, int] = field(default_factory=dict)
    left: int = 0

    @property
    def size(self) -> int:
        """The bytes that were deleted."""
        return sum(self.files.values())


@dataclass(slots=True)
class Kept:
    """The files of one key.

    :param written: the day on which the last of them was written.
    """

    files: dict[Path, int] = field(default_factory=dict)
    written: date = date.min

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(self.files.values())


def prune(store: Store, *, older_than: timedelta = MAX_UNUSED, max_size: int | None = None) -> Pruned:
    """Delete what nothing used for long; then what is unused for longest, until the store is small enough.

    What was used today or yesterday stays, whatever is passed. Builds may run at the same time. Of two
    prunings at once, one does nothing.

    :param older_than: what was not used for more days than this goes.
    :param max_size: the bytes to leave; by default those of the store.
    :raises LbdartError: when the store cannot be written.
    """
    log = store.uses
    if not store.files.is_dir():
        return Pruned()
    with contextlib.suppress(InUseError), store.guarded(log.folder), store.scratch() as scratch:
        log.folder.mkdir(exist_ok=True)
        with held(log.folder / "prune.lock"):
            (log.folder / "pruned").write_bytes(today().isoformat().encode())
            return _prune(store, older_than, store.max_size if max_size is None else max_size, scratch)
    return Pruned()


def _prune(store: Store, older_than: timedelta, max_size: int, scratch: Path) -> Pruned:
    log, kept = store.uses, kept_in(store.files)
    state, used = log.state(), log.read()
    left = sum(each.size for each in kept.values())
    gone: dict[Path, int] = {}
    with contextlib.suppress(InUseError):
        for day, key in sorted((last_use(key, each, used), key) for key, each in kept.items()):
            age = (today() - day).days
            if age <= _ALWAYS_KEPT or (age <= older_than.days and left <= max_size):
                break
            with log.locked():
                if (now := log.state()) != state:
                    state, used = now, log.read()
                if last_use(key, kept[key], used) == day:
                    deleted = dict(_delete(kept[key].files))
                    gone |= deleted
                    left -= sum(deleted.values())
        with log.locked():
            used = log.read()
            days = {key: last_use(key, each, used) for key, each in kept.items()}
            log.rewrite({key: day for key, day in days.items() if kept[key].files.keys() - gone}, scratch)
    return Pruned(gone, left)


def last_use(key: str, kept: Kept, used: Mapping[str, date]) -> date:
    """Return the day of a key's last use; a key without one counts as used when it was written."""
    return used.get(key) or min(kept.written, today())


def _delete(files: Mapping[Path, int]) -> Iterator[tuple[Path, int]]:
    for path, size in files.items():
        with contextlib.suppress(OSError):
            path.unlink()
            yield path, size


def kept_in(root: Path) -> dict[str, Kept]:
    """Return the files of each key."""
    kept: dict[str, Kept] = {}
    for kind in _folders(root):
        for folder in _folders(kind):
            if not _FOLDER.fullmatch(folder.name):
                continue
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if _FILE.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        path = Path(entry.path)
                        each = kept.setdefault(key_in(path), Kept())
                        each.files[path] = status.st_size
                        each.written = max(each.written, _day(status.st_mtime))
    return kept


def _folders(root: Path) -> Iterator[Path]:
    """Yield the folders in a folder, without links."""
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        yield from (Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))


def _day(seconds: float) -> date:
    try:
        return datetime.fromtimestamp(seconds, UTC).date()
    except (OverflowError, ValueError, OSError):  # a time that no calendar has
        return date.min


def prune_at_exit(store: Store) -> None:
    """Prune a store when this process ends, if nobody did so today.

    Not at once: what the process does not need yet may be old, but is about to be used.
    """
    if not _GROWN:
        atexit.register(_prune_grown)
    _GROWN.add(store)


def _prune_grown() -> None:
    while _GROWN:
        store = _GROWN.pop()
        with contextlib.suppress(LbdartError, OSError):
            if not _pruned_today(store):
                prune(store)


def _pruned_today(store: Store) -> bool:
    try:
        return (store.uses.folder / "pruned").read_bytes() == today().isoformat().encode()
    except FileNotFoundError:
        return False
