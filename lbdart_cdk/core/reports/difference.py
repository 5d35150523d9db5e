"""What differs between two inventories: packages added, removed and changed, and files of the user's code."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from packaging.utils import canonicalize_version

from ..archive.entry import Entry
from ..archive.reader import usable
from .inventory import Inventory, Package

Kind = Literal["added", "removed", "changed"]

#: What installers note beside a package, each in its own way; no code depends on it.
_NOTES: Final = frozenset(
    {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"}
)


@dataclass(frozen=True)
class Files:
    """Which files differ, by their paths."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.added) + len(self.removed) + len(self.changed)

    def __str__(self) -> str:
        """Return how many there are of each kind: ``2 files changed, 1 added``."""
        counts = (("changed", self.changed), ("added", self.added), ("removed", self.removed))
        first, *others = [(kind, len(paths)) for kind, paths in counts if paths] or [("changed", 0)]
        noun = "file" if first[1] == 1 else "files"
        return ", ".join(
            [f"{first[1]:,} {noun} {first[0]}", *(f"{count:,} {kind}" for kind, count in others)]
        )

    def to_json(self) -> dict[str, list[str]]:
        """Return the paths as a document has them."""
        return {"added": [*self.added], "removed": [*self.removed], "changed": [*self.changed]}


@dataclass(frozen=True)
class Change:
    """A package that differs.

    :param before: None when it is added.
    :param after: None when it is removed.
    :param files: which of its files differ, when both sides know files and the version is the same.
    """

    name: str
    before: Package | None
    after: Package | None
    files: Files = Files()

    @property
    def kind(self) -> Kind:
        """What happened to the package."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def bytes(self) -> int | None:
        """By how many bytes the unzipped package grows; None when one side does not know."""
        sizes = [package.size for package in (self.before, self.after) if package is not None]
        if None in sizes:
            return None
        return _unzipped(self.after) - _unzipped(self.before)

    @property
    def is_same_version(self) -> bool:
        """Whether only the files differ, and not the version."""
        if self.before is None or self.after is None:
            return False
        return _versions(self.before) == _versions(self.after)

    def to_json(self) -> dict[str, Any]:
        """Return the change as a document has it."""
        return {
            "name": self.name,
            "change": self.kind,
            "same_version": self.is_same_version,
            "before": self.before.to_json() if self.before is not None else None,
            "after": self.after.to_json() if self.after is not None else None,
            "unzipped": self.bytes,
            "files": self.files.to_json(),
        }


@dataclass(frozen=True)
class Difference:
    """What differs between two inventories."""

    before: Inventory
    after: Inventory

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The packages that differ, in the order of their names."""
        before, after = self.before.by_name, self.after.by_name
        pairs = ((name, before.get(name), after.get(name)) for name in sorted({*before, *after}))
        # What a lock pins is the files for all targets; a bill of materials, the one that was taken.
        has_pins = self.before.kind == self.after.kind
        changes = (_change(name, old, new, has_pins) for name, old, new in pairs)
        return tuple(change for change in changes if change is not None)

    @cached_property
    def own(self) -> Files:
        """The files of no package that differ; none when one side does not know files."""
        if self.before.own is None or self.after.own is None:
            return Files()
        with usable("One of the zips"):
            return differing(self.before.own, self.after.own)

    @property
    def bytes(self) -> int | None:
        """By how many bytes all that is unzipped grows; None when one side does not know."""
        before, after = self.before.size, self.after.size
        return after.unzipped - before.unzipped if before is not None and after is not None else None

    def to_json(self) -> dict[str, Any]:
        """Return the difference as a document has it."""
        return {
            "before": _side(self.before),
            "after": _side(self.after),
            "unzipped": self.bytes,
            "packages": [change.to_json() for change in self.changes],
            "own_code": self.own.to_json(),
        }

    def of(self, kind: Kind) -> list[Change]:
        """Return the changes of a kind."""
        return [change for change in self.changes if change.kind == kind]

    def __bool__(self) -> bool:
        return bool(self.changes or self.own)


def differing(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> Files:
    """Return which files differ.

    :raises zipfile.BadZipFile: when one cannot be read.
    """
    return Files(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(_changed(before, after))),
    )


def _changed(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> Iterator[str]:
    for path in before.keys() & after.keys():
        one, other = before[path], after[path]
        same_kind = (one.link, one.executable) == (other.link, other.executable)
        if not (same_kind and (_same_stream(one, other) or one.same_file(other))):
            yield path


def _same_stream(one: Entry, other: Entry) -> bool:
    """Tell whether two files are the same without inflating them, as most are in two zips of one builder."""
    if (one.method, one.crc, one.compressed_size) != (other.method, other.crc, other.compressed_size):
        return False
    return all(map(operator.eq, one.content.chunks(), other.content.chunks()))


def _change(name: str, before: Package | None, after: Package | None, has_pins: bool) -> Change | None:
    if before is None or after is None or _versions(before) != _versions(after):
        return Change(name, before, after)
    if before.files is not None and after.files is not None:
        with usable(name):
            files = differing(_compared(before.files), _compared(after.files))
        return Change(name, before, after, files) if files else None
    return Change(name, before, after) if has_pins and before.pins != after.pins else None


def _unzipped(package: Package | None) -> int:
    return package.size.unzipped if package is not None and package.size is not None else 0


def _side(inventory: Inventory) -> dict[str, Any]:
    sizes = inventory.size.to_json() if inventory.size is not None else {}
    return {"what": inventory.what, "kind": inventory.kind, **sizes}


def _versions(package: Package) -> set[str]:
    """Return the versions of a package in a form in which equal ones are the same (PEP 440)."""
    return {canonicalize_version(version) for version in package.versions}


def _compared(files: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the files that are compared: all but the notes of installers."""
    return {path: entry for path, entry in files.items() if not _is_note(path)}


def _is_note(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name in _NOTES and folder.endswith(".dist-info") and "/" not in folder
