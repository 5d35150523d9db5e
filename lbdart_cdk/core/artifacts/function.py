"""Builds one zip of a function's code and its dependencies. Start with :func:`make_function`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ..errors import BuildWarning
from ..keys import Json, key_of
from ..locking.tool import Tool
from ..project.project import Project
from ..project.target import Target
from ..store.store import Store
from .files import files_of
from .inputs import BuildInputs, History
from .layer import EmptyLayerError, LayerArtifact
from .own_code import own_part
from .report import NOTED, LayerReport, kept_report
from .source import SourceArtifact, SourceIdentity
from .summary import Part, Summary
from .supplied import Supply


@dataclass(frozen=True, slots=True)
class FunctionZip:
    """A finished zip of code and dependencies, whose compiled files are checked for the target.

    :param identity: the project's version, and the hash of the zip's bytes.
    """

    path: Path
    identity: SourceIdentity
    report: LayerReport

    @property
    def size(self) -> int:
        """Bytes, unzipped."""
        return self.report.size

    @property
    def native(self) -> None:
        """No scan that is to be checked for each function."""

    @property
    def warnings(self) -> tuple[BuildWarning, ...]:
        """What may not work on the target."""
        return self.report.warnings

    @property
    def bytecode(self) -> int:
        """The bytes of ``size`` that are bytecode."""
        return self.report.bytecode


@dataclass(frozen=True)
class FunctionArtifact:
    """The inputs of a zip with a project's own code, as a source zip has it, beside its dependencies.

    :param source: the code. Its ``exclude_files`` and its ``bytecode`` are for the whole zip.
    :param dependencies: the layer whose packages the zip has, at its root.
    """

    source: SourceArtifact
    dependencies: LayerArtifact

    @property
    def project(self) -> Project:
        """The project whose code it is."""
        return self.source.project

    @property
    def tool(self) -> Tool:
        """The tool that locks it."""
        return self.source.tool

    @property
    def bytecode(self) -> Target | None:
        """The target for which the zip has bytecode."""
        return self.source.bytecode

    @property
    def _store(self) -> Store:
        return self.source.store

    @cached_property
    def build_key(self) -> str:
        """The SHA-256, in hexadecimal, over every input.

        :raises LbdartError: when the project cannot be locked, or a local package cannot be built.
        """
        return key_of(self.inputs)

    @cached_property
    def inputs(self) -> dict[str, Json]:
        """What the build key is the hash of.

        :raises LbdartError: as for the build key.
        """
        return {
            "artifact": "function",
            "source": self.source.build_key,
            "dependencies": self.dependencies.build_key,
        }

    @property
    def parts(self) -> tuple[BuildInputs, ...]:
        """The inputs of the code and of its dependencies, as they are kept to be compared."""
        return (*self.source.parts, *self.dependencies.parts)

    @property
    def asked(self) -> dict[str, Json]:
        """The options, which tell the builds of a project apart."""
        return {"source": self.source.asked, "dependencies": self.dependencies.asked}

    @property
    def history(self) -> History:
        """The builds of the project's functions on this machine."""
        return History(self._store, "function", self.project)

    @property
    def is_kept(self) -> bool:
        """Whether the store has the zip, so that :meth:`build` makes nothing."""
        return self._kept() is not None

    def build(self) -> FunctionZip:
        """Return the zip; build it if the store does not have it.

        The hash is that of the zip's bytes, which depend only on the code and the packages.

        :raises LbdartError: when the zip cannot be built, has no code, or is too large for Lambda, and when a
            compiled file would not load on the target.
        """
        kept = self._kept()
        if kept is None:
            with self._store.guarded(self._store.archive(self.build_key)):
                make_function(self)
            kept = self._kept()
        if kept is None:
            raise self._store.vanished()
        self.history.note(self.build_key, self.asked, lambda: self.parts)
        return kept

    def known_identity(self) -> SourceIdentity | None:
        """Return the identity that the store knows, also of a zip that it has no more; None without one."""
        return SourceIdentity.noted(self._store.recall("archives", self.build_key))

    def packages(self) -> Sequence[dict[str, str]]:
        """Return what an SBOM says of each package in the zip."""
        notes = self._store.recall("archives", self.build_key) or {}
        packages: Sequence[dict[str, str]] | None = notes.get("packages")
        if packages is not None:
            return packages
        return self.dependencies.described(_supplied(self.dependencies).wheels)

    def _kept(self) -> FunctionZip | None:
        notes = self._store.kept_archive(self.build_key)
        report, identity = kept_report(notes), SourceIdentity.noted(notes)
        if report is None or identity is None:
            return None
        path = self._store.archive(self.build_key)
        return FunctionZip(path, identity, self.dependencies.completed(report))

    def summary(self) -> Summary:
        """Return the zip that :meth:`build` returned in numbers.

        :raises LbdartError: when it is no longer in the store.
        """
        kept = self._kept()
        if kept is None:
            raise self._store.vanished()
        report, source = kept.report, self.source
        with self._store.guarded(kept.path):
            own = own_part(source.project, source.tool, report.own_files, source.include)
            packages = Part(len(report.sizes) - 1, "package", report.left_out)
            return Summary([own, packages], kept.path.stat().st_size, report.size, report.excluded)


def make_function(function: FunctionArtifact) -> None:
    """Make the zip of a function and keep it in the store, with its report.

    Code and wheels become the entries of one zip; of a path that both bring, a module with other contents is
    an error, as between two packages. Patterns leave out files of both, and both have bytecode.

    :raises LbdartError: when a step fails, or a compiled file would not load on the target.
    """
    from ..archive.writer import write_zip
    from ..native.check import CODE_ROOT
    from ..native.scan import scan_entries, scan_wheels
    from ..packing.merge import Bundle, merge
    from .packed import bundle_of, report_on

    layer, source, store = function.dependencies, function.source, function.source.store
    code = source.contents()
    supply = _supplied(layer)
    wheels = supply.wheels
    own = Bundle(source.project.name, tuple(code.entries))
    packages = (bundle_of(wheel, store) for wheel in wheels)
    slimmed = files_of([own, *packages], source.exclude_files, source.compiler, wheels)
    merged = merge(slimmed.bundles, prefer=layer.prefer)
    with store.scratch() as folder:
        scans = [
            scan_entries(own.name, own.entries, folder),
            *scan_wheels(((wheel.package, wheel.path) for wheel in wheels), store),
        ]
        report = report_on(
            slimmed,
            merged,
            scans,
            layer.target,
            root=CODE_ROOT,
            own_files=len(slimmed.bundles[0].entries),
            warnings=code.warnings,
        )
        if layer.lock.requires is None:  # only the wheels know what requires what
            found = (*supply.warnings, *report.warnings)
            report = replace(report, warnings=found, left_out=supply.left_out)
        path = folder / "function.zip"
        with store.guarded(path), path.open("wb") as file:
            sha256 = write_zip(file, merged.entries)
        made_from = [wheel.path for wheel in wheels]
        noted = {"version": code.version, "packages": layer.described(wheels), NOTED: report.to_json()}
        store.keep_archive(function.build_key, path, sha256, made_from, **noted)


def _supplied(layer: LayerArtifact) -> Supply:
    """Return the wheels beside the code; none when no package is selected."""
    try:
        return layer.supply()
    except EmptyLayerError:
        return Supply([], (), ())
