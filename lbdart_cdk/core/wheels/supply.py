"""Bring the wheels of a selection into the store: fetch the wheels, and build the sources."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName

from ..credentials.value import Credentials
from ..keys import sha256_of
from ..locking.selection import LockedFile, Selection
from ..locking.tool import Tool
from ..store.store import Store
from .environment import BuildEnvironment
from .fetch import fetch
from .integrity import refuse_damaged

if TYPE_CHECKING:
    from .build import Builder
    from .container import WheelContainer


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package's wheel in the store.

    :param filename: the file in the lock; empty for a local project or a commit.
    :param sha256: that file's hash; for a local project or a commit, the hash of the built wheel.
    """

    package: NormalizedName
    path: Path
    filename: str
    sha256: str

    @property
    def requires(self) -> tuple[str, ...]:
        """The package's requirements, written as in a lock."""
        from .metadata import dist_info_of

        return dist_info_of(self.path, self.package).requires


@dataclass(frozen=True, slots=True)
class Supplier:
    """Brings wheels into a store.

    :param tool: its frontend builds sources on this machine.
    :param container: builds sources that compile; without one, such sources are an error.
    :param credentials: returns the credentials for the indexes; called only when a wheel is missing.
    :param arrived: called with each downloaded file, while other downloads still run.
    :param environment: what the builds of sources see.
    """

    store: Store
    tool: Tool
    container: WheelContainer | None
    credentials: Callable[[], Collection[Credentials]]
    arrived: Callable[[LockedFile], object]
    environment: BuildEnvironment = field(default_factory=BuildEnvironment)

    def supply(self, selection: Selection) -> list[Wheel]:
        """Fetch or build the wheel of each package; return the wheels sorted by name.

        :raises LbdartError: when a package cannot be fetched, is damaged or cannot be built.
        """
        files = {file.package: file for file in (*selection.wheels, *selection.sdists)}
        fetch(files.values(), self.store, self.credentials, self.arrived)
        refuse_damaged(selection.wheels, self.store)
        paths = {file.package: self.store.wheel(file.sha256) for file in selection.wheels}
        paths |= self._build(selection)
        return [
            Wheel(name, paths[name], files[name].filename, files[name].sha256)
            if name in files
            else Wheel(name, paths[name], "", sha256_of(paths[name]))
            for name in selection.packages
        ]

    def _build(self, selection: Selection) -> dict[NormalizedName, Path]:
        if not selection.has_sources:
            return {}
        builder = self.builder()
        paths = {local.package: builder.local(local.directory).path for local in selection.local}
        for sdist in selection.sdists:
            compiles = sdist.package in selection.compiling
            built = builder.sdist(self.store.wheel(sdist.sha256), sdist, compiles=compiles)
            paths[sdist.package] = built.path
        for commit in selection.commits:
            paths[commit.package] = builder.commit(commit).path
        return paths

    def builder(self) -> Builder:
        """Return what builds the sources."""
        # Only builds of sources import this module.
        from .build import Builder

        return Builder(self.tool.frontend, self.store, self.container, self.environment)
