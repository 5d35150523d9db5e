"""One layer: from a project's lock to a finished zip, built only when an input changed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name

from ..archive import write_zip
from ..build_key import key_of, tree_hash
from ..errors import LbdartError
from ..local_wheel import build_local_wheel
from ..lock import DEFAULT_EXCLUDE, Lock
from ..pack import Bundle, merge
from ..project import Project
from ..store import Store
from ..target import Target
from ..tool import Options, Tool
from ..wheel import wheel_entries


@dataclass(frozen=True)
class LayerArtifact:
    """A layer's inputs. ``exclude`` are names of packages, in addition to the default ones."""

    project: Project
    tool: Tool
    target: Target
    options: Options
    exclude: tuple[str, ...]
    store: Store

    @cached_property
    def lock(self) -> Lock:
        """The project's dependencies, locked."""
        return self.tool.lock(self.project, self.options, self.target, self.store)

    @cached_property
    def build_key(self) -> str:
        """The layer's identity: a SHA-256, in hexadecimal, over every input."""
        return key_of(
            {
                "artifact": "layer",
                "manifest": self.project.manifest_sha256,
                "project": self.project.name,
                "tool": self.tool.name,
                "extras": sorted(self.options.extras),
                "groups": sorted(self.options.groups),
                "exclude": sorted({canonicalize_name(name) for name in self.exclude}),
                "default_exclude": DEFAULT_EXCLUDE,
                "python": self.target.python_version,
                "architecture": self.target.architecture,
                "local": {name: tree_hash(path) for name, path in self.lock.local_directories().items()},
            }
        )

    def build(self) -> Path:
        """Return the layer's zip; it is made when the store does not have it.

        Raises :class:`LbdartError`; then nothing half-written is left.
        """
        if not self.store.has_archive(self.build_key):
            self._make()
        return self.store.archive(self.build_key)

    def wheels(self) -> dict[NormalizedName, Path]:
        """Fetch or build the wheel of each package; return their places in the store, by name."""
        # What only a build needs is imported by a build: an unchanged app starts without an HTTP client.
        from ..fetch import fetch
        from ..selection import select

        selection = select(self.lock, self.target, self.exclude)
        if not selection.wheels and not selection.local:
            raise LbdartError(
                f"The layer of {self.project.name} would be empty: its lock has no package for it.",
                "Add a dependency, name a group or an extra that has one, or drop the layer.",
            )
        if selection.left_out:
            print(
                f"Left out of the layer of {self.project.name}: {', '.join(selection.left_out)}",
                file=sys.stderr,
            )
        fetch(selection.wheels, self.store)
        paths = {wheel.package: self.store.wheel(wheel.sha256) for wheel in selection.wheels}
        for local in selection.local:
            paths[local.package] = build_local_wheel(local.directory, self.tool, self.store)
        return dict(sorted(paths.items()))

    def _make(self) -> None:
        wheels = self.wheels()
        entries = merge(
            [Bundle(name, tuple(wheel_entries(path))) for name, path in wheels.items()], "python/"
        )
        with self.store.scratch() as folder:
            made = folder / "layer.zip"
            with self.store.explained(made), made.open("wb") as file:
                write_zip(file, entries)
            self.store.keep_archive(self.build_key, made)
