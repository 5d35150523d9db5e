"""Entries as the store notes them, so that the headers of a zip are read once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .entry import Entry, Stream


def to_rows(entries: Iterable[Entry]) -> list[list[Any]]:
    """Return entries that are streams in one file in a JSON form."""
    return [_row(entry) for entry in entries]


def _row(entry: Entry) -> list[Any]:
    stream = entry.content
    assert isinstance(stream, Stream), "what is in memory has no place in a file"
    return [
        entry.name,
        entry.crc,
        entry.size,
        entry.compressed_size,
        entry.method,
        entry.executable,
        stream.offset,
    ]


def from_rows(rows: Iterable[list[Any]], path: Path) -> list[Entry]:
    """Return the entries of which :func:`to_rows` made rows.

    :param path: the file with the streams.
    """
    return [
        Entry(name, crc, size, length, method, executable, Stream(path, offset, length))
        for name, crc, size, length, method, executable, offset in rows
    ]
