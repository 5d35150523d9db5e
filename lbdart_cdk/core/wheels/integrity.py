"""Whether a wheel's streams hold what its directory says, found out once for each wheel.

A wheel's compressed streams are copied into a layer without being inflated, and its SHA-256 tells only that
it is the file that was published. So every wheel is inflated once, when it is new in the store, and a note
there remembers that it is sound.
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
    """Inflate the wheels in the store that nobody has inflated yet.

    Raises :class:`LbdartError` naming a wheel whose files do not have the size and CRC that they claim. A
    wheel that claims more than Lambda takes is left to the packing, which refuses it by its claim.
    """
    new = [wheel for wheel in wheels if store.recall(_KIND, wheel.sha256) is None]
    if not new:
        return
    # zlib runs beside other threads.
    with announced(f"Checking {len(new)} new wheel{'s' * (len(new) > 1)}"), ThreadPoolExecutor() as pool:
        list(pool.map(lambda wheel: _check(wheel, store), new))


def _check(wheel: LockedFile, store: Store) -> None:
    entries = list(wheel_entries(store.wheel(wheel.sha256), wheel.filename))
    size = sum(entry.size for entry in entries)
    if size <= MAX_UNZIPPED:
        inflate(entries, wheel.filename)
        store.note(_KIND, wheel.sha256, {"unzipped": size})


def inflate(entries: Iterable[Entry], what: str) -> None:
    """Inflate the files of the zip called ``what`` to nowhere; raises :class:`LbdartError` as above."""
    with usable(what):
        for entry in entries:
            for _ in entry.pieces():
                pass
