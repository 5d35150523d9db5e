"""The end record of a zip, with the archive comment: read from a zip's last bytes, written, replaced.

Source: *APPNOTE.TXT, .ZIP File Format Specification* (PKWARE), 4.3.16.
"""

from __future__ import annotations

import struct
from typing import IO, Final

SIGNATURE: Final = b"PK\x05\x06"
_RECORD: Final = struct.Struct("<4sHHHHLLH")
#: Bytes of an end record without a comment.
SIZE: Final = _RECORD.size
_COMMENT_LENGTH: Final = struct.Struct("<H")  # the record's last field
_MAX_COUNT: Final = 0xFFFF
_MAX_COMMENT: Final = 0xFFFF
#: The most bytes that can follow the directory of a zip with one end record; zip64's come before them.
TAIL: Final = SIZE + _MAX_COMMENT


def end_record(count: int, directory_size: int, directory_offset: int, comment: bytes) -> bytes:
    """Return an end record; a ``count`` of entries beyond the field's limit is for zip64 to say."""
    shown = min(count, _MAX_COUNT)
    sizes = (directory_size, directory_offset, len(comment))
    return _RECORD.pack(SIGNATURE, 0, 0, shown, shown, *sizes) + comment


def comment_of(tail: bytes) -> bytes | None:
    """Return the archive comment of a zip.

    None unless this is the end of exactly one zip: not without an end record, cut off, followed by other
    bytes, or with a second end record in the comment, which readers would take for different archives.

    :param tail: the zip's last bytes, :data:`TAIL` of them or all of a smaller zip.
    """
    found = None
    start = tail.find(SIGNATURE)
    while 0 <= start <= len(tail) - SIZE:
        length = _RECORD.unpack_from(tail, start)[-1]
        if start + SIZE + length == len(tail):
            if found is not None:
                return None
            found = tail[start + SIZE :]
        start = tail.find(SIGNATURE, start + 1)
    return found


def read_comment(file: IO[bytes]) -> bytes | None:
    """Return the archive comment of an open zip, as :func:`comment_of` does."""
    size = file.seek(0, 2)
    file.seek(max(0, size - TAIL))
    return comment_of(file.read())


def replace_comment(file: IO[bytes], comment: bytes) -> None:
    """Give an open zip, which has one end record, another archive comment."""
    before = read_comment(file) or b""
    file.seek(-len(before) - _COMMENT_LENGTH.size, 2)
    file.truncate()
    file.write(_COMMENT_LENGTH.pack(len(comment)) + comment)
