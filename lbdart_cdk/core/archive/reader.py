"""Reads the entries of a zip, and refuses zips that two readers could read differently.

Wheels come from other people, so a zip may be hostile. Only the files in its directory are read. Reading
inflates nothing; :meth:`Entry.pieces` checks the bytes when they are inflated later.

Source: *APPNOTE.TXT, .ZIP File Format Specification* (PKWARE).
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Final

from ..errors import LbdartError, explained
from . import end_record
from .entry import Entry, Stream
from .headers import LOCAL_HEADER, LOCAL_SIGNATURE, UTF8_NAME
from .names import safe_name

if TYPE_CHECKING:
    from pathlib import Path

_SIZES_BEHIND: Final = 0x8  # a data descriptor after the stream holds the CRC and sizes
_UNREADABLE: Final = 0x1 | 0x20 | 0x40 | 0x2000  # encrypted, patched, strongly encrypted, masked
_IN_EXTRA_FIELD: Final = 0xFFFFFFFF  # zip64
_UNICODE_PATH: Final = 0x7075  # an extra field with a second name (Info-ZIP)
_MAX_RATIO: Final = 1032  # of deflate: the longest match, 258 bytes, takes one bit and one for its distance


def usable(what: str) -> AbstractContextManager[None]:
    """Turn the exceptions of a bad zip into a message.

    :param what: the name of the zip in the message.
    """
    return explained(
        lambda error: LbdartError(
            f"{what} is not a usable zip archive: {error}.",
            "Delete it and build again; if the error comes back, the published file itself is bad.",
        ),
        # Not only BadZipFile: for hostile bytes, zipfile also raises the errors of its decoders and struct.
        *(zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error),
    )


def read_entries(path: Path, what: str | None = None, *, links: bool = False) -> list[Entry]:
    """Return the files of a zip, in the order of its directory.

    :param what: the name of the zip in messages; the file name when None.
    :param links: whether the zip may have symbolic links.
    :raises LbdartError: when the file is not a zip, when an entry cannot be copied (an unsafe name, a link,
        encryption, an unknown compression), or when readers could read the zip in two ways: the directory and
        the headers before the files disagree, or there are two end records.
    """
    with usable(what or path.name), path.open("rb") as file, zipfile.ZipFile(file) as archive:
        _refuse_second_end(file, archive)
        entries = []
        extents = []
        for info in archive.infolist():
            is_folder = info.orig_filename.endswith("/")
            name = safe_name(info.orig_filename[:-1] if is_folder else info.orig_filename)
            if not is_folder:
                _refuse_special_file(info, links)
            start = _stream_start(info, file, archive.start_dir)
            extents.append((info.header_offset, start + info.compress_size))
            if not is_folder:
                entries.append(_entry(name, info, Stream(path, start, info.compress_size)))
        _refuse_overlap(file, extents, archive.start_dir)
        _refuse_duplicates(entries)
    return entries


def _refuse_second_end(file: IO[bytes], archive: zipfile.ZipFile) -> None:
    """Refuse bytes after the directory's end record: another reader may find a second end there."""
    file.seek(-end_record.SIZE - len(archive.comment), os.SEEK_END)
    end = file.read(end_record.SIZE)
    if not end.startswith(end_record.SIGNATURE) or end_record.SIGNATURE in archive.comment:
        raise zipfile.BadZipFile("it does not end with exactly one end record")


def _refuse_overlap(file: IO[bytes], extents: list[tuple[int, int]], directory: int) -> None:
    """Refuse files that share bytes, and a second end record between files.

    A small zip whose files share bytes can unpack to petabytes (*A better zip bomb*, David Fifield).

    :param extents: the start and end of each file.
    :param directory: the offset of the directory.
    """
    previous_end = 0
    for start, end in [*sorted(extents), (directory, directory)]:
        if start < previous_end:
            raise zipfile.BadZipFile("its files overlap")
        if start - previous_end >= end_record.SIZE:
            file.seek(previous_end)
            if end_record.SIGNATURE in file.read(start - previous_end):
                raise zipfile.BadZipFile("it has more than one end record")
        previous_end = end


def _refuse_duplicates(entries: list[Entry]) -> None:
    names: set[str] = set()
    for entry in entries:
        if entry.name in names:
            raise zipfile.BadZipFile(f"it has two files with the name {entry.name}")
        names.add(entry.name)


def _refuse_special_file(info: zipfile.ZipInfo, links: bool) -> None:
    name, mode = info.orig_filename, info.external_attr >> 16
    if info.flag_bits & _UNREADABLE:
        raise zipfile.BadZipFile(f"{name} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{name} uses compression method {info.compress_type}")
    if stat.S_ISLNK(mode) and not links:
        raise zipfile.BadZipFile(f"{name} is a symbolic link")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFLNK):
        raise zipfile.BadZipFile(f"{name} is not a regular file")
    if _has_second_name(info):
        raise zipfile.BadZipFile(f"{name} has a second name")


def _stream_start(info: zipfile.ZipInfo, file: IO[bytes], directory: int) -> int:
    """Return the offset of a file's stream, after a check of the header before it.

    Only that header tells where the stream starts. The other fields must match the directory.

    :param directory: the offset of the directory.
    """
    name = info.orig_filename.encode("utf-8" if info.flag_bits & UTF8_NAME else "cp437")
    # A hostile directory can give an offset before the archive, or one where no file can be.
    inside = 0 <= info.header_offset < directory
    file.seek(info.header_offset if inside else directory)
    header = file.read(LOCAL_HEADER.size + len(name))
    if not inside or len(header) < LOCAL_HEADER.size or header[:4] != LOCAL_SIGNATURE:
        raise zipfile.BadZipFile(f"{info.orig_filename} has no local header")
    _, _, flags, method, _, _, crc, compressed, size, name_length, extra_length = LOCAL_HEADER.unpack_from(
        header
    )
    sizes_agree = flags & _SIZES_BEHIND or (
        crc == info.CRC
        and compressed in (info.compress_size, _IN_EXTRA_FIELD)
        and size in (info.file_size, _IN_EXTRA_FIELD)
    )
    same_name = name_length == len(name) and header.endswith(name)
    if not (sizes_agree and same_name and method == info.compress_type) or flags & _UNREADABLE:
        raise zipfile.BadZipFile(f"{info.orig_filename} has a header that does not match the directory")
    return info.header_offset + LOCAL_HEADER.size + len(name) + int(extra_length)


def _entry(name: str, info: zipfile.ZipInfo, content: Stream) -> Entry:
    size, compressed, method = info.file_size, info.compress_size, info.compress_type
    if not size and not compressed:
        method = zipfile.ZIP_STORED  # an empty stream is not a valid deflate stream
    if size > compressed * _MAX_RATIO if method == zipfile.ZIP_DEFLATED else size != compressed:
        raise zipfile.BadZipFile(f"{name} cannot be {size} bytes, compressed to {compressed}")
    mode = info.external_attr >> 16
    return Entry(name, info.CRC, size, compressed, method, bool(mode & 0o111), content, stat.S_ISLNK(mode))


def _has_second_name(info: zipfile.ZipInfo) -> bool:
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        # The field holds a version, the CRC of the first name, then the second name.
        if kind == _UNICODE_PATH and extra[9 : 4 + length] != info.orig_filename.encode():
            return True
        extra = extra[4 + length :]
    return False
