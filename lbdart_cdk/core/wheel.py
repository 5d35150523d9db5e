"""What of a wheel belongs into a Lambda zip.

Source of the rules: PEP 427 and *Binary distribution format* (PyPA), the section on ``.data``.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement, Requirement

from .archive import Entry, read_entries, stored, usable
from .build_key import is_bytecode
from .lock import requirements

if TYPE_CHECKING:
    from pathlib import Path

#: Schemes of ``<name>.data/`` whose files go where the packages are; pip puts them there for --target.
_AT_ROOT: Final = {"purelib", "platlib", "data"}
#: Of a project's own metadata, what ``importlib.metadata`` is asked for at run time. Not what it requires:
#: another version of a dependency is no change of the code.
_LASTING_FIELDS: Final = ("Name", "Version")
_MAX_METADATA: Final = 16 << 20  # bytes; the largest there are have less than one MB of it


def wheel_entries(path: Path, what: str | None = None) -> Iterator[Entry]:
    """Yield the files of a wheel under the names they have when it is installed.

    ``what`` names the wheel in messages. Left out is what does not run in Lambda or would tell one machine
    from another: bytecode, scripts (they would name an interpreter of a host) and C headers.
    """
    for entry in read_entries(path, what):
        name = installed_name(entry.name)
        if name is not None:
            yield entry if name == entry.name else entry.renamed(name)


def installed_name(name: str) -> str | None:
    """Return the name of a wheel's file below the directory of packages, or None when it has no place.

    >>> installed_name("demo-1.data/purelib/demo/x.py"), installed_name("demo-1.data/scripts/demo")
    ('demo/x.py', None)
    """
    first, _, rest = name.partition("/")
    if first.endswith(".data") and "-" in first:
        scheme, _, name = rest.partition("/")
        if scheme not in _AT_ROOT or not name:
            return None
    return None if is_bytecode(name) else name


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


def lasting(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield a freshly built wheel's files so that only the code decides their bytes.

    The streams are stored, since another zlib compresses to other bytes; WHEEL and RECORD go, since they
    name the backend's version; METADATA keeps name and version, since a new README is no new code.
    """
    for entry in entries:
        folder, _, name = entry.name.rpartition("/")
        if folder.endswith(".dist-info") and name in ("WHEEL", "RECORD"):
            continue
        data = entry.read()
        if folder.endswith(".dist-info") and name == "METADATA":
            data = _lasting_metadata(data)
        yield stored(entry.name, data, executable=entry.executable)


def _lasting_metadata(data: bytes) -> bytes:
    fields = BytesHeaderParser().parsebytes(data)
    lines = [f"{field}: {value}\n" for field in _LASTING_FIELDS for value in fields.get_all(field, ())]
    # The oldest version that these fields have: the one that came names the backend's version too.
    return "".join(["Metadata-Version: 1.0\n", *lines]).encode()
