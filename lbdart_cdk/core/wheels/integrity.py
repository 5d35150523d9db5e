"""Check once per wheel that its files have the size and CRC in the zip's directory.

A layer gets a wheel's compressed streams without inflating them, and the SHA-256 only proves that the wheel
is the published file. So every wheel that is new in the store is inflated once, and a note in the store
records that it is sound. For most wheels, the scan for compiled files does both while others are fetched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from ..archive.entry import Entry
from ..archive.reader import usable
from ..progress import announced
from ..project.target import MAX_UNZIPPED
from ..store.store import Store
from .contents import wheel_entries

if TYPE_CHECKING:
    from ..locking.selection import LockedFile

_KIND: Final = "sound-wheels"


def refuse_damaged(wheels: Collection[LockedFile], store: Store) -> None:
    """Inflate the wheels in the store that have not been checked yet.

    Skips a wheel that claims to be larger than Lambda allows: the packing refuses it without inflating it.

    :raises LbdartError: when a file of a wheel does not have the size and CRC that it claims.
    """
    new = [wheel for wheel in wheels if not is_sound(wheel.sha256, store)]
    if not new:
        return
    # Threads help: zlib releases the GIL.
    with announced(f"Checking {len(new)} new wheel{'s' * (len(new) > 1)}"), ThreadPoolExecutor() as pool:
        list(pool.map(lambda wheel: _check(wheel, store), new))


def _check(wheel: LockedFile, store: Store) -> None:
    entries = list(wheel_entries(store.wheel(wheel.sha256), wheel.filename))
    size = sum(entry.size for entry in entries)
    if size <= MAX_UNZIPPED:
        inflate(entries, wheel.filename)
        note_sound(wheel.sha256, size, store)


def is_sound(sha256: str, store: Store) -> bool:
    """Tell whether a wheel of the store was inflated once, and was sound."""
    return store.recall(_KIND, sha256) is not None


def note_sound(sha256: str, size: int, store: Store) -> None:
    """Note that a wheel of the store is sound, after all its files were inflated.

    :param size: of its files in bytes.
    """
    store.note(_KIND, sha256, {"unzipped": size})


def inflate(entries: Iterable[Entry], what: str) -> None:
    """Inflate the files of a zip, only to check them.

    :param what: names the zip in messages.
    :raises LbdartError: when a file does not have the size and CRC that it claims.
    """
    with usable(what):
        for entry in entries:
            for _ in entry.pieces():
                pass
