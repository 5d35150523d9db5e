"""What differs between two inventories: packages added, removed and changed, and files of the user's code."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

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
    def is_same_version(self) -> bool:
        """Whether only the files differ, and not the version."""
        if self.before is None or self.after is None:
            return False
        return _versions(self.before) == _versions(self.after)


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

    def of(self, kind: Kind) -> list[Change]:
        """Return the changes of a kind."""
        return [change for change in self.changes if change.kind == kind]

    @property
    def knows_sizes(self) -> bool:
        """Whether both sides know how large their files are."""
        return self.before.own is not None and self.after.own is not None

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


def _versions(package: Package) -> set[str]:
    """Return the versions of a package in a form in which equal ones are the same (PEP 440)."""
    return {canonicalize_version(version) for version in package.versions}


def _compared(files: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the files that are compared: all but the notes of installers."""
    return {path: entry for path, entry in files.items() if not _is_note(path)}


def _is_note(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name in _NOTES and folder.endswith(".dist-info") and "/" not in folder
