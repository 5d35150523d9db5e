"""Read a package's ``.dist-info``; nothing else does, so one limit on memory holds everywhere.

Sources: *Core metadata specifications* and *Binary distribution format* (PyPA); *The Internal Structure of
Python Eggs* (setuptools) for ``.egg-info``.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..archive.entry import Entry, stored
from ..archive.reader import read_entries, usable
from ..locking.lock import requirement

if TYPE_CHECKING:
    from email.message import Message

#: Largest size of one file, in bytes. The largest METADATA files in use have less than one MiB, and a parser
#: needs many times the file's size in memory.
_MAX_SIZE: Final = 4 << 20


@dataclass(frozen=True)
class DistInfo:
    """The ``.dist-info`` of a package; its files are read when they are needed.

    :param folder: the directory's name, ``alpha-1.0.dist-info``; empty when there is none.
    :param files: the directory's files, by name.
    """

    folder: str
    files: Mapping[str, Entry]

    @cached_property
    def fields(self) -> Message:
        """The fields of METADATA.

        :raises zipfile.BadZipFile: when the file is too large or damaged.
        """
        return _fields(self.files.get("METADATA"))

    @property
    def name(self) -> str:
        """The name in METADATA, else in the directory's name; empty when neither has it."""
        return str(self.fields.get("Name", "")).strip() or self.folder.partition("-")[0]

    @property
    def version(self) -> str:
        """The version in METADATA, else in the directory's name; empty when neither has it."""
        in_folder_name = self.folder.removesuffix(".dist-info").partition("-")[2]
        return str(self.fields.get("Version", "")).strip() or in_folder_name

    @property
    def licence(self) -> str:
        """The licence: an expression, a name or the whole text; empty when there is none."""
        return str(self.fields.get("License-Expression") or self.fields.get("License") or "").strip()

    @property
    def requires(self) -> tuple[str, ...]:
        """The package's requirements, written as in a lock."""
        return tuple(_requirements(map(str, self.fields.get_all("Requires-Dist", ()))))

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags in the WHEEL file."""
        return tuple(map(str, _fields(self.files.get("WHEEL")).get_all("Tag", ())))


def dist_info(entries: Iterable[Entry]) -> DistInfo:
    """Return the metadata among the files of a wheel."""
    folder, files = "", {}
    for entry in entries:
        name = name_in_dist_info(entry)
        if name is not None:
            folder = entry.name.partition("/")[0]
            files[name] = entry
    return DistInfo(folder, files)


def dist_info_of(path: Path, what: str | None = None) -> DistInfo:
    """Return the metadata of a wheel.

    :param what: names the wheel in messages.
    :raises LbdartError: when the wheel cannot be read or its METADATA is too large.
    """
    info = dist_info(read_entries(path, what))
    with usable(what or path.name):
        _ = info.fields
    return info


def installed_info(path: Path) -> DistInfo:
    """Return the metadata of an installed package.

    :param path: its ``.dist-info`` or ``.egg-info``, which may also be a single file.
    """
    if path.suffix == ".dist-info":
        text = _start_of(path / "METADATA")
    else:
        asked = _requires_of_egg(_start_of(path / "requires.txt").decode(errors="replace"))
        fields = "".join(f"Requires-Dist: {requirement}\n" for requirement in asked)
        text = fields.encode() + _start_of(path if path.is_file() else path / "PKG-INFO")
    return DistInfo(path.name, {"METADATA": stored("METADATA", text[:_MAX_SIZE])})


def _start_of(path: Path) -> bytes:
    """Return the start of a file, which has the fields; nothing for a file that is not there."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SIZE)
    except OSError:
        return b""


def _requires_of_egg(text: str) -> Iterator[str]:
    """Yield the requirements in ``requires.txt``: those below ``[extra:marker]`` have this condition."""
    condition = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            extra, _, marker = line.strip("[]").partition(":")
            conditions = [f"({marker})" if marker else "", f'extra == "{extra}"' if extra else ""]
            condition = " and ".join(filter(None, conditions))
        else:
            yield f"{line} ; {condition}" if condition else line


def name_in_dist_info(entry: Entry) -> str | None:
    """Return the file's name in the wheel's ``.dist-info``, or None for a file elsewhere."""
    folder, _, name = entry.name.rpartition("/")
    return name if folder.endswith(".dist-info") and "/" not in folder else None


def _fields(entry: Entry | None) -> Message:
    # Imported here, because the store notes what it once read in a wheel.
    from email.message import Message
    from email.parser import HeaderParser

    if entry is None:
        return Message()
    if entry.size > _MAX_SIZE:
        raise zipfile.BadZipFile(f"{entry.name} has {entry.size} bytes")
    # Parse text, not bytes: from bytes, headers that are not ASCII would not become str.
    return HeaderParser().parsestr(entry.read().decode(errors="replace"))


def _requirements(fields: Iterable[str]) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    for field in fields:
        with contextlib.suppress(InvalidRequirement):  # in metadata from before PEP 508
            read = Requirement(field)
            yield requirement(read.name, read.extras, str(read.marker) if read.marker is not None else None)
