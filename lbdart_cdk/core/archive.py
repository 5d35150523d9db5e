"""Zip archives whose bytes depend on nothing but their entries.

A zip is written from :class:`Entry` values. An entry that comes from another zip brings its compressed
stream as it is: nothing is inflated or deflated again. Names are sorted, times fixed, modes reduced to
"may be read" and "may be run"; the order, the host and the user do not show.

Wheels are other people's files. What two readers of zips could read differently is refused, and nothing of
a zip is carried over but what its directory names; reading inflates nothing, :meth:`Entry.pieces` checks
what is inflated.

Source of the format: *APPNOTE.TXT, .ZIP File Format Specification* (PKWARE).
"""

from __future__ import annotations

import contextlib
import hashlib
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

_END_SIGNATURE: Final = b"PK\x05\x06"
_SIZES_BEHIND: Final = 0x8  # a data descriptor behind the stream has CRC and sizes
_UNREADABLE: Final = 0x1 | 0x20 | 0x40 | 0x2000  # encrypted, patched, strongly encrypted, masked
_IN_EXTRA_FIELD: Final = 0xFFFFFFFF  # zip64
_UNICODE_PATH: Final = 0x7075  # an extra field with a second name (Info-ZIP)
_UTF8_NAME: Final = 0x800
_MADE_ON_UNIX: Final = 3 << 8 | 20
_DOS_EPOCH_DATE: Final = 1 << 5 | 1  # 1980-01-01, the first day that the format can name
_MAX_ENTRIES: Final = 0xFFFF
_MAX_BYTES: Final = 0xFFFFFFFF
_MAX_RATIO: Final = 1032  # of deflate: a bit for 258 bytes, the longest match, and a bit for its distance
_MAX_PART: Final = 255  # bytes of a file name: NAME_MAX of Linux
_MAX_NAME: Final = 4000  # bytes of a path: PATH_MAX of Linux less ``/opt/python/``
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

    def pieces(self) -> Iterator[bytes]:
        """Yield the file's bytes, never more of them than it says.

        Raises :class:`zipfile.BadZipFile` when the stream is damaged, does not end where it says, or holds
        other bytes than size and CRC say.
        """
        crc = size = 0
        for piece in _inflated(self) if self.method == zipfile.ZIP_DEFLATED else self.content.chunks():
            size += len(piece)
            if size > self.size:
                break
            crc = zlib.crc32(piece, crc)
            yield piece
        if (crc, size) != (self.crc, self.size):
            raise zipfile.BadZipFile(f"{self.name} does not hold the bytes that its size and CRC say")


def _inflated(entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in entry.content.chunks():
            left = chunk
            while left:
                yield inflater.decompress(left, _CHUNK)
                left = inflater.unconsumed_tail
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
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
            spool.write(compressor.compress(chunk))
    spool.write(compressor.flush())
    length = spool.tell() - offset
    return Entry(
        name, crc, size, length, zipfile.ZIP_DEFLATED, executable, Stream(spool_path, offset, length)
    )


@contextlib.contextmanager
def usable(what: str) -> Iterator[None]:
    """Turn what is wrong with the zip called ``what`` into a message."""
    try:
        yield
    # Not only BadZipFile: zipfile lets through what its decoders and struct raise at hostile bytes.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error) as error:
        raise LbdartError(
            f"{what} is not a usable zip archive: {error}.",
            "Delete it and build again; if the error stays, the file was published like this.",
        ) from error


def read_entries(path: Path, what: str | None = None) -> list[Entry]:
    """Return the files of a zip, in the order of its directory; ``what`` names it in messages.

    Raises :class:`LbdartError` when it is no zip, holds what cannot be carried over (an unsafe name, a link,
    encryption, an unknown compression), or can be read in two ways: by the directory or by the headers
    before each file, by one end record or another.
    """
    with usable(what or path.name), path.open("rb") as file, zipfile.ZipFile(file) as archive:
        _refuse_second_end(file, archive)
        entries = []
        extents = []
        for info in archive.infolist():
            is_folder = info.orig_filename.endswith("/")
            name = safe_name(info.orig_filename[:-1] if is_folder else info.orig_filename)
            if not is_folder:
                _refuse_what_is_no_plain_file(info)
            start = _stream_start(info, file, archive.start_dir)
            extents.append((info.header_offset, start + info.compress_size))
            if not is_folder:
                entries.append(_entry(name, info, Stream(path, start, info.compress_size)))
        _refuse_overlap(file, extents, archive.start_dir)
        _refuse_duplicates(entries)
    return entries


def _refuse_second_end(file: IO[bytes], archive: zipfile.ZipFile) -> None:
    """Refuse what lies behind the directory's end record: another reader may take that for the end."""
    file.seek(-_END.size - len(archive.comment), os.SEEK_END)
    end = file.read(_END.size)
    if not end.startswith(_END_SIGNATURE) or _END_SIGNATURE in archive.comment:
        raise zipfile.BadZipFile("it has more than one end")


def _refuse_overlap(file: IO[bytes], extents: list[tuple[int, int]], directory: int) -> None:
    """Refuse files that share bytes, and another archive's end between them.

    Sharing is how a small zip unpacks to petabytes (*A better zip bomb*, David Fifield).
    """
    before = 0
    for start, end in [*sorted(extents), (directory, directory)]:
        if start < before:
            raise zipfile.BadZipFile("its files overlap")
        if start - before >= _END.size:
            file.seek(before)
            if _END_SIGNATURE in file.read(start - before):
                raise zipfile.BadZipFile("it has more than one end")
        before = end


def _refuse_duplicates(entries: list[Entry]) -> None:
    names: set[str] = set()
    for entry in entries:
        if entry.name in names:
            raise zipfile.BadZipFile(f"it has two files of the name {entry.name}")
        names.add(entry.name)


def _refuse_what_is_no_plain_file(info: zipfile.ZipInfo) -> None:
    name, mode = info.orig_filename, info.external_attr >> 16
    if info.flag_bits & _UNREADABLE:
        raise zipfile.BadZipFile(f"{name} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{name} uses compression method {info.compress_type}")
    if stat.S_ISLNK(mode):
        raise zipfile.BadZipFile(f"{name} is a symbolic link")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise zipfile.BadZipFile(f"{name} is no regular file")
    if _has_second_name(info):
        raise zipfile.BadZipFile(f"{name} has a second name")


def _stream_start(info: zipfile.ZipInfo, file: IO[bytes], directory: int) -> int:
    """Return where a file's stream starts, as only the header before it tells.

    That header repeats what the directory says, and must agree with it. The directory itself starts at the
    offset ``directory``.
    """
    name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8_NAME else "cp437")
    # The offset is what the directory claims, and may be before the archive or where no file can have bytes.
    inside = 0 <= info.header_offset < directory
    file.seek(info.header_offset if inside else directory)
    header = file.read(_LOCAL_HEADER.size + len(name))
    if not inside or len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"{info.orig_filename} has no local header")
    _, _, flags, method, _, _, crc, compressed, size, name_length, extra_length = _LOCAL_HEADER.unpack_from(
        header
    )
    sizes_agree = flags & _SIZES_BEHIND or (
        crc == info.CRC
        and compressed in (info.compress_size, _IN_EXTRA_FIELD)
        and size in (info.file_size, _IN_EXTRA_FIELD)
    )
    same_name = name_length == len(name) and header.endswith(name)
    if not (sizes_agree and same_name and method == info.compress_type) or flags & _UNREADABLE:
        raise zipfile.BadZipFile(f"{info.orig_filename} has a header that does not agree with the directory")
    return info.header_offset + _LOCAL_HEADER.size + len(name) + int(extra_length)


def _entry(name: str, info: zipfile.ZipInfo, content: Stream) -> Entry:
    size, compressed, method = info.file_size, info.compress_size, info.compress_type
    if not size and not compressed:
        method = zipfile.ZIP_STORED  # whatever the writer called it: no stream is no deflate stream
    if size > compressed * _MAX_RATIO if method == zipfile.ZIP_DEFLATED else size != compressed:
        raise zipfile.BadZipFile(f"{name} cannot be {size} bytes, compressed to {compressed}")
    return Entry(name, info.CRC, size, compressed, method, bool(info.external_attr >> 16 & 0o111), content)


def _has_second_name(info: zipfile.ZipInfo) -> bool:
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        # A version, the CRC of the first name, then the second one.
        if kind == _UNICODE_PATH and extra[9 : 4 + length] != info.orig_filename.encode():
            return True
        extra = extra[4 + length :]
    return False


def safe_name(name: str) -> str:
    """Return an entry's name when it stays inside the directory it is unpacked in, on Linux.

    Raises :class:`zipfile.BadZipFile` for absolute names, ``..``, empty parts, backslashes, drive
    letters, control characters, and what is too long for a file name or no Unicode.
    """
    parts = name.split("/")
    if _UNSAFE_CHARACTERS.search(name) or not {"", ".", ".."}.isdisjoint(parts):
        raise zipfile.BadZipFile(f"it has an entry with the unsafe name {name!r}")
    if len(name) > _MAX_PART // 4 or not name.isascii():
        try:
            lengths = [len(part.encode()) for part in parts]
        except UnicodeEncodeError as error:
            raise zipfile.BadZipFile(f"it has an entry with the unsafe name {name!r}") from error
        if max(lengths) > _MAX_PART or sum(lengths) + len(lengths) > _MAX_NAME:
            raise zipfile.BadZipFile(
                f"it has an entry with the unsafe name {name[:60]!r}..., which is too long"
            )
    return name


def own_name(name: str) -> str:
    """Return the name that a file of the user's gets in a zip; raises :class:`LbdartError` for a bad one."""
    try:
        return safe_name(name)
    except zipfile.BadZipFile as error:
        raise LbdartError(
            f"The file {name!r} has a name that Linux or zip readers do not take.",
            "Rename the file, or leave it out with exclude=.",
        ) from error


def write_zip(file: IO[bytes], entries: Iterable[Entry], comment: bytes = b"") -> None:
    """Write the entries to ``file``, sorted by name; ``file`` need not be seekable.

    Names must be unique. More than 65,535 entries are written as zip64. Raises :class:`LbdartError` for
    more than 4 GiB in all, far above what Lambda takes.
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
        if offset + len(directory) > _MAX_BYTES:
            raise LbdartError(
                "The zip would be larger than 4 GiB.", "Leave packages out with exclude=, the largest first."
            )
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
