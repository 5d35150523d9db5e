"""Builds a layer, from a project's lock to a finished zip. Start with :func:`make_layer`, the pipeline."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.utils import NormalizedName, canonicalize_name

from ..credentials.environment import Given, in_environment, listed
from ..credentials.lookup import refuse_passwords_in
from ..credentials.value import Credentials
from ..errors import BuildWarning, LbdartError
from ..keys import Json, key_of
from ..locking.default_list import DEFAULT_EXCLUDE, refuse_contradiction
from ..locking.lock import Lock, Requires, read_as_lock
from ..locking.selection import Selection
from ..locking.tool import Options, Tool
from ..project.project import Project
from ..project.target import Target
from ..publishing.identity import LayerIdentity
from ..store.store import Store
from ..wheels.build_image import BuildContainer
from ..wheels.environment import BuildEnvironment
from .chosen import Chosen
from .files import file_inputs, files_of
from .inputs import OWN, BuildInputs, History
from .report import NOTED, LayerReport, kept_report
from .summary import Part, Summary
from .supplied import Supply, hashing

if TYPE_CHECKING:
    from ..locking.selection import LockedFile
    from ..packing.bytecode import Compiler
    from ..packing.merge import Bundle, Merged
    from ..packing.slim import Slimmed
    from ..wheels.build import BuiltWheel
    from ..wheels.container import WheelContainer
    from ..wheels.supply import Supplier, Wheel

#: Change it when :class:`Chosen` is kept in another form.
_CHOSEN_FORMAT: Final = 3


class EmptyLayerError(LbdartError):
    """Nothing is selected for a layer.

    :param warnings: those about the selection.
    """

    def __init__(self, problem: str, remedy: str, warnings: tuple[BuildWarning, ...] = ()) -> None:
        super().__init__(problem, remedy)
        self.warnings = warnings


@dataclass(frozen=True)
class LayerArtifact:
    """A layer's inputs, and the values that are computed from them on demand.

    :param exclude: names of packages to leave out, in addition to the default list.
    :param store: keeps wheels and zips.
    :param credentials: for private indexes; they are not an input and change no hash.
    :param container: builds packages with compiled code; without it, such a package is an error.
    :param environment: what the builds of packages see.
    :param prefer: names of packages whose files are taken where two packages bring one; the first one wins.
    :param own_code: whether the layer has the project's own code, too.
    :param keep: names of packages on the default list to keep, with what they require.
    :param exclude_files: patterns of files to leave out, see :func:`slim`.
    :param bytecode: whether the layer has the bytecode of its modules, too.
    :raises LbdartError: when ``keep`` has a name that is not on the default list, or that is excluded.
    """

    project: Project
    tool: Tool
    target: Target
    options: Options
    exclude: tuple[str, ...]
    store: Store
    credentials: Given = None
    container: BuildContainer | None = None
    environment: BuildEnvironment = field(default_factory=BuildEnvironment)
    prefer: tuple[str, ...] = ()
    own_code: bool = False
    keep: tuple[str, ...] = ()
    exclude_files: tuple[str, ...] = ()
    bytecode: bool = False

    def __post_init__(self) -> None:
        refuse_contradiction(self.exclude, self.keep)

    @cached_property
    def _credentials(self) -> tuple[Credentials, ...]:
        return listed(self.credentials)

    @cached_property
    def lock(self) -> Lock:
        """The project's dependencies, locked."""
        refuse_passwords_in(self.project.manifest_content, self.project.manifest)
        with in_environment(self._credentials), read_as_lock(self.project.manifest):
            return self.tool.lock(self.project, self.options, self.target, self.store)

    @cached_property
    def selection(self) -> Selection:
        """For each package, the one file that loads on the target."""
        return self._select(None)

    def _select(self, requires: Requires | None) -> Selection:
        from ..locking.select import select

        with read_as_lock(self.lock.origin):
            return select(
                self.lock,
                self.target,
                self.exclude,
                keep=self.keep,
                requires=requires,
                may_compile=self.container is not None,
            )

    @cached_property
    def _chosen(self) -> Chosen:
        """What of the selection is needed when the store has all wheels."""
        inputs: dict[str, Json] = {
            "format": _CHOSEN_FORMAT,
            "content": self.lock.content,
            "base": str(self.lock.base),
            "requires": self.lock.requires,
            "roots": self.lock.roots,
            "shown": self.lock.shown,
            "extras": self.lock.extras,
            "groups": self.lock.groups,
            "runtime": self.target.runtime,
            "architecture": self.target.architecture,
            "exclude": sorted(self.exclude),
            "keep": sorted(self.keep),
            "may_compile": self.container is not None,
        }
        return Chosen.from_json(
            self.store.memo("selections", key_of(inputs), lambda: Chosen.of(self.selection).to_json())
        )

    @cached_property
    def build_key(self) -> str:
        """The SHA-256, in hexadecimal, over what the zip is made of.

        These are the files that the lock selects, and what local packages are built to. So a change of the
        manifest or of a package's directory that does not reach the layer does not change the key.

        :raises LbdartError: when the project cannot be locked, or a local package cannot be built.
        """
        return key_of(self.inputs)

    @cached_property
    def inputs(self) -> dict[str, Json]:
        """What the build key is the hash of.

        :raises LbdartError: as for the build key.
        """
        local = {name: built.identity for name, built in self._built_local.items()}
        packages: dict[str, Json] = {**self._chosen.identities, **local}
        own = self._own
        return {
            "artifact": "layer",
            "project": self.project.name,
            "tool": self.tool.name if self._has_sources else "",
            "packages": packages,
            "environment": self.environment.inputs if self._chosen.builds_locked else {},
            "prefer": [canonicalize_name(name) for name in self.prefer],
            "python": self.target.python_version,
            "architecture": self.target.architecture,
            **self._exclusion_inputs(),
            **({OWN: own if isinstance(own, Mapping) else own.identity} if own is not None else {}),
            **self._container_inputs(),
            **file_inputs(self.exclude_files, self.compiler),
        }

    @property
    def parts(self) -> tuple[BuildInputs, ...]:
        """The inputs, as they are kept to be compared with those of other builds."""
        built = dict(self._built_local)
        if self._own is not None and not isinstance(self._own, Mapping):
            built[OWN] = self._own
        wheels = {name: wheel.key for name, wheel in built.items()}
        return (BuildInputs.of(self.inputs, versions=self._chosen.versions, wheels=wheels),)

    @property
    def asked(self) -> dict[str, Json]:
        """The options, which tell the builds of a project apart."""
        return {
            "tool": self.tool.name,
            "runtime": self.target.runtime,
            "architecture": self.target.architecture,
            "extras": self.options.extras,
            "groups": self.options.groups,
            "exclude": self.exclude,
            "keep": self.keep,
            "prefer": self.prefer,
            "own_code": self.own_code,
            "exclude_files": self.exclude_files,
            "bytecode": self.bytecode,
            "container": self.container.inputs(self.target) if self.container is not None else None,
            "environment": self.environment.given,
        }

    @property
    def history(self) -> History:
        """The builds of the project's layers on this machine."""
        return History(self.store, "layer", self.project)

    @cached_property
    def _built_local(self) -> dict[str, BuiltWheel]:
        """For each local package, what it is built to."""
        if not self._chosen.local:
            return {}
        with in_environment(self._credentials):
            builder = self._supplier().builder()
            return {name: builder.local(path) for name, path in self._chosen.local.items()}

    def _exclusion_inputs(self) -> dict[str, Json]:
        """Return what the wheels' own requirements decide about, when the lock does not know them."""
        if self.lock.requires is not None:
            return {}
        return {
            "exclude": sorted({canonicalize_name(name) for name in self.exclude}),
            "keep": sorted({canonicalize_name(name) for name in self.keep}),
            "default_exclude": DEFAULT_EXCLUDE,
            "roots": sorted(self.lock.roots),
            "shown": {name: sorted(shown) for name, shown in self.lock.shown.items()},
        }

    @cached_property
    def _own(self) -> Mapping[str, str] | BuiltWheel | None:
        """What decides the project's own code; None when the layer does not have it."""
        if not self.own_code or self._locks_itself:
            return None
        from .own_code import own_identity

        with in_environment(self._credentials):
            container = self._wheel_container()
            return own_identity(self.project, self.tool, self.store, self.environment, container)

    @property
    def _locks_itself(self) -> bool:
        """Whether the lock names the project itself, so that its wheel is among the others."""
        return self.project.root.resolve() in self._chosen.local.values()

    def _container_inputs(self) -> dict[str, str | bool]:
        """Return the container's inputs; none for the default container, or when nothing is built."""
        inputs = self.container.inputs(self.target) if self.container is not None else {}
        return inputs if inputs and self._has_sources else {}

    @property
    def compiler(self) -> Compiler | None:
        """What makes the bytecode of the layer's modules; None for a layer without bytecode."""
        if not self.bytecode:
            return None
        from ..native.check import LAYER_ROOT
        from ..packing.bytecode import Compiler

        return Compiler(self.target, LAYER_ROOT, self.store, self.container)

    @property
    def _has_sources(self) -> bool:
        is_built = self.own_code and self.tool.frontend_of(self.project) is not None
        return is_built or self._chosen.has_sources

    @property
    def is_kept(self) -> bool:
        """Whether the store has the zip, so that :meth:`build` makes nothing."""
        return kept_report(self.store.kept_archive(self.build_key)) is not None

    def build(self) -> Path:
        """Return the path of the layer's zip; build the zip if the store does not have it.

        :raises LbdartError: when it cannot be built; then nothing half-written is left.
        """
        if not self.is_kept:
            with self.store.guarded(self.store.archive(self.build_key)):
                make_layer(self)
        self.history.note(self.build_key, self.asked, lambda: self.parts)
        return self.store.archive(self.build_key)

    @property
    def zip_sha256(self) -> str:
        """The SHA-256 of the zip that :meth:`build` returned, as it was when it was built.

        :raises LbdartError: when the zip is no longer in the store.
        """
        notes = self.store.recall("archives", self.build_key)
        if notes is None:
            raise self.store.vanished()
        return str(notes["sha256"])

    @property
    def report(self) -> LayerReport | None:
        """The report about the zip's contents and what they are chosen from; None before it is built."""
        report = kept_report(self.store.recall("archives", self.build_key))
        return self.completed(report) if report is not None else None

    def completed(self, report: LayerReport) -> LayerReport:
        """Return a report with what it does not keep: what the packages are chosen from.

        The build key does not cover that: another project may have the same zip.
        """
        warnings = (*self.lock.warnings, *report.warnings)
        if self.lock.requires is None:
            return replace(report, warnings=warnings)
        return replace(report, warnings=(*self._chosen.warnings, *warnings), left_out=self._chosen.left_out)

    def summary(self) -> Summary:
        """Return the zip that :meth:`build` returned in numbers.

        :raises LbdartError: when it is no longer in the store.
        """
        report, path = self.report, self.store.archive(self.build_key)
        if report is None:
            raise self.store.vanished()
        parts = [Part(len(report.sizes) - bool(report.own_files), "package", report.left_out)]
        if report.own_files:
            from .own_code import own_part

            parts.append(own_part(self.project, self.tool, report.own_files))
        with self.store.guarded(path):
            return Summary(parts, path.stat().st_size, report.size, report.excluded)

    def wheels(self) -> list[Wheel]:
        """Fetch or build the wheel of each package, and return the wheels in the order of their names.

        :raises LbdartError: when a wheel cannot be fetched or built.
        :raises EmptyLayerError: when the layer would be empty.
        """
        return self.supply().wheels

    def supply(self) -> Supply:
        """Do as :meth:`wheels` does, and also return what is to say about the selection that they are."""
        return self.settled(self.found())

    def settled(self, found: Supply | None) -> Supply:
        """Return what :meth:`found` returned if that is as locked, and else do as :meth:`brought`."""
        return found if found is not None and found.is_unchanged else self.brought()

    def found(self) -> Supply | None:
        """Return the wheels if the store has all of them; other threads hash them meanwhile.

        Then nothing is selected from the lock again. Nothing may be read from the wheels before
        :meth:`settled` waits for the hashes: what is read is noted under them.
        """
        from ..wheels.integrity import is_sound
        from ..wheels.supply import Wheel

        chosen = self._chosen
        if self.lock.requires is None or chosen.has_sources or not chosen.identities:
            return None
        wheels = [
            Wheel(NormalizedName(name), self.store.wheel(sha256), chosen.filenames[name], sha256)
            for name, sha256 in sorted(chosen.identities.items())
        ]
        if not all(wheel.path.is_file() and is_sound(wheel.sha256, self.store) for wheel in wheels):
            return None
        started = hashing([wheel.sha256 for wheel in wheels], self.store)
        return Supply(wheels, chosen.warnings, chosen.left_out, started)

    def brought(self) -> Supply:
        """Fetch or build the wheels that the store does not have; return all.

        :raises LbdartError: when a wheel cannot be fetched or built.
        :raises EmptyLayerError: when the layer would be empty.
        """
        selection = self.selection
        with in_environment(self._credentials):
            wheels = self._supplier().supply(selection)
        if self.lock.requires is None:
            # The lock does not say which package requires which, but the wheels do.
            selection = self._select({wheel.package: {"": wheel.requires} for wheel in wheels})
            wheels = [wheel for wheel in wheels if wheel.package in selection.packages]
        if not (wheels or self.own_code):
            raise _empty(self.project.name, selection)
        return Supply(wheels, selection.warnings, selection.left_out)

    @cached_property
    def own_warnings(self) -> tuple[BuildWarning, ...]:
        """The information that the layer does not have the project's own code, where that may surprise."""
        from .own_code import has_modules_beside

        if self.own_code or self._locks_itself or not has_modules_beside(self.project, self.tool):
            return ()
        text = f"The layer of {self.project.name} has no code of the project itself; own_code=True adds it."
        return (BuildWarning("lbdart_cdk:own-code", text, is_info=True),)

    def own_files(self) -> Bundle | None:
        """Return the project's own files if the layer has them.

        :raises LbdartError: when they cannot be built or have no Python code.
        """
        if self._locks_itself or not self.own_code:
            return None
        from .own_code import own_files, refuse_without_code

        with in_environment(self._credentials):
            own = own_files(
                self.project,
                self.tool,
                self.store,
                environment=self.environment,
                container=self._wheel_container(),
            )
        refuse_without_code(own.bundle.entries, f"The own code in the layer of {self.project.name}")
        return own.bundle

    def _supplier(self) -> Supplier:
        # Only a build imports these modules, so an unchanged app starts without them.
        from ..wheels.supply import Supplier

        def credentials() -> tuple[Credentials, ...]:
            return (*self._credentials, *self.lock.logins())

        return Supplier(
            self.store,
            self.tool,
            self._wheel_container(),
            credentials,
            self._scan,
            self.environment,
        )

    def _wheel_container(self) -> WheelContainer | None:
        if self.container is None or not self._has_sources:
            return None
        from ..wheels.container import WheelContainer

        return WheelContainer(self.container, self.target, (*self._credentials, *self.lock.logins()))

    def _scan(self, file: LockedFile) -> None:
        """Scan a wheel for compiled files, as soon as it is in the store."""
        from ..native.scan import scan_wheel

        if file.filename.endswith(".whl"):
            with contextlib.suppress(LbdartError):  # packing reports what is wrong with the wheel
                scan_wheel(file.package, self.store.wheel(file.sha256), self.store)

    def sbom(self) -> bytes:
        """Return the layer's bill of materials, which is made once for each build key."""
        return str(self.store.memo("sboms-2", self.build_key, self._make_sbom)["json"]).encode()

    def _make_sbom(self) -> dict[str, str]:
        from .sbom import render

        (inputs,) = self.parts
        return {"json": render(self.project.name, self.build_key, self.packages(), inputs)}

    def packages(self) -> Sequence[dict[str, str]]:
        """Return what the SBOM says of each package."""
        noted = (self.store.recall("archives", self.build_key) or {}).get("packages")
        return noted or self.described(self.wheels())

    def described(
        self, wheels: Sequence[Wheel], bundles: Sequence[Bundle] | None = None
    ) -> Sequence[dict[str, str]]:
        """Return what an SBOM says of wheels in the store.

        :param bundles: their files, if these are known.
        """
        from .packed import bundle_of
        from .sbom import described

        key = key_of({"wheels": [[wheel.package, wheel.filename, wheel.sha256] for wheel in wheels]})

        def read() -> dict[str, Any]:
            files = bundles or [bundle_of(wheel, self.store) for wheel in wheels]
            pairs = zip(wheels, files, strict=True)
            return {"packages": [described(wheel, bundle.entries) for wheel, bundle in pairs]}

        packages: list[dict[str, str]] = self.store.memo("described", key, read)["packages"]
        return packages


def _empty(project: str, selection: Selection) -> EmptyLayerError:
    """Return the error about a layer that has no package."""
    problem = f"The layer of {project} would be empty: "
    if not selection.left_out:
        return EmptyLayerError(
            f"{problem}the lock has no package for it.",
            "Add a dependency, select a group or an extra that has one, pass own_code=True for the project's "
            "own code, or remove the layer.",
        )
    reasons = {"exclude=": selection.excluded, "the default list": selection.dropped}
    left_out = [f"{reason} leaves out {', '.join(names)}" for reason, names in reasons.items() if names]
    keep = ", ".join(f'"{name}"' for name in selection.dropped)
    return EmptyLayerError(
        f"{problem}{' and '.join(left_out)}, and nothing else is selected.",
        f"Pass keep=[{keep}] to have what is named as locked, or remove the layer."
        if keep
        else "Leave out less, or remove the layer.",
        selection.warnings,
    )


def make_layer(layer: LayerArtifact) -> None:
    """Make a layer's zip and keep it in the store, with its report.

    The steps are those of the diagram in docs/design.md.

    :raises LbdartError: when a step fails, or a compiled file would not load on the target.
    """
    # manifest -> lock -> selection -> wheels: each of these asks for the one before.
    found = layer.found()
    from ..archive.writer import write_zip  # loaded while other threads hash the wheels
    from ..packing.merge import merge
    from .packed import bundle_of

    supply = layer.settled(found)
    wheels = supply.wheels
    own = layer.own_files()
    # wheels -> the entries of one zip, if they load on the target
    bundles = [bundle_of(wheel, layer.store) for wheel in wheels]
    packages = layer.described(wheels, bundles)
    if own is not None:
        bundles = sorted([*bundles, own], key=lambda bundle: bundle.name)
    slimmed = files_of(bundles, layer.exclude_files, layer.compiler, wheels)
    merged = merge(slimmed.bundles, "python/", prefer=layer.prefer)
    report = _make_report(layer, wheels, own, slimmed, merged)
    if layer.lock.requires is None:  # only the wheels know what requires what, so keep what was found
        warnings = (*supply.warnings, *report.warnings)
        report = replace(report, warnings=warnings, left_out=supply.left_out)
    # entries -> layer.zip, which names its build
    identity = LayerIdentity(layer.build_key)
    with layer.store.scratch() as folder:
        path = folder / "layer.zip"
        with layer.store.guarded(path), path.open("wb") as file:
            sha256 = write_zip(file, merged.entries, identity.comment)
        made_from = [wheel.path for wheel in wheels]
        noted = {"packages": packages, NOTED: report.to_json()}
        layer.store.keep_archive(layer.build_key, path, sha256, made_from, **noted)


def _make_report(
    layer: LayerArtifact,
    wheels: Sequence[Wheel],
    own: Bundle | None,
    slimmed: Slimmed,
    merged: Merged,
) -> LayerReport:
    """Return the report about a layer's contents.

    :raises LbdartError: when a compiled file cannot load on the target.
    """
    from ..native.check import LAYER_ROOT
    from ..native.scan import scan_entries, scan_wheels
    from .packed import report_on

    scans = scan_wheels(((wheel.package, wheel.path) for wheel in wheels), layer.store)
    if own is not None:
        with layer.store.scratch() as folder:
            scans.append(scan_entries(own.name, own.entries, folder))
    own_files = sum(len(bundle.entries) for bundle in slimmed.bundles if own and bundle.name == own.name)
    return report_on(slimmed, merged, scans, layer.target, root=LAYER_ROOT, own_files=own_files)
