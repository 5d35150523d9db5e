"""A layer, from a project's lock to a finished zip. :func:`make_layer` is the whole way; start there."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from ..credentials.environment import Given, in_environment, listed
from ..credentials.lookup import refuse_passwords_in
from ..credentials.value import Credentials
from ..errors import LbdartError
from ..keys import key_of, sha256_of
from ..locking.exclusion import DEFAULT_EXCLUDE
from ..locking.lock import Lock, Requirements, read_as_lock
from ..locking.tool import Options, Tool
from ..project.project import Project
from ..project.target import Target
from ..project.tree import tree_hash
from ..publishing.identity import LayerIdentity
from ..store.store import Store
from ..wheels.build_image import BuildContainer
from .report import NOTED, LayerReport, kept_report

if TYPE_CHECKING:
    from ..locking.selection import LockedFile, Selection
    from ..packing.merge import Bundle
    from ..wheels.supply import Wheel


@dataclass(frozen=True)
class LayerArtifact:
    """A layer's inputs, and what is made of them when it is asked for.

    :param exclude: names of packages to leave out, in addition to the default list.
    :param store: where wheels and zips are kept.
    :param credentials: for private indexes; they are no input, and change no hash.
    :param container: builds what compiles; without one that is an error.
    """

    project: Project
    tool: Tool
    target: Target
    options: Options
    exclude: tuple[str, ...]
    store: Store
    credentials: Given = None
    container: BuildContainer | None = None

    @cached_property
    def _given(self) -> tuple[Credentials, ...]:
        return listed(self.credentials)

    @cached_property
    def lock(self) -> Lock:
        """The project's dependencies, locked."""
        refuse_passwords_in(self.project.manifest_content, self.project.manifest)
        with in_environment(self._given), read_as_lock(self.project.manifest):
            return self.tool.lock(self.project, self.options, self.target, self.store)

    @cached_property
    def selection(self) -> Selection:
        """The one file of each package that loads on the target."""
        return self._select(None)

    def _select(self, requires: Mapping[str, Requirements] | None) -> Selection:
        from ..locking.selection import select

        with read_as_lock(self.lock.origin):
            return select(
                self.lock,
                self.target,
                self.exclude,
                requires=requires,
                may_compile=self.container is not None,
            )

    @cached_property
    def build_key(self) -> str:
        """The SHA-256, in hexadecimal, over every input."""
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
        return inputs if inputs and self.selection.has_sources else {}

    def _chosen(self) -> list[str]:
        files = (*self.selection.wheels, *self.selection.sdists)
        commits = (f"{locked.commit.commit}#{locked.subdirectory}" for locked in self.selection.commits)
        return [*(f"{file.sha256}#{file.subdirectory}" for file in files), *commits]

    def build(self) -> Path:
        """Return the layer's zip; it is made when the store does not have it.

        :raises LbdartError: when it cannot be made; then nothing half-written is left.
        """
        if kept_report(self.store.kept_archive(self.build_key)) is None:
            with self.store.guarded(self.store.archive(self.build_key)):
                make_layer(self)
        return self.store.archive(self.build_key)

    @property
    def report(self) -> LayerReport | None:
        """What is in the zip; None when it is not built."""
        return kept_report(self.store.recall("archives", self.build_key))

    def wheels(self) -> list[Wheel]:
        """Fetch or build the wheel of each package; return them by name.

        :raises LbdartError: when one cannot be had, and when there is none at all.
        """
        # What only a build needs is imported by a build: an unchanged app starts without it.
        from ..wheels.container import WheelContainer
        from ..wheels.supply import Supplier

        def credentials() -> tuple[Credentials, ...]:
            return (*self._given, *self.lock.logins())

        container = None
        if self.container is not None and self.selection.has_sources:
            container = WheelContainer(self.container, self.target, credentials())
        selection = self.selection
        with in_environment(self._given):
            wheels = Supplier(self.store, self.tool.frontend, container, credentials, self._scan).supply(
                selection
            )
        if self.lock.requires is None:
            # The packages themselves say who requires whom.
            selection = self._select({wheel.package: wheel.requires for wheel in wheels})
            wheels = [wheel for wheel in wheels if wheel.package in selection.packages]
        if not wheels:
            raise LbdartError(
                f"The layer of {self.project.name} would be empty: its lock has no package for it.",
                "Add a dependency, name a group or an extra that has one, or drop the layer.",
            )
        if selection.left_out:
            print(
                f"Left out of the layer of {self.project.name}: {', '.join(selection.left_out)}",
                file=sys.stderr,
            )
        return wheels

    def _scan(self, file: LockedFile) -> None:
        """Read what is compiled in a wheel, as soon as it is there."""
        from ..native.scan import scan_wheel

        if file.filename.endswith(".whl"):
            with contextlib.suppress(LbdartError):  # packing says what is wrong with it
                scan_wheel(file.package, self.store.wheel(file.sha256), self.store)

    def sbom(self) -> bytes:
        """Return the layer's bill of materials; it is made once for a build."""
        return str(self.store.memo("sboms", self.build_key, self._make_sbom)["json"]).encode()

    def _make_sbom(self) -> dict[str, str]:
        from ..wheels.contents import wheel_entries
        from .sbom import described, render

        noted = self.store.recall("archives", self.build_key) or {}
        packages = noted.get("packages") or [
            described(wheel, wheel_entries(wheel.path, wheel.package)) for wheel in self.wheels()
        ]
        return {"json": render(self.project.name, self.build_key, packages)}


def make_layer(layer: LayerArtifact) -> None:
    """Make a layer's zip and keep it in the store, with a report.

    The way is that of the README: the manifest becomes a lock, the lock a selection for the target, the
    selection wheels in the store, and the wheels the entries of one zip.

    :raises LbdartError: when a step fails, or when something would not load on the target.
    """
    from ..archive.writer import write_zip
    from ..packing.merge import Bundle, merge
    from ..wheels.contents import wheel_entries
    from .sbom import described

    wheels = layer.wheels()
    bundles = [Bundle(wheel.package, tuple(wheel_entries(wheel.path, wheel.package))) for wheel in wheels]
    entries = merge(bundles, "python/")
    report = _checked(layer, wheels, bundles, sum(entry.size for entry in entries))
    packages = [described(wheel, bundle.entries) for wheel, bundle in zip(wheels, bundles, strict=True)]
    identity = LayerIdentity(layer.build_key, layer.project.manifest_md5)
    with layer.store.scratch() as folder:
        made = folder / "layer.zip"
        with layer.store.guarded(made), made.open("wb") as file:
            write_zip(file, entries, identity.comment)
        layer.store.keep_archive(layer.build_key, made, packages=packages, **{NOTED: report.to_json()})


def _checked(
    layer: LayerArtifact, wheels: Sequence[Wheel], bundles: Sequence[Bundle], size: int
) -> LayerReport:
    """Report what a layer is made of; raises :class:`LbdartError` for what cannot load on the target."""
    from ..native.check import check
    from ..native.scan import scan_wheels

    scans = scan_wheels(((wheel.package, wheel.path) for wheel in wheels), layer.store)
    result = check(scans, layer.target)
    result.raise_errors(layer.target)
    sizes = {bundle.name: bundle.size for bundle in bundles}
    compiled = any(file.elf is not None for scan in scans for file in scan.files)
    return LayerReport(size, sizes, compiled, result.warnings)
