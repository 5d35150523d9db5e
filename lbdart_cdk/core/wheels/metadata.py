"""The one reader of a wheel's ``.dist-info``: what its METADATA says, with a limit on its size.

Source of the rules: *Core metadata specifications* (PyPA).
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import BytesHeaderParser, HeaderParser
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from ..archive.entry import Entry, stored
from ..archive.reader import read_entries, usable
from ..locking.lock import requirements

if TYPE_CHECKING:
    from pathlib import Path


#: What of a built wheel's metadata is kept, with the oldest version that has these fields. Not the licence
#: and the description: versions of one build backend write them into other fields.
_KEPT: Final = (
    "2.1",
    ("Name", "Version", "Summary", "Requires-Python", "Provides-Extra", "Requires-Dist"),
)
_LASTING: Final = ("1.0", ("Name", "Version"))
_MAX_METADATA: Final = 16 << 20  # bytes; the largest there are have less than one MB of it


def required_by(path: Path, what: str | None = None) -> dict[str, str | None]:
    """Return what a wheel's metadata says it requires, without its extras, as names and markers."""
    for entry in read_entries(path, what):
        if entry.name.endswith(".dist-info/METADATA") and entry.name.count("/") == 1:
            with usable(what or path.name):
                if entry.size > _MAX_METADATA:
                    raise zipfile.BadZipFile(f"its metadata has {entry.size} bytes")
                fields = BytesHeaderParser().parsebytes(entry.read()).get_all("Requires-Dist", ())
            return requirements(_parsed(map(str, fields)))
    return {}


def _parsed(fields: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    for field in fields:
        with contextlib.suppress(InvalidRequirement):  # in metadata from before PEP 508
            requirement = Requirement(field)
            yield requirement.name, str(requirement.marker) if requirement.marker is not None else None


def version_of(path: Path) -> str:
    """Return the version that a wheel's metadata is filed under; empty when it has none."""
    for entry in read_entries(path):
        folder, _, name = entry.name.rpartition("/")
        if name == "METADATA" and folder.endswith(".dist-info"):
            return folder.removesuffix(".dist-info").partition("-")[2]
    return ""


def rebuilt(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield a freshly built wheel's files so that the same source gives the same bytes, whoever builds it.

    The streams are stored, since another zlib compresses to other bytes. WHEEL goes, since it names the build
    backend's version; METADATA keeps what ``importlib.metadata`` is asked for at run time, in one spelling;
    RECORD is written anew (*Recording installed projects*, PyPA). Raises :class:`zipfile.BadZipFile` for
    metadata that is too large.
    """
    record: list[tuple[str, str, str]] = []
    written = None
    for entry in entries:
        name = _name_in_info(entry)
        if name in ("WHEEL", "RECORD"):
            continue
        if name == "METADATA":
            data = _metadata(entry, *_KEPT)
            written = f"{entry.name.removesuffix(name)}RECORD"
        else:
            data = entry.read()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append((entry.name, f"sha256={digest}", str(len(data))))
        yield stored(entry.name, data, executable=entry.executable)
    if written is not None:
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows([*sorted(record), (written, "", "")])
        yield stored(written, lines.getvalue().encode())


def lasting(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the files of a project's own wheel, :func:`rebuilt`, so that only its code decides their bytes.

    METADATA keeps name and version: a new summary or another version of a dependency is no new code. RECORD
    goes: what is left out of the code is in it.
    """
    for entry in entries:
        name = _name_in_info(entry)
        if name == "METADATA":
            yield stored(entry.name, _metadata(entry, *_LASTING))
        elif name != "RECORD":
            yield entry


def _name_in_info(entry: Entry) -> str | None:
    """Return the name of a file in the wheel's ``.dist-info``; None for all others."""
    folder, _, name = entry.name.rpartition("/")
    return name if folder.endswith(".dist-info") and "/" not in folder else None


def _metadata(entry: Entry, version: str, names: Iterable[str]) -> bytes:
    """Return a METADATA file with these fields, each in one spelling and in one order."""
    if entry.size > _MAX_METADATA:
        raise zipfile.BadZipFile(f"its metadata has {entry.size} bytes")
    # Not parsed as bytes: a header that is not ASCII would not be text then.
    fields = HeaderParser().parsestr(entry.read().decode(errors="replace"))
    lines = [
        f"{name}: {value}\n"
        for name in names
        for value in sorted({_spelled(name, str(value)) for value in fields.get_all(name, ())} - {""})
    ]
    # Not the version that came, which depends on the backend's.
    return "".join([f"Metadata-Version: {version}\n", *lines]).encode()


def _spelled(name: str, value: str) -> str:
    """Return a field's value as no backend's version would change it; empty when it is no value of it."""
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
