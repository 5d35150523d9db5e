"""One file of a zip: its name, its sizes and its compressed stream.

An entry that comes from another zip keeps its stream as it is: nothing is inflated or deflated again.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Protocol

from ..errors import LbdartError

if TYPE_CHECKING:
    from pathlib import Path


CHUNK: Final = 1 << 20


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
                chunk = file.read(min(left, CHUNK))
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
        """Tell whether both hold the same bytes. Equal CRCs are no proof: they can be made at will."""
        return (self.crc, self.size) == (other.crc, other.size) and (
            not self.size or self.sha256() == other.sha256()
        )

    def sha256(self) -> str:
        """Return the hash of the file's bytes, in hexadecimal; it raises as :meth:`pieces` does."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def read(self) -> bytes:
        """Return the file's bytes; it raises as :meth:`pieces` does."""
        return b"".join(self.pieces())

    def pieces(self, first: int = CHUNK) -> Iterator[bytes]:
        """Yield the file's bytes, never more of them than it says.

        :param first: how many bytes to inflate at first, for callers that may stop there.
        :raises zipfile.BadZipFile: when the stream is damaged, does not end where it says, or holds other
            bytes than size and CRC say.
        """
        crc = size = 0
        for piece in _inflated(self, first) if self.method == zipfile.ZIP_DEFLATED else self.content.chunks():
            size += len(piece)
            if size > self.size:
                break
            crc = zlib.crc32(piece, crc)
            yield piece
        if (crc, size) != (self.crc, self.size):
            raise zipfile.BadZipFile(f"{self.name} does not hold the bytes that its size and CRC say")


def _inflated(entry: Entry, first: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    most = first
    try:
        for chunk in entry.content.chunks():
            left = chunk
            while left:
                yield inflater.decompress(left, most)
                left, most = inflater.unconsumed_tail, CHUNK
        yield inflater.flush()
    except zlib.error as error:
        raise zipfile.BadZipFile(f"{entry.name} has a damaged stream ({error})") from error
    if not inflater.eof or inflater.unused_data:
        raise zipfile.BadZipFile(f"{entry.name} has a stream that does not end where it says")


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
        while chunk := file.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
            spool.write(compressor.compress(chunk))
    spool.write(compressor.flush())
    length = spool.tell() - offset
    return Entry(
        name, crc, size, length, zipfile.ZIP_DEFLATED, executable, Stream(spool_path, offset, length)
    )
