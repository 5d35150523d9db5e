"""What a layer needs of a selection, kept so that nothing is selected from the same lock again.

It has no addresses: a lock may name one with a password, and the store keeps none.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

from ..errors import BuildWarning

if TYPE_CHECKING:
    from ..locking.selection import Selection


@dataclass(frozen=True, slots=True)
class Chosen:
    """A selection's packages.

    :param identities: for each package that the lock itself pins, what decides its files: a hash, a commit.
    :param local: the directory of each package of the user.
    :param builds_locked: whether a package that the lock pins has to be built.
    :param warnings: those about the selection.
    :param left_out: the names of the packages that are left out.
    :param filenames: for each package with a file in the lock, the file's name.
    """

    identities: Mapping[str, str]
    local: Mapping[str, Path]
    builds_locked: bool
    warnings: tuple[BuildWarning, ...]
    left_out: tuple[str, ...]
    filenames: Mapping[str, str]

    @classmethod
    def of(cls, selection: Selection) -> Chosen:
        """Return what is needed of a selection."""
        identities: dict[str, str] = {file.package: file.sha256 for file in selection.wheels}
        for sdist in selection.sdists:
            identities[sdist.package] = f"{sdist.sha256} {sdist.subdirectory}"
        for commit in selection.commits:
            identities[commit.package] = f"{commit.commit.commit} {commit.subdirectory}"
        local: dict[str, Path] = {package.package: package.directory for package in selection.local}
        builds_locked = bool(selection.sdists or selection.commits)
        filenames: dict[str, str] = {
            file.package: file.filename for file in (*selection.wheels, *selection.sdists)
        }
        return cls(identities, local, builds_locked, selection.warnings, selection.left_out, filenames)

    @property
    def has_sources(self) -> bool:
        """Whether a package has to be built."""
        return self.builds_locked or bool(self.local)

    @property
    def versions(self) -> dict[str, str]:
        """The version of each package that the lock pins, as the names of files have it."""
        versions: dict[str, str] = {}
        for package, filename in self.filenames.items():
            parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
            with suppress(InvalidWheelFilename, InvalidSdistFilename, InvalidName):
                versions[package] = str(parse(filename)[1])
        return versions

    def to_json(self) -> dict[str, Any]:
        """Return the values as a note of the store has them."""
        return {
            "identities": dict(self.identities),
            "local": {name: str(directory) for name, directory in self.local.items()},
            "builds_locked": self.builds_locked,
            "warnings": [asdict(warning) for warning in self.warnings],
            "left_out": list(self.left_out),
            "filenames": dict(self.filenames),
        }

    @classmethod
    def from_json(cls, noted: Mapping[str, Any]) -> Chosen:
        """Return the values of a note."""
        return cls(
            noted["identities"],
            {name: Path(directory) for name, directory in noted["local"].items()},
            noted["builds_locked"],
            tuple(BuildWarning(**warning) for warning in noted["warnings"]),
            tuple(noted["left_out"]),
            noted["filenames"],
        )
