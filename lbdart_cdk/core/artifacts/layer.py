"""One layer: from a project's lock to a finished zip, built only when an input changed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name

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
from ..wheels.container import WheelContainer
from .report import NOTED, Verdict, kept_verdict

if TYPE_CHECKING:
    from ..locking.selection import LockedFile, Selection
    from ..packing.merge import Bundle
    from ..wheels.build import BuiltWheel
    from .sbom import Part


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
        selection = self.selection()
        return inputs if selection.sdists or selection.local or selection.commits else {}

    def _chosen(self) -> list[str]:
        selection = self.selection()
        files = (*selection.wheels, *selection.sdists)
        places = (f"{one.commit.commit}#{one.subdirectory}" for one in selection.commits)
        return [*(f"{one.sha256}#{one.subdirectory}" for one in files), *places]

    def build(self) -> Path:
        """Return the layer's zip; it is made when the store does not have it.

        Raises :class:`LbdartError`; then nothing half-written is left.
        """
        if kept_verdict(self.store.kept_archive(self.build_key)) is None:
            with self.store.guarded(self.store.archive(self.build_key)):
                self._make()
        return self.store.archive(self.build_key)

    @property
    def verdict(self) -> Verdict | None:
        """What was found when the layer was built; None when it is not."""
        return kept_verdict(self.store.recall("archives", self.build_key))

    def wheels(self) -> dict[NormalizedName, Path]:
        """Fetch or build the wheel of each package; return their places in the store, by name."""
        return {canonicalize_name(part.package): part.wheel for part in self._parts()}

    def sbom(self) -> bytes:
        """Return the layer's bill of materials; it is made once for a build."""
        return str(self.store.memo("sboms", self.build_key, self._make_sbom)["json"]).encode()

    def _make_sbom(self) -> dict[str, str]:
        from ..wheels.contents import wheel_entries
        from .sbom import described, render

        noted = self.store.recall("archives", self.build_key) or {}
        packages = noted.get("packages") or [
            described(part, wheel_entries(part.wheel, part.package)) for part in self._parts()
        ]
        return {"json": render(self.project.name, self.build_key, packages)}

    def _parts(self) -> list[Part]:
        # What only a build needs is imported by a build: an unchanged app starts without an HTTP client.
        from ..wheels.fetch import fetch
        from ..wheels.integrity import refuse_unsound
        from ..wheels.metadata import required_by
        from .sbom import Part

        selection = self.selection()
        files = [*selection.wheels, *selection.sdists]
        fetch(files, self.store, lambda: (*self._given, *self.lock.logins()), self._scan)
        refuse_unsound(selection.wheels, self.store)
        paths = {wheel.package: self.store.wheel(wheel.sha256) for wheel in selection.wheels}
        built = self._built(selection)
        if self.lock.requires is None:
            # The packages themselves say who requires whom.
            requires: dict[str, Requirements] = {
                name: required_by(path, name) for name, path in paths.items()
            }
            selection = self.selection(requires | {name: one.requires for name, one in built.items()})
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
        locked = {one.package: one for one in (*selection.wheels, *selection.sdists)}
        return [
            Part(name, paths[name], locked[name].filename, locked[name].sha256)
            if name in locked
            else Part(name, paths[name], "", sha256_of(paths[name]))
            for name in selection.packages
        ]

    def _scan(self, file: LockedFile) -> None:
        """Read what is compiled in a wheel, as soon as it is there."""
        from ..native.scan import facts_of_wheel

        if file.filename.endswith(".whl"):
            with contextlib.suppress(LbdartError):  # packing says what is wrong with it
                facts_of_wheel(file.package, self.store.wheel(file.sha256), self.store)

    def selection(self, requires: Mapping[str, Requirements] | None = None) -> Selection:
        """Return the files that the layer is made of; ``requires`` is for a lock that does not say it."""
        from ..locking.selection import select

        with read_as_lock(self.lock.origin):
            return select(
                self.lock,
                self.target,
                self.exclude,
                requires=requires,
                may_compile=self.container is not None,
            )

    def _built(self, selection: Selection) -> dict[NormalizedName, BuiltWheel]:
        if not (selection.local or selection.sdists or selection.commits):
            return {}
        from ..wheels.build import build_commit_wheel, build_local_wheel, build_sdist_wheel

        container = None
        if self.container is not None:
            known = (*self._given, *self.lock.logins())
            container = WheelContainer(self.container, self.target, known)
        with in_environment(self._given):
            built = {
                one.package: build_local_wheel(one.directory, self.tool, self.store, container)
                for one in selection.local
            }
            for one in selection.sdists:
                built[one.package] = build_sdist_wheel(
                    self.store.wheel(one.sha256),
                    one,
                    self.tool,
                    self.store,
                    container=container,
                    compiles=one.package in selection.compiling,
                )
            for commit in selection.commits:
                built[commit.package] = build_commit_wheel(commit, self.tool, self.store, container)
        return built

    def _make(self) -> None:
        from ..archive.writer import write_zip
        from ..packing.merge import Bundle, merge
        from ..wheels.contents import wheel_entries
        from .sbom import described

        parts = self._parts()
        bundles = [Bundle(part.package, tuple(wheel_entries(part.wheel, part.package))) for part in parts]
        entries = merge(bundles, "python/")
        packages = [described(part, bundle.entries) for part, bundle in zip(parts, bundles, strict=True)]
        verdict = self._judged(parts, bundles, sum(entry.size for entry in entries))
        identity = LayerIdentity(self.build_key, self.project.manifest_md5)
        with self.store.scratch() as folder:
            made = folder / "layer.zip"
            with self.store.guarded(made), made.open("wb") as file:
                write_zip(file, entries, identity.comment)
            self.store.keep_archive(self.build_key, made, packages=packages, **{NOTED: verdict.to_json()})

    def _judged(self, parts: Sequence[Part], bundles: Sequence[Bundle], size: int) -> Verdict:
        """Judge what the layer is made of; raises :class:`LbdartError` for what cannot load on the target."""
        from ..native.check import findings
        from ..native.scan import facts_of_wheels

        wheels = {canonicalize_name(part.package): part.wheel for part in parts}
        facts = facts_of_wheels(wheels.items(), self.store)
        found = findings(facts, self.target)
        found.raise_errors(self.target)
        sizes = {bundle.name: bundle.size for bundle in bundles}
        compiled = any(file.elf is not None for one in facts for file in one.files)
        return Verdict(size, sizes, compiled, found.warnings)
