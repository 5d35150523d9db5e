"""The files of a wheel in the store, read from its headers once: the store keeps a note of what they say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..archive.entry import Entry
from ..archive.noted import from_rows, to_rows
from ..keys import PACKER_FORMAT
from ..store.store import Store, key_in
from .contents import wheel_entries

#: The kind of the notes. It changes with what :func:`wheel_entries` yields, as all build keys do.
_KIND: Final = f"entries1-{PACKER_FORMAT}"


def kept_entries(path: Path, what: str, store: Store) -> list[Entry]:
    """Return what :func:`~lbdart_cdk.core.wheels.contents.wheel_entries` yields for a wheel in the store.

    There are notes only about wheels that the store keeps by their own hash. One that was built is kept by
    what it was built from, and the next build may give other files.

    :param what: names the wheel in messages.
    :raises LbdartError: when the wheel is not a zip that can be packed.
    """
    noted = store.recall(_KIND, key_in(path)) if _is_by_hash(path, store) else None
    if noted is not None:
        return from_rows(noted["files"], path)
    entries = list(wheel_entries(path, what))
    note_entries(path, entries, store)
    return entries


def note_entries(path: Path, entries: Iterable[Entry], store: Store) -> None:
    """Note what :func:`kept_entries` returns for a wheel, if it is one that there are notes about."""
    if _is_by_hash(path, store):
        store.note(_KIND, key_in(path), {"files": to_rows(entries)})


def _is_by_hash(path: Path, store: Store) -> bool:
    return path == store.wheel(key_in(path))
