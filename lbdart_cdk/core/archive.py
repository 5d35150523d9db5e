"""Zip archives whose bytes depend on nothing but their entries.

A zip is written from :class:`Entry` values. An entry that comes from another zip brings its compressed
stream as it is: nothing is inflated or deflated again. Names are sorted, times fixed, modes reduced to
"may be read" and "may be run"; the order, the host and the user do not show.

Source of the format: *APPNOTE.TXT, .ZIP File Format Specification* (PKWARE).
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Protocol

from .errors import LbdartError

if TYPE_CHECKING:
    from pathlib import Path

_LOCAL_HEADER: Final = struct.Struct("<4sHHHHHLLLHH")
_CENTRAL_HEADER: Final = struct.Struct("<4sHHHHHHLLLHHHHHLL")
_END: Final = struct.Struct("<4sHHHHLLH")
_ZIP64_END: Final = struct.Struct("<4sQHHLLQQQQ")
_ZIP64_LOCATOR: Final = struct.Struct("<4sLQL")

_UTF8_NAME: Final = 0x800
_MADE_ON_UNIX: Final = 3 << 8 | 20
_DOS_EPOCH_DATE: Final = 1 << 5 | 1  # 1980-01-01, the first day that the format can name
_MAX_ENTRIES: Final = 0xFFFF
_CHUNK: Final = 1 << 20
#: Backslashes separate on Windows, a colon in the second place names a drive, the rest no file name needs.
_UNSAFE_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f\\]|^.:")

_REGULAR: Final = stat.S_IFREG | 0o644
_EXECUTABLE: Final = stat.S_IFREG | 0o755


class Content(Protocol):
    """Gives an entry's stream, compressed as the entry says."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes to be written."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes in memory."""

    data: bytes

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes as they are."""
        yield self.data


@dataclass(frozen=True, slots=True)
class Stream:
    """A piece of a file: the compressed stream of an entry of another zip."""

    path: Path
    offset: int
    length: int

    def chunks(self) -> Iterator[bytes]:
        """Yield the piece."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            left = self.length
            while left:
                chunk = file.read(min(left, _CHUNK))
                if not chunk:
                    raise LbdartError(
                        f"{self.path.name} ends inside one of its entries.",
                        "Delete it from the cache directory and build again.",
                    )
                yield chunk
                left -= len(chunk)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a zip. Sizes are in bytes; ``method`` is the format's number, 0 stored or 8 deflate."""

    name: str
    crc: int
    size: int
    compressed_size: int
    method: int
    executable: bool
    content: Content

    def renamed(self, name: str) -> Entry:
        """Return the same file under another name (a layer has thousands: replace() is slow)."""
        return Entry(
            name, self.crc, self.size, self.compressed_size, self.method, self.executable, self.content
        )

    def same_file(self, other: Entry) -> bool:
        """Tell whether both hold the same bytes, as far as CRC and size can tell."""
        return (self.crc, self.size) == (other.crc, other.size)

    def read(self) -> bytes:
        """Return the file's bytes."""
        data = b"".join(self.content.chunks())
        return zlib.decompress(data, wbits=-zlib.MAX_WBITS) if self.method == zipfile.ZIP_DEFLATED else data


def stored(name: str, data: bytes, *, executable: bool = False) -> Entry:
    """Return an entry that keeps ``data`` without compression: the same bytes whatever the zlib."""
    return Entry(name, zlib.crc32(data), len(data), len(data), zipfile.ZIP_STORED, executable, Stored(data))


def deflated(name: str, path: Path, spool: IO[bytes], spool_path: Path) -> Entry:
    """Return an entry for a file, compressed as hard as zlib can into the end of ``spool``.

    ``spool`` is the open file at ``spool_path``; it bounds the memory, whatever the file's size.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    offset = spool.tell()
    crc = size = 0
    with path.open("rb") as file:
        executable = bool(os.fstat(file.fileno()).st_mode & 0o111)
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
            spool.write(compressor.compress(chunk))
    spool.write(compressor.flush())
    length = spool.tell() - offset
    return Entry(
        name, crc, size, length, zipfile.ZIP_DEFLATED, executable, Stream(spool_path, offset, length)
    )


def read_entries(path: Path) -> list[Entry]:
    """Return the files of a zip, in the order of its directory.

    Raises :class:`LbdartError` when it is no zip, or holds what cannot be carried over: an unsafe name,
    a link, encryption, an unknown compression.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return [_entry(info, file, path) for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise LbdartError(
            f"{path.name} is not a usable zip archive: {error}.",
            "Delete it and build again; if the error stays, the file was published like this.",
        ) from error


def _entry(info: zipfile.ZipInfo, file: IO[bytes], path: Path) -> Entry:
    name = safe_name(info.orig_filename)
    if info.flag_bits & 0x1:
        raise zipfile.BadZipFile(f"{name} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{name} uses compression method {info.compress_type}")
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise zipfile.BadZipFile(f"{name} is a symbolic link")
    # The local header repeats the name and has an extra field of its own length: only it tells where
    # the stream starts.
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) != _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"{name} has no local header")
    name_length, extra_length = _LOCAL_HEADER.unpack(header)[-2:]
    start = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    return Entry(
        name,
        info.CRC,
        info.file_size,
        info.compress_size,
        info.compress_type,
        bool(mode & 0o111),
        Stream(path, start, info.compress_size),
    )


def safe_name(name: str) -> str:
    """Return an entry's name when it stays inside the directory it is unpacked in.

    Raises :class:`zipfile.BadZipFile` for absolute names, ``..``, empty parts, backslashes, drive
    letters and control characters.
    """
    if _UNSAFE_CHARACTERS.search(name) or not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise zipfile.BadZipFile(f"it has an entry with the unsafe name {name!r}")
    return name


def write_zip(file: IO[bytes], entries: Iterable[Entry], comment: bytes = b"") -> None:
    """Write the entries to ``file``, sorted by name; ``file`` need not be seekable.

    Names must be unique. At most 4 GiB in all, far above what Lambda takes; more than 65,535 entries
    are written as zip64.
    """
    directory = bytearray()
    offset = count = 0
    for entry in sorted(entries, key=lambda entry: entry.name):
        name = entry.name.encode()
        flags = 0 if entry.name.isascii() else _UTF8_NAME
        sizes = (entry.crc, entry.compressed_size, entry.size)
        file.write(
            _LOCAL_HEADER.pack(
                b"PK\x03\x04", 20, flags, entry.method, 0, _DOS_EPOCH_DATE, *sizes, len(name), 0
            )
            + name
        )
        for chunk in entry.content.chunks():
            file.write(chunk)
        mode = _EXECUTABLE if entry.executable else _REGULAR
        directory += _CENTRAL_HEADER.pack(
            b"PK\x01\x02", _MADE_ON_UNIX, 20, flags, entry.method, 0, _DOS_EPOCH_DATE, *sizes,
            len(name), 0, 0, 0, 0, mode << 16, offset,
        )  # fmt: skip
        directory += name
        offset += _LOCAL_HEADER.size + len(name) + entry.compressed_size
        count += 1
    file.write(directory)
    if count >= _MAX_ENTRIES:
        end = offset + len(directory)
        file.write(
            _ZIP64_END.pack(b"PK\x06\x06", _ZIP64_END.size - 12, _MADE_ON_UNIX | 45, 45, 0, 0, count, count,
                            len(directory), offset)
        )  # fmt: skip
        file.write(_ZIP64_LOCATOR.pack(b"PK\x06\x07", 0, end, 1))
    short_count = min(count, _MAX_ENTRIES)
    file.write(
        _END.pack(b"PK\x05\x06", 0, 0, short_count, short_count, len(directory), offset, len(comment))
        + comment
    )
