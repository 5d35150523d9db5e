"""What builders left to pack, and which packages of it the zip leaves out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename

from ..archive.reader import usable
from ..locking.default_list import DEFAULT, DEFAULT_EXCLUDE
from ..locking.exclusion import dropped_without_lock
from ..packing.installed import Installed, copied_in, installed_in, own_files, package_name
from ..packing.merge import Bundle
from ..project.tree import is_bytecode
from ..wheels.contents import wheel_entries
from ..wheels.metadata import dist_info


@dataclass(frozen=True, slots=True)
class PackedWheel:
    """A wheel of a build directory.

    :param name: the package.
    :param is_chosen: whether the rule about what a layer leaves out has been applied to it already.
    """

    name: NormalizedName
    bundle: Bundle
    is_chosen: bool

    @classmethod
    def at(cls, path: Path) -> PackedWheel:
        """Read a wheel. A tool's builder, which chooses by the lock, names the file by the package alone."""
        try:
            name, is_chosen = parse_wheel_filename(path.name)[0], False
        except InvalidWheelFilename:
            name, is_chosen = canonicalize_name(path.stem), True
        return cls(name, Bundle(name, tuple(wheel_entries(path))), is_chosen)

    @property
    def requires(self) -> tuple[str, ...]:
        """What the package requires, written as in a lock."""
        with usable(self.name):
            return dist_info(self.bundle.entries).requires


@dataclass(frozen=True)
class Contents:
    """The wheels and the directory that builders filled.

    :param python: a directory of packages; it may not be there.
    :param packages: the packages in the directory.
    :param ignored: the packages to leave out; None for those that the default rule leaves out.
    """

    wheels: tuple[PackedWheel, ...]
    python: Path
    packages: Mapping[NormalizedName, Installed]
    ignored: frozenset[NormalizedName] | None

    @classmethod
    def read(cls, wheels: Iterable[Path], python: Path, ignored: Collection[str] | None) -> Contents:
        """Read the wheels, and what installers say about the directory.

        :raises LbdartError: when a wheel is no usable zip.
        """
        packages = installed_in(python)
        return cls(
            tuple(map(PackedWheel.at, wheels)),
            python,
            packages | copied_in(python, packages, DEFAULT_EXCLUDE if ignored is None else ignored),
            None if ignored is None else frozenset(map(package_name, ignored)),
        )

    @cached_property
    def left_out(self) -> frozenset[NormalizedName]:
        """The packages that the zip does not have. One whose files nobody knows stays."""
        if self.ignored is not None:
            return self.ignored & self._names - self._unlisted
        requires: defaultdict[NormalizedName, list[str]] = defaultdict(list)
        for wheel in self.wheels:
            requires[wheel.name] += wheel.requires
        for name, package in self.packages.items():
            requires[name] += package.requires
        chosen = {wheel.name for wheel in self.wheels if wheel.is_chosen}
        return dropped_without_lock(requires, chosen | self._unlisted)

    @property
    def kept_wheels(self) -> list[Bundle]:
        """The wheels in the zip."""
        return [wheel.bundle for wheel in self.wheels if wheel.name not in self.left_out]

    @property
    def files_left_out(self) -> frozenset[str]:
        """The files of the directory that the zip does not have, relative to it."""
        return frozenset[str]().union(*self._own.values())

    @property
    def report(self) -> Iterator[str]:
        """Lines about what is left out, and about names that change nothing."""
        if self.left_out:
            shown = (f"{name} ({self._size_of(name) / 1e6:.1f} MB)" for name in sorted(self.left_out))
            yield f"Left out: {', '.join(shown)}"
        named = DEFAULT if self.ignored is None else self.ignored
        if unlisted := sorted(named & self._unlisted):
            yield f"Not left out, since nothing lists their files (RECORD): {', '.join(unlisted)}"
        if unknown := sorted(named - self._names - DEFAULT):
            yield f"Not there to leave out: {', '.join(unknown)}"

    @property
    def _names(self) -> frozenset[NormalizedName]:
        return frozenset([*self.packages, *(wheel.name for wheel in self.wheels)])

    @property
    def _unlisted(self) -> frozenset[NormalizedName]:
        return frozenset(name for name, package in self.packages.items() if not package.is_listed)

    @cached_property
    def _own(self) -> dict[NormalizedName, frozenset[str]]:
        return own_files(self.packages, self.left_out)

    def _size_of(self, name: NormalizedName) -> int:
        """Return how many bytes of a package are left out; no zip would have its bytecode."""
        own = self._own.get(name, frozenset())
        files = (self.python / file for file in own if not is_bytecode(file, own.__contains__))
        wheels = (wheel.bundle.size for wheel in self.wheels if wheel.name == name)
        return sum(wheels) + sum(file.stat().st_size for file in files if file.is_file())
