"""The compiled files of a wheel, read once in its life and kept as a note beside it in the store."""

from __future__ import annotations

import posixpath
import re
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from ..archive.entry import Entry
from ..archive.reader import usable
from ..project.target import MAX_UNZIPPED
from ..store.store import Store
from ..wheels.contents import wheel_entries
from ..wheels.metadata import dist_info
from .elf import MAGIC, Elf, UnreadableElfError, read_elf

#: Changes when a note would hold something else; older notes are then not seen.
_KIND: Final = "native1"
#: Up to here a file is unpacked in memory, beyond on disk (bytes).
_IN_MEMORY: Final = 4 << 20
#: Most files are no ELF files, which their first bytes show.
_FIRST: Final = 4096
#: ``_speedups.cpython-313-x86_64-linux-gnu.so``: a module, and the tag of the interpreter it is for.
_TAGGED: Final = re.compile(r"([^.]+)\.((?:cpython-|pypy|graalpy|abi3)[^.]*)\.so")


@dataclass(frozen=True, slots=True)
class NativeFile:
    """One compiled file: what it asks for, or why that cannot be told.

    ``module`` is the name by which it would be imported, ``tag`` the tag between that name and ``.so``;
    ``fallback`` tells that there is the same module in Python beside it.
    """

    path: str
    elf: Elf | None
    problem: str = ""
    module: str = ""
    tag: str = ""
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class NativeScan:
    """What is known of one package's compiled files; ``tags`` are those that its wheel gives itself."""

    package: str
    version: str = ""
    tags: tuple[str, ...] = ()
    files: tuple[NativeFile, ...] = ()


def scan_wheels(wheels: Iterable[tuple[str, Path]], store: Store) -> list[NativeScan]:
    """Scan wheels that the store has, by package name; what is read is kept there."""
    from concurrent.futures import ThreadPoolExecutor  # not needed to read a note

    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda wheel: scan_wheel(wheel[0], wheel[1], store), wheels))


def scan_wheel(package: str, path: Path, store: Store) -> NativeScan:
    """Scan a wheel in the store: from its note, else by reading it.

    Raises :class:`LbdartError` when the file is no zip that can be packed.
    """
    key = path.parent.name + path.stem  # the store names its files by what they hold
    noted = store.recall(_KIND, key)
    if noted is not None:
        try:
            return scan_from_json(noted)
        except (KeyError, TypeError, ValueError):
            pass  # a note that cannot be understood was never made
    with store.scratch() as folder, store.guarded(path):
        scan = scan_entries(package, wheel_entries(path), folder)
    store.note(_KIND, key, asdict(scan))
    return scan


def scan_from_json(noted: dict[str, Any]) -> NativeScan:
    """Read what :func:`dataclasses.asdict` made of a scan."""
    return NativeScan(
        str(noted["package"]),
        str(noted["version"]),
        tuple(noted["tags"]),
        tuple(_file_from_json(**file) for file in noted["files"]),
    )


def _file_from_json(elf: dict[str, Any] | None, **file: Any) -> NativeFile:
    if elf is None:
        return NativeFile(elf=None, **file)
    listed = {name: tuple(elf[name]) for name in ("needed", "search")}
    versions = tuple((library, version) for library, version in elf["versions"])
    return NativeFile(elf=Elf(**{**elf, **listed, "versions": versions}), **file)


def scan_entries(package: str, entries: Iterable[Entry], scratch: Path) -> NativeScan:
    """Read the compiled files among the entries of one package; ``scratch`` takes what is large."""
    kept = list(entries)
    names = {entry.name for entry in kept}
    found = (_native_file(entry, names, scratch) for entry in kept)
    files = sorted((file for file in found if file is not None), key=lambda file: file.path)
    with usable(package):
        info = dist_info(kept)
        return NativeScan(package, info.version, info.tags, tuple(files))


def _native_file(entry: Entry, names: set[str], scratch: Path) -> NativeFile | None:
    name = posixpath.basename(entry.name)
    tagged = _TAGGED.fullmatch(name)
    if tagged is not None:
        module, tag = tagged.groups()
    else:
        stem = name.removesuffix(".so")
        module, tag = (stem if name != stem and stem.isidentifier() else ""), ""
    beside = posixpath.join(posixpath.dirname(entry.name), module)
    fallback = bool(module) and not names.isdisjoint((f"{beside}.py", f"{beside}/__init__.py"))
    try:
        elf = _elf(entry, module, scratch)
    except UnreadableElfError as error:
        return NativeFile(entry.name, None, str(error), module, tag, fallback)
    if elf is None:
        # Something of another system, or no program at all; only a tagged name says what it wants to be.
        return NativeFile(entry.name, None, "it is no ELF file", module, tag, fallback) if tag else None
    if not tag and not elf.module:
        module = ""
    return NativeFile(entry.name, elf, "", module, tag, fallback)


def _elf(entry: Entry, module: str, scratch: Path) -> Elf | None:
    if entry.size < len(MAGIC):
        return None
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(scratch)) as file:
        return read_elf(file, module) if _unpack(entry, file) else None


def _unpack(entry: Entry, file: IO[bytes]) -> bool:
    """Unpack an ELF file; return False, and stop early, when it is none."""
    try:
        for piece in entry.pieces(first=_FIRST):
            if not file.tell() and not piece.startswith(MAGIC):
                return False
            if entry.size > MAX_UNZIPPED:
                raise UnreadableElfError("it is larger than Lambda takes")
            file.write(piece)
    except zipfile.BadZipFile as error:
        raise UnreadableElfError(str(error)) from error
    return True
