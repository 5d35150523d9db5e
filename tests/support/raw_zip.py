"""Zips byte for byte, with a knob for every field: what no library writes, but somebody may send."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

_LOCAL = struct.Struct("<4sHHHHHLLLHH")
_CENTRAL = struct.Struct("<4sHHHHHHLLLHHHHHLL")
_DATE = (2024 - 1980) << 9 | 2 << 5 | 29

DEFLATED, STORED = 8, 0
UTF8 = 0x800


@dataclass(frozen=True)
class File:
    """A file of a zip. What is None is as it should be; ``local_...`` is what the header before it says."""

    name: bytes
    data: bytes = b"x = 1\n"
    method: int = DEFLATED
    flags: int = 0
    stream: bytes | None = None
    crc: int | None = None
    size: int | None = None
    compressed_size: int | None = None
    local_name: bytes | None = None
    local_method: int | None = None
    local_flags: int | None = None
    local_crc: int | None = None
    local_size: int | None = None
    local_compressed_size: int | None = None
    extra: bytes = b""
    local_extra: bytes = b""
    mode: int = 0o100644
    system: int = 3
    #: Sizes and CRC behind the stream instead of before it.
    descriptor: bool = False
    #: Sizes and offset in extra fields.
    zip64: bool = False
    #: Where the directory says that it is, instead of where it is.
    offset: int | None = None
    #: In the directory alone: nothing is written.
    directory_only: bool = False
    #: Not in the directory.
    hidden: bool = False

    def compressed(self) -> bytes:
        if self.stream is not None:
            return self.stream
        if self.method != DEFLATED:
            return self.data
        compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return compressor.compress(self.data) + compressor.flush()


def _or(value: int | None, default: int) -> int:
    return (default if value is None else value) & 0xFFFFFFFF


def raw_zip(
    *files: File,
    prefix: bytes = b"",
    gap: bytes = b"",
    comment: bytes = b"",
    tail: bytes = b"",
    count: int | None = None,
    zip64_end: bool = False,
) -> bytes:
    """Return a zip of the files; ``gap`` is between them, ``tail`` behind the end record."""
    body = bytearray(prefix)
    directory = bytearray()
    for file in files:
        start = len(body)
        stream = file.compressed()
        crc = _or(file.crc, zlib.crc32(file.data))
        size, compressed = _or(file.size, len(file.data)), _or(file.compressed_size, len(stream))
        flags = file.flags | (8 if file.descriptor else 0)
        if not file.directory_only:
            body += _local(file, flags, crc, size, compressed) + stream
            if file.descriptor:
                body += struct.pack("<4sLLL", b"PK\7\10", crc, compressed, size)
            body += gap
        if not file.hidden:
            directory += _central(file, flags, crc, size, compressed, _or(file.offset, start - len(prefix)))
    listed = sum(not file.hidden for file in files) if count is None else count
    offset = len(body) - len(prefix)
    end = bytearray()
    if zip64_end:
        end += struct.pack(
            "<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, listed, listed, len(directory), offset
        )
        end += struct.pack("<4sLQL", b"PK\6\7", 0, offset + len(directory), 1)
    short = 0xFFFF if zip64_end else listed & 0xFFFF
    end += struct.pack(
        "<4sHHHHLLH", b"PK\5\6", 0, 0, short, short,
        0xFFFFFFFF if zip64_end else len(directory), 0xFFFFFFFF if zip64_end else offset, len(comment),
    )  # fmt: skip
    return bytes(body + directory + end + comment + tail)


def _local(file: File, flags: int, crc: int, size: int, compressed: int) -> bytes:
    name = file.name if file.local_name is None else file.local_name
    extra = file.local_extra
    behind = file.descriptor
    sizes = [_or(file.local_crc, 0 if behind else crc)]
    sizes += [_or(file.local_compressed_size, 0 if behind else compressed)]
    sizes += [_or(file.local_size, 0 if behind else size)]
    if file.zip64:
        extra += struct.pack("<HHQQ", 1, 16, size, compressed)
        sizes[1:] = [0xFFFFFFFF, 0xFFFFFFFF]
    method = file.method if file.local_method is None else file.local_method
    return (
        _LOCAL.pack(
            b"PK\3\4", 45, _or(file.local_flags, flags), method, 0, _DATE, *sizes, len(name), len(extra)
        )
        + name
        + extra
    )


def _central(file: File, flags: int, *numbers: int) -> bytes:
    crc, size, compressed, offset = numbers
    extra = file.extra
    fields = (size, compressed, offset)
    if file.zip64:
        extra += struct.pack("<HHQQQ", 1, 24, *fields)
        fields = (0xFFFFFFFF,) * 3
    return (
        _CENTRAL.pack(
            b"PK\1\2", file.system << 8 | 45, 45, flags, file.method, 0, _DATE, crc, fields[1], fields[0],
            len(file.name), len(extra), 0, 0, 0, file.mode << 16, fields[2],
        )
        + file.name
        + extra
    )  # fmt: skip


def unicode_path(name: bytes, second: bytes) -> bytes:
    """Return the extra field that gives a file a second name (Info-ZIP)."""
    return struct.pack("<HHBL", 0x7075, 5 + len(second), 1, zlib.crc32(name)) + second


def overlapping(count: int, kernel: bytes) -> bytes:
    """Return a zip bomb as in *A better zip bomb* (David Fifield): all files share one stream."""
    first = File(b"0", kernel)
    shared = {"crc": zlib.crc32(kernel), "size": len(kernel), "stream": first.compressed()}
    others = (File(b"%d" % number, **shared, offset=0, directory_only=True) for number in range(1, count))  # type: ignore[arg-type]
    return raw_zip(first, *others)


def many(names: Iterable[str]) -> bytes:
    """Return a zip of empty files."""
    return raw_zip(*(File(name.encode(), b"", STORED) for name in names), zip64_end=True)
