"""Reads, writes and replaces the end record of a zip, which holds the archive comment.

Source: *APPNOTE.TXT, .ZIP File Format Specification* (PKWARE), 4.3.16.
"""

from __future__ import annotations

import struct
from typing import IO, Final

SIGNATURE: Final = b"PK\x05\x06"
_RECORD: Final = struct.Struct("<4sHHHHLLH")
#: The bytes of an end record without a comment.
SIZE: Final = _RECORD.size
_COMMENT_LENGTH: Final = struct.Struct("<H")  # the record's last field
_MAX_COUNT: Final = 0xFFFF
_MAX_COMMENT: Final = 0xFFFF
#: The most bytes of an end record with its comment. The records of zip64 come before it.
TAIL: Final = SIZE + _MAX_COMMENT


def end_record(count: int, directory_size: int, directory_offset: int, comment: bytes) -> bytes:
    """Return an end record.

    :param count: the number of entries; above the field's limit, the zip64 record must hold it.
    """
    field = min(count, _MAX_COUNT)
    sizes = (directory_size, directory_offset, len(comment))
    return _RECORD.pack(SIGNATURE, 0, 0, field, field, *sizes) + comment


def comment_of(tail: bytes) -> bytes | None:
    """Return the archive comment of a zip, or None when the bytes are not the end of exactly one zip.

    The result is None without an end record, when the zip is cut off, when other bytes follow it, and when
    the comment holds a second end record: readers would then see different archives.

    :param tail: the zip's last :data:`TAIL` bytes, or all bytes of a smaller zip.
    """
    comment = None
    start = tail.find(SIGNATURE)
    while 0 <= start <= len(tail) - SIZE:
        length = _RECORD.unpack_from(tail, start)[-1]
        if start + SIZE + length == len(tail):
            if comment is not None:
                return None
            comment = tail[start + SIZE :]
        start = tail.find(SIGNATURE, start + 1)
    return comment


def read_comment(file: IO[bytes]) -> bytes | None:
    """Return the archive comment of an open file, as :func:`comment_of` does."""
    size = file.seek(0, 2)
    file.seek(max(0, size - TAIL))
    return comment_of(file.read())


def replace_comment(file: IO[bytes], comment: bytes) -> None:
    """Replace the archive comment of an open zip that has exactly one end record."""
    before = read_comment(file) or b""
    file.seek(-len(before) - _COMMENT_LENGTH.size, 2)
    file.truncate()
    file.write(_COMMENT_LENGTH.pack(len(comment)) + comment)
