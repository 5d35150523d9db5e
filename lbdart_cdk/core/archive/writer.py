"""Writes zips whose bytes depend only on their entries.

Names are sorted, times are fixed, and modes are reduced to "readable" and "executable". The input order, the
host and the user have no effect.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from typing import IO, Final

from ..errors import LbdartError
from .end_record import end_record
from .entry import Entry
from .headers import (
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    UTF8_NAME,
    ZIP64_END,
    ZIP64_END_SIGNATURE,
    ZIP64_LOCATOR,
    ZIP64_LOCATOR_SIGNATURE,
)
from .sink import Sink
from .sources import Sources

_MADE_ON_UNIX: Final = 3 << 8 | 20
_DOS_EPOCH_DATE: Final = 1 << 5 | 1  # 1980-01-01, the first date of the format
_MAX_ENTRIES: Final = 0xFFFF
_MAX_BYTES: Final = 0xFFFFFFFF

_REGULAR: Final = stat.S_IFREG | 0o644
_EXECUTABLE: Final = stat.S_IFREG | 0o755


def write_zip(file: IO[bytes], entries: Iterable[Entry], comment: bytes = b"") -> str:
    """Write the entries as a zip, sorted by name, and return its SHA-256 in hexadecimal.

    A zip of 65,535 or more entries is written as zip64.

    :param file: the file to write to; it need not be seekable.
    :param entries: the entries, with unique names.
    :raises LbdartError: when the zip exceeds 4 GiB, far above Lambda's limit.
    """
    with Sink(file) as sink, Sources() as sources:
        directory = bytearray()
        offset = count = 0
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = entry.name.encode()
            flags = 0 if entry.name.isascii() else UTF8_NAME
            sizes = (entry.crc, entry.compressed_size, entry.size)
            sink.write(
                LOCAL_HEADER.pack(
                    LOCAL_SIGNATURE, 20, flags, entry.method, 0, _DOS_EPOCH_DATE, *sizes, len(name), 0
                )
                + name
            )
            for chunk in entry.content.chunks(sources):
                sink.write(chunk)
            mode = _EXECUTABLE if entry.executable else _REGULAR
            directory += CENTRAL_HEADER.pack(
                CENTRAL_SIGNATURE, _MADE_ON_UNIX, 20, flags, entry.method, 0, _DOS_EPOCH_DATE, *sizes,
                len(name), 0, 0, 0, 0, mode << 16, offset,
            )  # fmt: skip
            directory += name
            offset += LOCAL_HEADER.size + len(name) + entry.compressed_size
            count += 1
            if offset + len(directory) > _MAX_BYTES:
                raise LbdartError(
                    "The zip would be larger than 4 GiB.",
                    "Leave packages out with exclude=, the largest first.",
                )
        sink.write(bytes(directory))
        if count >= _MAX_ENTRIES:
            end = offset + len(directory)
            counts = (count, count, len(directory), offset)
            length = ZIP64_END.size - 12
            sink.write(ZIP64_END.pack(ZIP64_END_SIGNATURE, length, _MADE_ON_UNIX | 45, 45, 0, 0, *counts))
            sink.write(ZIP64_LOCATOR.pack(ZIP64_LOCATOR_SIGNATURE, 0, end, 1))
        sink.write(end_record(count, len(directory), offset, comment))
        return sink.finish()
