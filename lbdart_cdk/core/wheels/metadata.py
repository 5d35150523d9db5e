"""The one reader of a wheel's ``.dist-info``, with one limit on what it takes into memory.

Sources: *Core metadata specifications* and *Binary distribution format* (PyPA).
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from functools import cached_property
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

from ..archive.entry import Entry
from ..archive.reader import read_entries, usable
from ..locking.lock import Requirements, requirements

#: Bytes of one file. The largest METADATA files there are have less than one MiB, and a parser takes
#: many times as much memory as the file.
_MAX_SIZE: Final = 4 << 20


@dataclass(frozen=True)
class DistInfo:
    """What is known of a package: the files of its ``.dist-info``, read when they are asked for.

    :param folder: the directory's name, ``alpha-1.0.dist-info``; empty when there is none.
    :param files: its files by name.
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
    def version(self) -> str:
        """The version, as METADATA has it, else as the directory's name does; empty when neither says it."""
        filed = self.folder.removesuffix(".dist-info").partition("-")[2]
        return str(self.fields.get("Version", "")).strip() or filed

    @property
    def licence(self) -> str:
        """The licence: an expression, a name or the whole text; empty when there is none."""
        return str(self.fields.get("License-Expression") or self.fields.get("License") or "").strip()

    @property
    def requires(self) -> Requirements:
        """What the package requires without its extras, as names and markers."""
        return requirements(_edges(map(str, self.fields.get_all("Requires-Dist", ()))))

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that the wheel gives itself."""
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
    """Return the metadata of a wheel; it raises as :func:`~lbdart_cdk.core.archive.reader.read_entries` does.

    :param what: names the wheel in messages.
    """
    found = dist_info(read_entries(path, what))
    with usable(what or path.name):
        _ = found.fields
    return found


def name_in_dist_info(entry: Entry) -> str | None:
    """Return the name of a file in the wheel's ``.dist-info``; None for all others."""
    folder, _, name = entry.name.rpartition("/")
    return name if folder.endswith(".dist-info") and "/" not in folder else None


def _fields(entry: Entry | None) -> Message:
    if entry is None:
        return Message()
    if entry.size > _MAX_SIZE:
        raise zipfile.BadZipFile(f"{entry.name} has {entry.size} bytes")
    # Not parsed as bytes: a header that is not ASCII would not be text then.
    return HeaderParser().parsestr(entry.read().decode(errors="replace"))


def _edges(fields: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    for field in fields:
        with contextlib.suppress(InvalidRequirement):  # in metadata from before PEP 508
            requirement = Requirement(field)
            yield requirement.name, str(requirement.marker) if requirement.marker is not None else None
