"""One file of a zip: its name, its sizes and its compressed stream.

An entry from another zip keeps its compressed stream: copying inflates and deflates nothing.
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
from .sources import Sources

if TYPE_CHECKING:
    from pathlib import Path


CHUNK: Final = 1 << 20


class Content(Protocol):
    """The stream of an entry, compressed by the entry's method."""

    def chunks(self, sources: Sources | None = None) -> Iterator[bytes]:
        """Yield the bytes of the stream.

        :param sources: keeps the files open that are read. Default: a file is closed after its stream.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A stream in memory."""

    data: bytes

    def chunks(self, sources: Sources | None = None) -> Iterator[bytes]:
        """Yield all bytes at once."""
        yield self.data


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream in a file, such as the compressed stream of an entry of another zip."""

    path: Path
    offset: int
    length: int

    def chunks(self, sources: Sources | None = None) -> Iterator[bytes]:
        """Yield the bytes in chunks.

        :raises LbdartError: when the file ends before the stream does.
        """
        if sources is None:
            with Sources() as own:
                yield from self.chunks(own)
            return
        offset, end = self.offset, self.offset + self.length
        while offset < end:
            file = sources.open(self.path)  # not kept: between two chunks it may be closed
            file.seek(offset)
            chunk = file.read(min(end - offset, CHUNK))
            if not chunk:
                raise LbdartError(
                    f"The file {self.path.name} ends in the middle of an entry.",
                    "Delete it from the cache directory and build again.",
                )
            yield chunk
            offset += len(chunk)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a zip.

    :param size: the size of the file in bytes.
    :param compressed_size: the size of the stream in bytes.
    :param method: the zip format's number of the compression: 0 for stored, 8 for deflate.
    :param link: whether the content is the target of a symbolic link.
    """

    name: str
    crc: int
    size: int
    compressed_size: int
    method: int
    executable: bool
    content: Content
    link: bool = False

    def renamed(self, name: str) -> Entry:
        """Return the same file under another name."""
        # dataclasses.replace() is too slow for the thousands of files of a layer.
        return Entry(
            name,
            self.crc,
            self.size,
            self.compressed_size,
            self.method,
            self.executable,
            self.content,
            self.link,
        )

    def same_file(self, other: Entry) -> bool:
        """Tell whether both files have the same bytes. Equal CRCs are no proof: anyone can forge them."""
        return (self.crc, self.size) == (other.crc, other.size) and (
            not self.size or self.sha256() == other.sha256()
        )

    def sha256(self) -> str:
        """Return the SHA-256 of the file's bytes, in hexadecimal.

        :raises zipfile.BadZipFile: as :meth:`pieces` does.
        """
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def read(self) -> bytes:
        """Return the file's bytes.

        :raises zipfile.BadZipFile: as :meth:`pieces` does.
        """
        return b"".join(self.pieces())

    def pieces(self, first: int = CHUNK) -> Iterator[bytes]:
        """Yield the file's bytes, and never more than its size.

        :param first: the most bytes to inflate first, for callers that may stop there.
        :raises zipfile.BadZipFile: when the stream is damaged, does not end at its declared end, or does not
            match the size and CRC.
        """
        crc = size = 0
        for piece in _inflated(self, first) if self.method == zipfile.ZIP_DEFLATED else self.content.chunks():
            size += len(piece)
            if size > self.size:
                break
            crc = zlib.crc32(piece, crc)
            yield piece
        if (crc, size) != (self.crc, self.size):
            raise zipfile.BadZipFile(f"{self.name} does not match its size and CRC")


def _inflated(entry: Entry, first: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    limit = first
    try:
        for chunk in entry.content.chunks():
            compressed = chunk
            while compressed:
                yield inflater.decompress(compressed, limit)
                compressed, limit = inflater.unconsumed_tail, CHUNK
        yield inflater.flush()
    except zlib.error as error:
        raise zipfile.BadZipFile(f"{entry.name} has a damaged stream ({error})") from error
    if not inflater.eof or inflater.unused_data:
        raise zipfile.BadZipFile(f"{entry.name} has a stream that does not end at its declared end")


def stored(name: str, data: bytes, *, executable: bool = False) -> Entry:
    """Return an entry without compression: its bytes do not depend on the version of zlib."""
    return Entry(name, zlib.crc32(data), len(data), len(data), zipfile.ZIP_STORED, executable, Stored(data))


def deflated(name: str, path: Path, spool: IO[bytes], spool_path: Path, level: int = 9) -> Entry:
    """Return an entry for a file, and append its stream to a spool.

    :param spool: the open file at ``spool_path``; it keeps large files out of memory.
    :param level: of zlib's compression, which is the best by default.
    """
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
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
