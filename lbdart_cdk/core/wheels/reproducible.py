"""Rewrite a built wheel's files so that the same source gives the same bytes on every machine."""

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

#: The oldest metadata version that has these fields, and the fields that METADATA keeps. Licence and
#: description go: versions of one build backend write them into different fields.
_KEPT: Final = (
    "2.1",
    ("Name", "Version", "Summary", "Requires-Python", "Provides-Extra", "Requires-Dist"),
)
#: The same for :func:`code_of`.
_OF_CODE: Final = ("1.0", ("Name", "Version"))


def reproducible(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield a built wheel's files without anything that depends on the build backend's version.

    Files are stored uncompressed, because versions of zlib compress to different bytes. WHEEL goes, because
    it names the build backend's version. METADATA keeps the fields that code reads at run time with
    ``importlib.metadata``, in one spelling. RECORD is rewritten (*Recording installed projects*, PyPA).

    :raises zipfile.BadZipFile: when METADATA is too large.
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
    """Yield the files of a project's own wheel (:func:`reproducible`) that depend only on its code.

    METADATA keeps name and version only: a new summary or another version of a dependency does not change the
    code. RECORD goes, because it lists files that are left out of the code.

    :raises zipfile.BadZipFile: when METADATA is too large.
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
    """Return a METADATA file with these fields, in a fixed spelling and order."""
    lines = [
        f"{name}: {value}\n"
        for name in names
        for value in sorted({_normal_value(name, str(value)) for value in fields.get_all(name, ())} - {""})
    ]
    # Not the wheel's own metadata version, which depends on the backend's version.
    return "".join([f"Metadata-Version: {version}\n", *lines]).encode()


def _normal_value(name: str, value: str) -> str:
    """Return a field's value in one spelling for all versions of a backend; empty when it is invalid."""
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
