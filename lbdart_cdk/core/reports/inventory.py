"""What is in a zip, a lock or a bill of materials: its packages, with their versions and their files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from ..archive.entry import Entry

Kind = Literal["zip", "lock", "sbom"]
#: Of a package in a document: the normalised name, the version (empty when it is not known) and the pins.
Found = tuple[str, str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Size:
    """How large some files of a zip are.

    :param files: how many there are.
    :param zipped: bytes of their streams in the zip.
    :param unzipped: bytes of the files.
    """

    files: int = 0
    zipped: int = 0
    unzipped: int = 0

    def to_json(self) -> dict[str, int]:
        """Return the numbers as a document has them."""
        return asdict(self)


def size_of(entries: Iterable[Entry]) -> Size:
    """Return the size of files of a zip."""
    files = zipped = unzipped = 0
    for entry in entries:
        files, zipped, unzipped = files + 1, zipped + entry.compressed_size, unzipped + entry.size
    return Size(files, zipped, unzipped)


@dataclass(frozen=True)
class Package:
    """A package of an inventory.

    :param name: normalised.
    :param versions: usually one; a lock may have several for several targets, or a requirement none.
    :param pins: what the inventory says that the package's files are: hashes, commits.
    :param files: its files, by their paths below the directory of packages; None when they are not known.
    """

    name: str
    versions: tuple[str, ...] = ()
    pins: frozenset[str] = frozenset()
    files: Mapping[str, Entry] | None = None

    @property
    def version(self) -> str:
        """The version or versions, for people; empty when none is known."""
        return ", ".join(self.versions)

    @cached_property
    def size(self) -> Size | None:
        """The size of its files; None when they are not known."""
        return None if self.files is None else size_of(self.files.values())

    def to_json(self) -> dict[str, Any]:
        """Return the package as a document has it."""
        sizes = self.size.to_json() if self.size is not None else {}
        return {"name": self.name, "version": self.version or None, **sizes}


@dataclass(frozen=True)
class Inventory:
    """What is in a zip, a lock or a bill of materials.

    :param what: names it, for people.
    :param kind: what it was read from.
    :param packages: in the order of their names, each name once.
    :param own: the files of no package, by their paths below the directory of packages: the user's code, and
        what else is there. None when files are not known.
    :param zip_size: bytes of the zip file itself; None when there is none.
    """

    what: str
    kind: Kind
    packages: tuple[Package, ...]
    own: Mapping[str, Entry] | None = None
    zip_size: int | None = None

    @property
    def by_name(self) -> dict[str, Package]:
        """The packages by their names."""
        return {package.name: package for package in self.packages}

    @property
    def by_size(self) -> list[Package]:
        """The packages, the largest first."""
        return sorted(self.packages, key=lambda package: -(package.size or Size()).unzipped)

    @property
    def own_size(self) -> Size:
        """The size of the files of no package."""
        return size_of((self.own or {}).values())

    @property
    def size(self) -> Size | None:
        """The size of all files; None when they are not known."""
        return None if self.own is None else size_of(self.entries)

    @property
    def entries(self) -> list[Entry]:
        """All files, as far as they are known."""
        of_packages = [entry for package in self.packages for entry in (package.files or {}).values()]
        return [*of_packages, *(self.own or {}).values()]

    @property
    def bytecode(self) -> Size:
        """The size of those of all files that are bytecode."""
        return size_of(entry for entry in self.entries if entry.name.endswith((".pyc", ".pyo")))


@dataclass
class _Gathered:
    versions: set[str] = field(default_factory=set)
    pins: set[str] = field(default_factory=set)


def gathered(found: Iterable[Found]) -> tuple[Package, ...]:
    """Return packages, each name once, with all versions and pins that were found for it."""
    packages: defaultdict[str, _Gathered] = defaultdict(_Gathered)
    for name, version, pins in found:
        packages[name].versions.update(filter(None, [version]))
        packages[name].pins.update(pins)
    return tuple(
        Package(name, in_order(one.versions), frozenset(one.pins)) for name, one in sorted(packages.items())
    )


def in_order(versions: Iterable[str]) -> tuple[str, ...]:
    """Return versions from the oldest to the newest; those that are no versions come first."""

    def rank(version: str) -> tuple[bool, Version, str]:
        try:
            return True, Version(version), version
        except InvalidVersion:
            return False, Version("0"), version

    return tuple(sorted(set(versions), key=rank))


def printable(text: str) -> str:
    """Return the text of a stranger on one line and without characters that a terminal obeys."""
    return "".join(character for character in text if character.isprintable()).strip()[:200]
