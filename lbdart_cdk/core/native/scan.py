"""Read the compiled files of a wheel, once per wheel: the store keeps the result as a note beside it."""

from __future__ import annotations

import posixpath
import re
import tempfile
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from ..archive.entry import Entry
from ..archive.reader import usable
from ..project.target import MAX_UNZIPPED
from ..store.store import Store, key_in
from ..wheels.contents import wheel_entries
from ..wheels.metadata import dist_info
from .elf import MAGIC, Elf, UnreadableElfError, read_elf

#: The kind of the notes. Change it with their format: notes of another kind are ignored.
_KIND: Final = "native2"
#: Largest file that is unpacked in memory, in bytes; larger files go to disk.
_IN_MEMORY: Final = 4 << 20
#: Bytes to read first: most files are not ELF files, and their first bytes show it.
_FIRST: Final = 4096
#: ``_speedups.cpython-313-x86_64-linux-gnu.so``: a module, and the tag of the interpreter that it is for.
_TAGGED: Final = re.compile(r"([^.]+)\.((?:cpython-|pypy|graalpy|abi3)[^.]*)\.so")


@dataclass(frozen=True, slots=True)
class NativeFile:
    """One compiled file of a package.

    :param path: its path below the directory of packages.
    :param elf: what it needs; None when it cannot be read.
    :param problem: why it cannot be read; empty when it can.
    :param module: the name by which Python would import it; empty when it is not a module.
    :param tag: the interpreter's tag between the module's name and ``.so``.
    :param fallback: whether the package also has this module in Python.
    """

    path: str
    elf: Elf | None
    problem: str = ""
    module: str = ""
    tag: str = ""
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class NativeScan:
    """The compiled files of one package.

    :param package: the package's name.
    :param version: the package's version.
    :param tags: the tags in the wheel's WHEEL file.
    """

    package: str
    version: str = ""
    tags: tuple[str, ...] = ()
    files: tuple[NativeFile, ...] = ()

    def among(self, names: Collection[str]) -> NativeScan:
        """Return the scan of what is left of the package.

        :param names: the paths of the files that are left.
        """
        left = (file for file in self.files if file.path in names)
        return replace(
            self,
            files=tuple(
                replace(file, fallback=_has_fallback(file.path, file.module, names)) for file in left
            ),
        )


def scan_wheels(wheels: Iterable[tuple[str, Path]], store: Store) -> list[NativeScan]:
    """Scan wheels in the store.

    :param wheels: pairs of a package's name and its wheel's path.
    """
    from concurrent.futures import ThreadPoolExecutor  # unused when only notes are read

    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda wheel: scan_wheel(wheel[0], wheel[1], store), wheels))


def scan_wheel(package: str, path: Path, store: Store) -> NativeScan:
    """Return the scan of a wheel in the store: from its note, else by reading the wheel.

    :raises LbdartError: when the file is not a zip that can be packed.
    """
    key = key_in(path)
    noted = store.recall(_KIND, key)
    if noted is not None:
        try:
            return scan_from_json(noted)
        except (KeyError, TypeError, ValueError):
            pass  # ignore a note that cannot be read
    with store.scratch() as folder, store.guarded(path):
        scan = scan_entries(package, wheel_entries(path), folder)
    store.note(_KIND, key, asdict(scan))
    return scan


def scan_from_json(noted: dict[str, Any]) -> NativeScan:
    """Return the scan from its JSON form.

    :param noted: the result of :func:`dataclasses.asdict`.
    """
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
    """Scan the compiled files among the entries of one package.

    :param scratch: a directory for temporary files; large entries are unpacked there.
    """
    kept = list(entries)
    names = {entry.name for entry in kept}
    scanned = (_native_file(entry, names, scratch) for entry in kept)
    files = sorted((file for file in scanned if file is not None), key=lambda file: file.path)
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
    fallback = _has_fallback(entry.name, module, names)
    try:
        elf = _elf(entry, module, scratch)
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


def _has_fallback(path: str, module: str, names: Collection[str]) -> bool:
    """Tell whether the module of a compiled file is also there in Python."""
    beside = posixpath.join(posixpath.dirname(path), module)
    return bool(module) and any(name in names for name in (f"{beside}.py", f"{beside}/__init__.py"))


def _elf(entry: Entry, module: str, scratch: Path) -> Elf | None:
    if entry.size < len(MAGIC):
        return None
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(scratch)) as file:
        return read_elf(file, module) if _unpack(entry, file) else None


def _unpack(entry: Entry, file: IO[bytes]) -> bool:
    """Unpack an ELF file; stop early and return False when the entry is not an ELF file."""
    try:
        for piece in entry.pieces(first=_FIRST):
            if not file.tell() and not piece.startswith(MAGIC):
                return False
            if entry.size > MAX_UNZIPPED:
                raise UnreadableElfError("it is larger than Lambda allows")
            file.write(piece)
    except zipfile.BadZipFile as error:
        raise UnreadableElfError(str(error)) from error
    return True
