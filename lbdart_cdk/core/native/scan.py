"""Read the compiled files of a wheel, once per wheel: the store keeps the result as a note beside it.

The files of a new wheel are inflated for that, so each is checked against its size and CRC at the same time.
"""

from __future__ import annotations

import os
import posixpath
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO, Final

from ..archive.entry import Entry
from ..archive.reader import usable
from ..project.target import MAX_UNZIPPED
from ..store.store import Store, key_in
from ..wheels.contents import wheel_entries
from ..wheels.index import note_entries
from ..wheels.integrity import note_sound
from ..wheels.metadata import dist_info
from .elf import MAGIC, Elf, UnreadableElfError, read_elf
from .found import NativeFile, NativeScan, has_fallback, scan_from_json

#: The kind of the notes. Change it with their format: notes of another kind are ignored.
_KIND: Final = "native2"
#: Largest file that is unpacked in memory, in bytes; larger files go to disk.
_IN_MEMORY: Final = 4 << 20
#: Bytes to read first: most files are not ELF files, and their first bytes show it.
_FIRST: Final = 4096
#: A wheel with fewer bytes, unzipped, is scanned by one thread.
_ALONE: Final = 16 << 20
#: Bytes, unzipped, that a thread scans at a time; more if one file is larger.
_BATCH: Final = 4 << 20
#: ``_speedups.cpython-313-x86_64-linux-gnu.so``: a module, and the tag of the interpreter that it is for.
_TAGGED: Final = re.compile(r"([^.]+)\.((?:cpython-|pypy|graalpy|abi3)[^.]*)\.so")

_Batch = Sequence[Entry]
_Scanned = Callable[[_Batch], list[NativeFile]]


def scan_wheels(wheels: Iterable[tuple[str, Path]], store: Store) -> list[NativeScan]:
    """Scan wheels in the store.

    :param wheels: pairs of a package's name and its wheel's path.
    """
    return [scan_wheel(package, path, store) for package, path in wheels]


def scan_wheel(package: str, path: Path, store: Store) -> NativeScan:
    """Return the scan of a wheel in the store: from its note, else from the wheel, which it also checks.

    :raises LbdartError: when the file is not a zip that can be packed, or one of its files is damaged.
    """
    key = key_in(path)
    noted = store.recall(_KIND, key)
    if noted is not None:
        try:
            return scan_from_json(noted)
        except (KeyError, TypeError, ValueError):
            pass  # ignore a note that cannot be read
    entries = list(wheel_entries(path, package))
    size = sum(entry.size for entry in entries)
    with store.scratch() as folder, store.guarded(path), ThreadPoolExecutor(os.cpu_count()) as pool:
        # What is larger than Lambda allows is refused later, and need not be inflated.
        whole = size <= MAX_UNZIPPED
        scan = _scan(package, entries, folder, whole=whole, run=pool.map if size > _ALONE else map)
    store.note(_KIND, key, asdict(scan))
    if whole:
        note_sound(key, size, store)
        note_entries(path, entries, store)
    return scan


def scan_entries(package: str, entries: Iterable[Entry], scratch: Path) -> NativeScan:
    """Scan the compiled files among the entries of one package.

    :param scratch: a directory for temporary files; large entries are unpacked there.
    """
    return _scan(package, list(entries), scratch, whole=False, run=map)


def _scan(
    package: str,
    entries: Sequence[Entry],
    scratch: Path,
    *,
    whole: bool,
    run: Callable[[_Scanned, Iterable[_Batch]], Iterable[list[NativeFile]]],
) -> NativeScan:
    """Scan entries, those of a batch one after the other.

    :param whole: whether to inflate all files, and not only as far as they are of interest.
    :param run: calls a function for each batch, as :func:`map` does.
    """
    names = {entry.name for entry in entries}

    def scanned(batch: _Batch) -> list[NativeFile]:
        files = (_native_file(entry, names, scratch, whole=whole) for entry in batch)
        return [file for file in files if file is not None]

    with usable(package):
        files = sorted(
            (file for found in run(scanned, _batches(entries)) for file in found), key=lambda file: file.path
        )
        info = dist_info(entries)
        return NativeScan(package, info.version, info.tags, tuple(files))


def _batches(entries: Iterable[Entry]) -> Iterator[_Batch]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += entry.size
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    yield batch


def _native_file(entry: Entry, names: set[str], scratch: Path, *, whole: bool) -> NativeFile | None:
    name = posixpath.basename(entry.name)
    tagged = _TAGGED.fullmatch(name)
    if tagged is not None:
        module, tag = tagged.groups()
    else:
        stem = name.removesuffix(".so")
        module, tag = (stem if name != stem and stem.isidentifier() else ""), ""
    fallback = has_fallback(entry.name, module, names)
    try:
        elf = _elf(entry, module, scratch, whole=whole)
    except UnreadableElfError as error:
        return NativeFile(entry.name, None, str(error), module, tag, fallback)
    if elf is None:
        # A file of another system, or not a program. Only a tagged name shows that it should be a module.
        return (
            NativeFile(entry.name, None, "it is not a loadable ELF file", module, tag, fallback)
            if tag
            else None
        )
    if not tag and not elf.module:
        module = ""
    return NativeFile(entry.name, elf, "", module, tag, fallback)


def _elf(entry: Entry, module: str, scratch: Path, *, whole: bool) -> Elf | None:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(scratch)) as file:
        try:
            is_elf = _unpack(entry, file, whole=whole)
        except zipfile.BadZipFile as error:
            if whole:
                raise
            raise UnreadableElfError(str(error)) from error
        return read_elf(file, module) if is_elf else None


def _unpack(entry: Entry, file: IO[bytes], *, whole: bool) -> bool:
    """Unpack an ELF file, and tell whether the entry is one.

    :param whole: whether to inflate other files, too, and not only their first bytes.
    """
    is_elf = None
    for piece in entry.pieces(first=_FIRST):
        if is_elf is None:
            is_elf = piece.startswith(MAGIC)
        if not (is_elf or whole):
            return False
        if is_elf and entry.size > MAX_UNZIPPED:
            raise UnreadableElfError("it is larger than Lambda allows")
        if is_elf:
            file.write(piece)
    return bool(is_elf)
