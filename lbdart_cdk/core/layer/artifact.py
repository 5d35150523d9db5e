"""One layer: from a project's lock to a finished zip, built only when an input changed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name

from ..archive import write_zip
from ..build_key import key_of, tree_hash
from ..container import BuildContainer, WheelContainer
from ..credentials import Credentials, in_environment
from ..errors import LbdartError
from ..local_wheel import BuiltWheel, build_local_wheel, build_sdist_wheel
from ..lock import DEFAULT_EXCLUDE, Lock, Requirements
from ..pack import Bundle, merge
from ..project import Project
from ..store import Store, sha256_of
from ..target import Target
from ..tool import Options, Tool
from ..wheel import required_by, wheel_entries

if TYPE_CHECKING:
    from ..selection import Selection


@dataclass(frozen=True)
class LayerArtifact:
    """A layer's inputs. ``exclude`` are names of packages, in addition to the default ones.

    ``credentials`` open private indexes; they are no input, and change no hash. What compiles is built in
    the ``container``; without one it is an error.
    """

    project: Project
    tool: Tool
    target: Target
    options: Options
    exclude: tuple[str, ...]
    store: Store
    credentials: tuple[Credentials, ...] = ()
    container: BuildContainer | None = None

    @cached_property
    def lock(self) -> Lock:
        """The project's dependencies, locked."""
        with in_environment(self.credentials):
            return self.tool.lock(self.project, self.options, self.target, self.store)

    @cached_property
    def build_key(self) -> str:
        """The layer's identity: a SHA-256, in hexadecimal, over every input."""
        return key_of(
            {
                "artifact": "layer",
                "manifest": self.project.manifest_sha256,
                "inputs": [sha256_of(path) for path in self.lock.inputs],
                "chosen": None if self.lock.pinned else self._chosen(),
                "project": self.project.name,
                "tool": self.tool.name,
                "extras": sorted(self.options.extras),
                "groups": sorted(self.options.groups),
                "exclude": sorted({canonicalize_name(name) for name in self.exclude}),
                "default_exclude": DEFAULT_EXCLUDE,
                "python": self.target.python_version,
                "architecture": self.target.architecture,
                "local": {name: tree_hash(path) for name, path in self.lock.local_directories().items()},
                **self._container_inputs(),
            }
        )

    def _container_inputs(self) -> dict[str, str | bool]:
        """Return what the container changes: nothing, when it is the default one or nothing is built."""
        inputs = self.container.inputs(self.target) if self.container is not None else {}
        if not inputs:
            return {}
        selection = self._selection()
        return inputs if selection.sdists or selection.local else {}

    def _chosen(self) -> list[str]:
        selection = self._selection()
        return [one.sha256 for one in (*selection.wheels, *selection.sdists)]

    def build(self) -> Path:
        """Return the layer's zip; it is made when the store does not have it.

        Raises :class:`LbdartError`; then nothing half-written is left.
        """
        if not self.store.has_archive(self.build_key):
            self._make()
        return self.store.archive(self.build_key)

    def wheels(self) -> dict[NormalizedName, Path]:
        """Fetch or build the wheel of each package; return their places in the store, by name."""
        from ..fetch import fetch

        selection = self._selection()
        fetch([*selection.wheels, *selection.sdists], self.store, self.credentials)
        paths = {wheel.package: self.store.wheel(wheel.sha256) for wheel in selection.wheels}
        built = self._built(selection)
        if self.lock.requires is None:
            # The packages themselves say who requires whom.
            requires: dict[str, Requirements] = {name: required_by(path) for name, path in paths.items()}
            selection = self._selection(requires | {name: one.requires for name, one in built.items()})
        paths |= {name: one.path for name, one in built.items()}
        if not selection.packages:
            raise LbdartError(
                f"The layer of {self.project.name} would be empty: its lock has no package for it.",
                "Add a dependency, name a group or an extra that has one, or drop the layer.",
            )
        if selection.left_out:
            print(
                f"Left out of the layer of {self.project.name}: {', '.join(selection.left_out)}",
                file=sys.stderr,
            )
        return {name: paths[name] for name in selection.packages}

    def _selection(self, requires: Mapping[str, Requirements] | None = None) -> Selection:
        # What only a build needs is imported by a build: an unchanged app starts without an HTTP client.
        from ..selection import select

        lock = self.lock if requires is None else replace(self.lock, requires=requires)
        return select(lock, self.target, self.exclude, may_compile=self.container is not None)

    def _built(self, selection: Selection) -> dict[NormalizedName, BuiltWheel]:
        container = (
            WheelContainer(self.container, self.target, self.credentials)
            if self.container is not None
            else None
        )
        with in_environment(self.credentials):
            built = {
                one.package: build_local_wheel(one.directory, self.tool, self.store, container)
                for one in selection.local
            }
            for one in selection.sdists:
                built[one.package] = build_sdist_wheel(
                    self.store.wheel(one.sha256),
                    one.filename,
                    one.sha256,
                    self.tool,
                    self.store,
                    container=container,
                    compiles=one.package in selection.compiling,
                )
        return built

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
