"""What differs between the inputs of two builds, in the terms of who asked for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ..archive.reader import read_entries
from ..artifacts.inputs import OWN, BuildInputs
from ..artifacts.summary import shortened
from ..errors import LbdartError
from ..store.store import Store

PACKAGES: Final = "packages"
TARGET: Final = "target"
OPTIONS: Final = "options"
ENVIRONMENT: Final = "environment"
OWN_CODE: Final = "own code"
PROJECT: Final = "project"
PACKER: Final = "packer"
#: The groups of inputs, in the order of reports.
GROUPS: Final = (PACKAGES, OWN_CODE, TARGET, OPTIONS, ENVIRONMENT, PROJECT, PACKER)
#: The inputs that are no options.
_GROUP_OF: Final = {
    "python": TARGET,
    "architecture": TARGET,
    OWN: OWN_CODE,
    "tree": OWN_CODE,
    "project": PROJECT,
    "tool": PROJECT,
    "manifest": PROJECT,
    "format": PACKER,
}
#: How many names a line shows.
_SHOWN: Final = 6
_HASH_DIGITS: Final = 12
_HASH: Final = re.compile("[0-9a-f]{40,64}")
_SET: Final = "set"
_NOT_SET: Final = "not set"
#: The folder of a wheel's metadata, which its version is a part of the name of, and the list of its hashes.
_METADATA: Final = re.compile(r"^[^/]+\.dist-info/")
_RECORD: Final = ".dist-info/RECORD"


@dataclass(frozen=True, slots=True)
class FileChanges:
    """The files that differ, by their paths."""

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: Mapping[str, Any], new: Mapping[str, Any]) -> FileChanges:
        """Return what differs between files; equal values are equal files."""
        return cls(
            tuple(sorted(path for path in old.keys() & new.keys() if old[path] != new[path])),
            tuple(sorted(new.keys() - old.keys())),
            tuple(sorted(old.keys() - new.keys())),
        )

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed)

    def __str__(self) -> str:
        """Return the files as a line has them: ``2 files changed: a.py, b.py``."""
        told = []
        for what, paths in (("changed", self.changed), ("added", self.added), ("removed", self.removed)):
            if paths:
                noun = "file" if len(paths) == 1 else "files"
                told.append(f"{len(paths)} {noun} {what}: {shortened(paths, _SHOWN)}")
        return "; ".join(told)


@dataclass(frozen=True, slots=True)
class Change:
    """An input that differs.

    :param group: one of :data:`GROUPS`.
    :param old: its value; None when there was none.
    :param new: likewise.
    :param files: those that differ, as far as it is known.
    """

    group: str
    name: str
    old: str | None
    new: str | None
    files: FileChanges | None = None

    def __str__(self) -> str:
        """Return the line of the change."""
        what = "" if self.group == OWN_CODE else f"{self.name} "
        if self.files is not None:
            files = self.files or "no file, but what git says of the project"
            return f"{self.name}: {files}" if what else str(files)
        if self.group == ENVIRONMENT:
            done = "is new" if self.old is None else "is gone" if self.new is None else "has another value"
            return f"{self.name} {done}"
        if self.group in (PACKAGES, OWN_CODE):
            if self.old is None:
                return f"{what}{self.new} was added"
            if self.new is None:
                return f"{what}{self.old} was removed"
            return f"{what}{self.old} -> {self.new}"
        return f"{self.name}: {self.old or _NOT_SET} -> {self.new or _NOT_SET}"

    def to_json(self) -> dict[str, Any]:
        """Return the change for a machine."""
        return asdict(self)


def grouped(parts: Sequence[BuildInputs]) -> dict[str, dict[str, str]]:
    """Return the inputs of a build by their groups, as texts to show."""
    groups: dict[str, dict[str, str]] = {group: {} for group in GROUPS}
    for part in parts:
        groups[PACKAGES] |= {name: _shown(part, name) for name in sorted(part.packages)}
        groups[ENVIRONMENT] |= dict.fromkeys(sorted(part.environment), "")
    for name, text in _values(parts).items():
        group = _GROUP_OF.get(name, OPTIONS)
        groups[group][_NAMES.get(name, name)] = _short(text)
    return groups


#: The names of inputs that have another one for users.
_NAMES: Final = {OWN: "own code", "tree": "own code", "python": "runtime", "project": "name"}


def changes(
    old: Sequence[BuildInputs],
    new: Sequence[BuildInputs],
    store: Store,
    known: Collection[str] = GROUPS,
) -> list[Change]:
    """Return what differs between the inputs of two builds, in the order of the groups.

    :param store: has the wheels of local packages, as far as they are kept.
    :param known: the groups that are known of both builds.
    """
    found = [
        *_packages(_only(old, "layer"), _only(new, "layer"), store),
        *_of_values(old, new, store),
        *_of_environment(old, new),
    ]
    return sorted(
        (change for change in found if change.group in known), key=lambda change: GROUPS.index(change.group)
    )


def _only(parts: Sequence[BuildInputs], artifact: str) -> BuildInputs:
    return next((part for part in parts if part.artifact == artifact), BuildInputs(artifact, {}))


def _values(parts: Sequence[BuildInputs]) -> dict[str, str]:
    """Return the values of all parts; the patterns of code have another name beside those of packages."""
    values: dict[str, str] = {}
    for part in parts:
        is_beside = part.artifact == "source" and len(parts) > 1
        values |= {
            "exclude_code" if is_beside and name == "exclude" else name: text
            for name, text in part.values.items()
        }
    order = list(_GROUP_OF)
    known = sorted(values.keys() & _GROUP_OF.keys(), key=order.index)
    names = [*known, *sorted(values.keys() - _GROUP_OF.keys())]
    return {name: _spoken(name, values[name]) for name in names}


def _spoken(name: str, text: str) -> str:
    return f"python{text}" if name == "python" else text


def _packages(old: BuildInputs, new: BuildInputs, store: Store) -> Iterable[Change]:
    for name in sorted(old.packages.keys() | new.packages.keys()):
        before, after = old.packages.get(name), new.packages.get(name)
        if before == after:
            continue
        was, now = (_shown(part, name) if name in part.packages else None for part in (old, new))
        if before and after and not (name in old.versions and name in new.versions):
            was, now = _short(before), _short(after)  # a version of one alone says nothing
        elif before and after and was == now:  # another file of the same version
            was, now = f"{was} ({_short(before)})", f"({_short(after)})"
        is_unknown = not before and before is not None and after is not None and name not in new.versions
        if was != now and not is_unknown:
            yield Change(PACKAGES, name, was, now, _files_of_wheels(old, new, name, store))


def _shown(part: BuildInputs, name: str) -> str:
    return part.versions.get(name) or _short(part.packages[name])


def _short(text: str) -> str:
    return text[:_HASH_DIGITS] if _HASH.fullmatch(text) else text


def _of_values(old: Sequence[BuildInputs], new: Sequence[BuildInputs], store: Store) -> Iterable[Change]:
    before, after = _values(old), _values(new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        was, now = (_short(values[name]) if name in values else None for values in (before, after))
        files = None
        if name in (OWN, "tree") and was is not None and now is not None:
            files = _files_of_code(old, new, name, store)
        yield Change(_GROUP_OF.get(name, OPTIONS), _NAMES.get(name, name), was, now, files)


def _files_of_code(
    old: Sequence[BuildInputs], new: Sequence[BuildInputs], name: str, store: Store
) -> FileChanges | None:
    artifact = "layer" if name == OWN else "source"
    before, after = _only(old, artifact), _only(new, artifact)
    if before.files and after.files:
        return FileChanges.between(before.files, after.files)
    return _files_of_wheels(before, after, OWN, store)


def _files_of_wheels(old: BuildInputs, new: BuildInputs, name: str, store: Store) -> FileChanges | None:
    """Return which files of a package that was built differ; None when a wheel is no longer in the store."""
    if not (name in old.wheels and name in new.wheels):
        return None
    with suppress(LbdartError):
        before, after = (_files_in(store.archive(part.wheels[name])) for part in (old, new))
        return FileChanges.between(before, after) or None
    return None


def _files_in(wheel: Path) -> dict[str, tuple[int, int, bool]]:
    """Return the checksum of each file that a package installs.

    :raises LbdartError: when there is no such zip.
    """
    if not wheel.is_file():
        raise LbdartError(f"There is no {wheel}.", "Build the package again.")
    return {
        _METADATA.sub(".dist-info/", entry.name): (entry.crc, entry.size, entry.executable)
        for entry in read_entries(wheel)
        if not entry.name.endswith(_RECORD)
    }


def _of_environment(old: Sequence[BuildInputs], new: Sequence[BuildInputs]) -> Iterable[Change]:
    before: dict[str, str] = {name: told for part in old for name, told in part.environment.items()}
    after: dict[str, str] = {name: told for part in new for name, told in part.environment.items()}
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        # Of a published build only the names are known.
        if was != now and (was != "" or now is None):
            # The values may be passwords.
            yield Change(ENVIRONMENT, name, None if was is None else _SET, None if now is None else _SET)
