"""What is selected from a lock for a layer: for each package, the one file that loads on the target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BuildWarning
from .commit import Commit

if TYPE_CHECKING:
    from packaging.utils import NormalizedName


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A wheel or source distribution that the lock names.

    :param source: a URL or a path.
    :param size: in bytes; None when unknown.
    :param subdirectory: the directory of the project in a source distribution.
    """

    package: NormalizedName
    filename: str
    source: str | Path
    sha256: str
    size: int | None = None
    subdirectory: str = ""


@dataclass(frozen=True, slots=True)
class LockedCommit:
    """A package in a directory of a git repository, to be built to a wheel."""

    package: NormalizedName
    commit: Commit
    subdirectory: str = ""


@dataclass(frozen=True, slots=True)
class LocalPackage:
    """A package in a directory of the user, to be built to a wheel."""

    package: NormalizedName
    directory: Path


@dataclass(frozen=True, slots=True)
class Selection:
    """The packages of a layer, by what they are made from.

    :param sdists: the source distributions of packages without a usable wheel, to be built to wheels.
    :param compiling: the packages in ``sdists`` that have wheels for other machines, which shows that their
        build compiles.
    :param excluded: the names of the packages that the user leaves out.
    :param dropped: the names of the packages that the default list leaves out.
    :param warnings: what of this may not be as the user expects.
    """

    wheels: tuple[LockedFile, ...]
    sdists: tuple[LockedFile, ...] = ()
    commits: tuple[LockedCommit, ...] = ()
    compiling: frozenset[NormalizedName] = frozenset()
    local: tuple[LocalPackage, ...] = ()
    excluded: tuple[NormalizedName, ...] = ()
    dropped: tuple[NormalizedName, ...] = ()
    warnings: tuple[BuildWarning, ...] = ()

    @property
    def has_sources(self) -> bool:
        """Whether a package has to be built."""
        return bool(self.sdists or self.commits or self.local)

    @property
    def left_out(self) -> tuple[NormalizedName, ...]:
        """The names of the packages that the layer leaves out, sorted."""
        return tuple(sorted((*self.excluded, *self.dropped)))

    @property
    def packages(self) -> tuple[NormalizedName, ...]:
        """The names of the packages, sorted."""
        parts = (self.wheels, self.sdists, self.commits, self.local)
        return tuple(sorted(name for part in parts for name in (entry.package for entry in part)))
