"""A freshly built wheel's files, so that the same source gives the same bytes whoever builds it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from email.message import Message
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from ..archive.entry import Entry, stored
from .metadata import dist_info, name_in_dist_info

#: What of METADATA is kept, with the oldest version that has these fields. Licence and description are not:
#: versions of one build backend write them into different fields.
_KEPT: Final = (
    "2.1",
    ("Name", "Version", "Summary", "Requires-Python", "Provides-Extra", "Requires-Dist"),
)
_OF_CODE: Final = ("1.0", ("Name", "Version"))


def reproducible(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield a built wheel's files without what depends on the version of its build backend.

    The streams are stored, since another zlib compresses to other bytes. WHEEL goes, since it names the build
    backend's version. METADATA keeps what ``importlib.metadata`` is asked for at run time, in one spelling.
    RECORD is written anew (*Recording installed projects*, PyPA).

    :raises zipfile.BadZipFile: for metadata that is too large.
    """
    files = list(entries)
    info = dist_info(files)
    record: list[tuple[str, str, str]] = []
    for entry in files:
        name = name_in_dist_info(entry)
        if name in ("WHEEL", "RECORD"):
            continue
        data = _metadata(info.fields, *_KEPT) if name == "METADATA" else entry.read()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append((entry.name, f"sha256={digest}", str(len(data))))
        yield stored(entry.name, data, executable=entry.executable)
    if "METADATA" in info.files:
        path = f"{info.folder}/RECORD"
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows([*sorted(record), (path, "", "")])
        yield stored(path, lines.getvalue().encode())


def code_of(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the files of a project's own wheel (:func:`reproducible`) whose bytes only its code decides.

    METADATA keeps name and version: a new summary or another version of a dependency is no new code. RECORD
    goes, since files that are left out of the code are in it.
    """
    files = list(entries)
    info = dist_info(files)
    for entry in files:
        name = name_in_dist_info(entry)
        if name == "METADATA":
            yield stored(entry.name, _metadata(info.fields, *_OF_CODE))
        elif name != "RECORD":
            yield entry


def _metadata(fields: Message, version: str, names: Iterable[str]) -> bytes:
    """Return a METADATA file with these fields, each in one spelling and in one order."""
    lines = [
        f"{name}: {value}\n"
        for name in names
        for value in sorted({_spelled(name, str(value)) for value in fields.get_all(name, ())} - {""})
    ]
    # Not the version that came, which depends on the backend's.
    return "".join([f"Metadata-Version: {version}\n", *lines]).encode()


def _spelled(name: str, value: str) -> str:
    """Return a field's value as no backend's version would change it; empty when it is invalid."""
    try:
        if name == "Requires-Dist":
            requirement = Requirement(value)
            requirement.name = canonicalize_name(requirement.name)
            return str(requirement)
        if name == "Requires-Python":
            return str(SpecifierSet(value))
    except (InvalidRequirement, InvalidSpecifier):  # in metadata from before PEP 508 and PEP 440
        return ""
    return canonicalize_name(value) if name == "Provides-Extra" else " ".join(value.split())
