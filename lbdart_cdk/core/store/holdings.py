"""What a store holds, by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from .prune import kept_in, last_use
from .store import Store

#: The kinds that have files of their own; all others are notes about these and about locks.
_KINDS: Final = ("wheels", "archives", "bytecode")
_NOTES: Final = "notes"


@dataclass(frozen=True, slots=True)
class Holding:
    """The files of one kind.

    :param kind: ``wheels`` (source distributions, too), ``archives`` (built zips), ``bytecode`` or ``notes``.
    :param size: in bytes.
    :param oldest_use: the day of the last use of what is unused for longest.
    :param last_use: the day on which something of it was last used.
    """

    kind: str
    files: int
    size: int
    oldest_use: date
    last_use: date


def holdings(store: Store) -> Sequence[Holding]:
    """Return what a store holds of each kind that it has something of."""
    used = store.uses.read()
    found: dict[str, list[tuple[int, date]]] = {}
    for key, kept in kept_in(store.files).items():
        day = last_use(key, kept, used)
        for path, size in kept.files.items():
            folder = path.relative_to(store.files).parts[0]
            found.setdefault(folder if folder in _KINDS else _NOTES, []).append((size, day))
    return [
        Holding(
            kind,
            len(files),
            sum(size for size, _ in files),
            min(day for _, day in files),
            max(day for _, day in files),
        )
        for kind in (*_KINDS, _NOTES)
        if (files := found.get(kind))
    ]
