"""Reads a zip as an inventory: whose file is which. The zip may be anybody's, and hostile.

Sources: *Recording installed projects* (PyPA) for RECORD; *Binary distribution format* (PyPA) for the RECORD
of a wheel, which a layer keeps; PEP 3147 for the places of bytecode; *Packaging your layer content* (AWS
Lambda Developer Guide) for the places of packages in a layer.
"""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from ..archive.entry import Entry
from ..archive.reader import read_entries, usable
from ..wheels.contents import installed_name
from ..wheels.metadata import DistInfo
from .inventory import Inventory, Package, in_order, printable

#: Where a layer or a function's zip has its packages, and the directory of one package's metadata there.
_METADATA: Final = re.compile(
    r"(?P<place>(?:python/(?:lib/python3\.\d+/site-packages/)?)?)(?P<folder>[^/]+\.(?:dist|egg)-info)(?:/|$)"
)
#: Bytes of a list of files; that of a package with 100,000 files has fewer.
_MAX_LIST: Final = 32 << 20


def zip_inventory(path: Path, what: str | None = None) -> Inventory:
    """Return what is in a zip of a layer or of a function.

    :param what: names the zip; the file name when None.
    :raises LbdartError: when it is not a zip, or one that two readers could read differently.
    """
    named = what or path.name
    entries = read_entries(path, named, links=True)
    with usable(named):
        packages, own = _sorted_out(entries)
    return Inventory(named, "zip", packages, own, path.stat().st_size)


@dataclass(frozen=True)
class _Metadata:
    """The metadata of one package in a zip.

    :param place: the directory that the package is in, with a slash behind it, or empty.
    """

    place: str
    folder: str
    info: DistInfo

    @property
    def name(self) -> str:
        return canonicalize_name(printable(self.info.name)) or printable(self.folder)

    @property
    def version(self) -> str:
        return printable(self.info.version)

    def listed(self, names: Collection[str]) -> set[str]:
        """Return which of the names of a zip's files RECORD lists, the metadata itself aside."""
        entry = self.info.files.get("RECORD")
        if entry is None or entry.size > _MAX_LIST:
            return set()
        try:
            rows = list(
                csv.reader(io.StringIO(entry.read().decode(errors="replace"), newline=""), strict=True)
            )
        except csv.Error:
            return set()  # half a list would leave half a package
        paths = (path for row in rows if row for path in self._paths(row[0]) if path in names)
        return {path for path in paths if not path.startswith(f"{self.place}{self.folder}/")}

    def _paths(self, listed: str) -> Iterator[str]:
        """Yield where a file of RECORD may be: as an installer places it, or as ``--target`` does."""
        path = installed_name(listed.replace("\\", "/"))
        if path is not None:
            yield posixpath.normpath(self.place + path)
            yield self.place + re.sub(r"^(?:\.\./)+", "", path)

    def claims(self, top: str) -> bool:
        """Tell whether a file or directory at the top belongs to the package, when RECORD lists nothing."""
        names = self.info.files.get("top_level.txt")
        module = top.partition(".")[0]
        if names is not None and names.size < _MAX_LIST:
            return module in names.read().decode(errors="replace").split()
        return canonicalize_name(module) == self.name


def _sorted_out(entries: Collection[Entry]) -> tuple[tuple[Package, ...], dict[str, Entry]]:
    """Return the packages with their files, and the files of none."""
    names = {entry.name for entry in entries}
    metadata = _metadata_in(entries)
    owners = _owners(names, metadata)
    places = {one.place for one in metadata}
    found: defaultdict[str, list[tuple[str, Entry]]] = defaultdict(list)
    own: list[tuple[str, Entry]] = []
    for entry in entries:
        owner = owners.get(entry.name)
        if owner is None:
            own.append((_place_of(entry.name, places), entry))
        else:
            found[owner.name].append((owner.place, entry))
    versions: defaultdict[str, list[str]] = defaultdict(list)
    for one in metadata:
        versions[one.name] += filter(None, [one.version])
    packages = (
        Package(name, in_order(versions[name]), files=_below(found[name])) for name in sorted(versions)
    )
    return tuple(packages), _below(own)


def _below(entries: Collection[tuple[str, Entry]]) -> dict[str, Entry]:
    """Return files by their paths below their places; by their whole paths, when two would be the same."""
    below = {entry.name.removeprefix(place): entry for place, entry in entries}
    return below if len(below) == len(entries) else {entry.name: entry for _, entry in entries}


def _place_of(name: str, places: Collection[str]) -> str:
    """Return the directory of packages that a file is in; the top when packages are there."""
    if "" in places:
        return ""
    return max((place for place in places if name.startswith(place)), key=len, default="")


def _metadata_in(entries: Iterable[Entry]) -> list[_Metadata]:
    found: defaultdict[tuple[str, str], dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        if (match := _METADATA.match(entry.name)) is not None:
            name = entry.name[match.end() :]
            # An egg's PKG-INFO, which may also be the only file, has the fields of METADATA.
            is_fields = match["folder"].endswith(".egg-info") and name in ("PKG-INFO", "")
            found[match["place"], match["folder"]]["METADATA" if is_fields else name] = entry
    metadata = [_Metadata(place, folder, DistInfo(folder, files)) for (place, folder), files in found.items()]
    return sorted(metadata, key=lambda one: (one.name, one.place, one.folder))


def _owners(names: Collection[str], metadata: Collection[_Metadata]) -> Mapping[str, _Metadata]:
    """Return the package of each file that belongs to one.

    Where two packages list a file, it is the later one's, as in a layer.
    """
    owners: dict[str, _Metadata] = {}
    unlisted = []
    for one in metadata:
        listed = one.listed(names)
        owners |= dict.fromkeys(listed, one)
        if not listed:
            unlisted.append(one)
    by_folder = {f"{one.place}{one.folder}": one for one in metadata}
    for name in names:
        if (match := _METADATA.match(name)) is not None:
            owners[name] = by_folder[f"{match['place']}{match['folder']}"]
        elif name not in owners:
            owner = owners.get(_source_of(name)) or _claiming(name, unlisted)
            if owner is not None:
                owners[name] = owner
    return owners


def _source_of(name: str) -> str:
    """Return the module that a file of bytecode would be of; an empty text for another file."""
    folder, _, file = name.rpartition("/")
    if not file.endswith((".pyc", ".pyo")):
        return ""
    if folder.rpartition("/")[2] == "__pycache__":
        return f"{folder.removesuffix('__pycache__')}{file.partition('.')[0]}.py"
    return f"{name[:-1]}"


def _claiming(name: str, unlisted: Iterable[_Metadata]) -> _Metadata | None:
    return next(
        (
            one
            for one in unlisted
            if name.startswith(one.place) and one.claims(name.removeprefix(one.place).partition("/")[0])
        ),
        None,
    )
