"""Builds the zip of a function's code from its project. Start with :func:`make_source`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..archive.entry import Entry
from ..archive.writer import write_zip
from ..credentials.environment import Given, in_environment, listed
from ..errors import BuildWarning
from ..keys import Json, key_of
from ..locking.tool import Frontend, Tool
from ..native.check import CODE_ROOT
from ..native.found import NativeScan, scan_from_json
from ..packing.clash import warn_of
from ..packing.excluded import NOTHING, ExcludedFiles
from ..packing.merge import Bundle, merge
from ..project.build_tree import BuildTree
from ..project.patterns import is_match
from ..project.project import Project
from ..project.target import Target
from ..store.store import Store
from ..wheels.build_image import BuildContainer
from ..wheels.environment import BuildEnvironment
from .files import file_inputs, files_of
from .inputs import BuildInputs, History
from .own_code import included_files, own_files, own_inputs, own_part, refuse_without_code
from .summary import Summary

if TYPE_CHECKING:
    from ..packing.bytecode import Compiler


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What the key of a source zip in S3 names.

    :param version: the project's version.
    :param sha256: the hash of the zip's bytes.
    """

    version: str
    sha256: str

    @classmethod
    def noted(cls, notes: Mapping[str, Any] | None) -> SourceIdentity | None:
        """Return the identity in the notes of an archive; None when they have none."""
        version, sha256 = (notes or {}).get("version"), (notes or {}).get("sha256")
        return cls(version, sha256) if isinstance(version, str) and isinstance(sha256, str) else None


@dataclass(frozen=True, slots=True)
class SourceZip:
    """A finished source zip.

    :param sha256: the hash of the zip's bytes.
    :param version: the project's version.
    :param size: bytes, unzipped.
    :param native: the scan of its compiled files.
    :param files: how many files it has.
    :param warnings: what may not be as the user expects.
    :param excluded: the files that ``exclude_files`` left out.
    :param bytecode: the bytes of ``size`` that are bytecode.
    """

    path: Path
    sha256: str
    version: str
    size: int
    native: NativeScan
    files: int
    warnings: tuple[BuildWarning, ...] = ()
    excluded: ExcludedFiles = NOTHING
    bytecode: int = 0

    @property
    def identity(self) -> SourceIdentity:
        """The version and the hash."""
        return SourceIdentity(self.version, self.sha256)


@dataclass(frozen=True, slots=True)
class SourceContents:
    """The files of a source zip, and the project's version.

    :param warnings: what may not be as the user expects.
    """

    entries: list[Entry]
    version: str
    warnings: tuple[BuildWarning, ...]


@dataclass(frozen=True)
class SourceArtifact:
    """A source zip's inputs.

    A package is built to a wheel. The files of any other project are packed as they lie.

    :param include: glob patterns of more files to add, see :func:`is_match`.
    :param exclude: glob patterns of files to leave out of the zip.
    :param credentials: for private indexes that the build uses; they are not an input and change no hash.
    :param frontend: builds the wheel. Default: the tool's.
    :param environment: what the build sees.
    :param exclude_files: patterns of files to leave out of the whole zip, see :func:`slim`. They are for a
        zip that also has dependencies; of code alone, ``exclude`` leaves out files.
    :param bytecode: the target for which the whole zip has the bytecode of its modules; None for none.
    :param container: makes the bytecode where no interpreter of this machine can.
    """

    project: Project
    tool: Tool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    store: Store
    credentials: Given = None
    frontend: Frontend | None = None
    environment: BuildEnvironment = field(default_factory=BuildEnvironment)
    exclude_files: tuple[str, ...] = ()
    bytecode: Target | None = None
    container: BuildContainer | None = None

    @cached_property
    def build_key(self) -> str:
        """The SHA-256, in hexadecimal, over every input."""
        return key_of(self.inputs)

    @cached_property
    def inputs(self) -> dict[str, Json]:
        """What the build key is the hash of."""
        return {
            "artifact": "source",
            **own_inputs(self.project, self.tool, self.environment),
            "include": self.include,
            "exclude": self.exclude,
            **file_inputs(self.exclude_files, self.compiler),
        }

    @property
    def parts(self) -> tuple[BuildInputs, ...]:
        """The inputs, as they are kept to be compared with those of other builds."""
        return (BuildInputs.of(self.inputs, files=BuildTree(self.project.root).files()),)

    @property
    def asked(self) -> dict[str, Json]:
        """The options, which tell the builds of a project apart."""
        return {
            "tool": self.tool.name,
            "include": self.include,
            "exclude": self.exclude,
            "exclude_files": self.exclude_files,
            "bytecode": self.bytecode.runtime if self.bytecode is not None else None,
            "environment": self.environment.given,
        }

    @property
    def history(self) -> History:
        """The builds of the project's code on this machine."""
        return History(self.store, "source", self.project)

    @property
    def compiler(self) -> Compiler | None:
        """What makes the bytecode of the zip's modules; None for a zip without bytecode."""
        if self.bytecode is None:
            return None
        from ..packing.bytecode import Compiler

        return Compiler(self.bytecode, CODE_ROOT, self.store, self.container)

    @property
    def is_kept(self) -> bool:
        """Whether the store has the zip, so that :meth:`build` makes nothing."""
        return self._kept() is not None

    def build(self) -> SourceZip:
        """Return the zip; build it if the store does not have it.

        The hash is that of the zip's bytes, which depend only on the code. A change that does not reach the
        zip (a test, a README, another version of the build backend) does not change the hash.

        :raises LbdartError: when the project cannot be built or has no code.
        """
        kept = self._kept()
        if kept is None:
            with self.store.guarded(self.store.archive(self.build_key)):
                make_source(self)
            kept = self._kept()
        if kept is None:
            raise self.store.vanished()
        self.history.note(self.build_key, self.asked, lambda: self.parts)
        return kept

    def known_identity(self) -> SourceIdentity | None:
        """Return the identity that the store knows, also of a zip that it has no more; None without one."""
        return SourceIdentity.noted(self.store.recall("archives", self.build_key))

    def _kept(self) -> SourceZip | None:
        """Return the zip from the store; None if it is not there or an earlier version wrote its notes."""
        notes = self.store.kept_archive(self.build_key) or {}
        try:
            native = scan_from_json(notes["native"])
            path = self.store.archive(self.build_key)
            warnings = tuple(BuildWarning(**warning) for warning in notes["warnings"])
            identity = notes["sha256"], notes["version"]
            return SourceZip(
                path,
                *identity,
                notes["size"],
                native,
                notes["files"],
                warnings,
                ExcludedFiles(**notes["excluded"]),
                notes["bytecode"],
            )
        except (KeyError, TypeError, ValueError):
            return None

    def summary(self) -> Summary:
        """Return the zip that :meth:`build` returned in numbers.

        :raises LbdartError: when it is no longer in the store.
        """
        kept = self._kept()
        if kept is None:
            raise self.store.vanished()
        with self.store.guarded(kept.path):
            own = own_part(self.project, self.tool, kept.files, self.include)
            return Summary([own], kept.path.stat().st_size, kept.size, kept.excluded)

    def contents(self) -> SourceContents:
        """Build the project, and return the files of the zip; the entries read their content from the store.

        :raises LbdartError: when the project cannot be built or has no code.
        """
        included = included_files(self.project, self.tool, self.include)
        with in_environment(listed(self.credentials)):
            own = own_files(
                self.project,
                self.tool,
                self.store,
                environment=self.environment,
                frontend=self.frontend,
            )
        merged = merge([own.bundle, included], settled=warn_of)
        entries = [entry for entry in merged.entries if is_match(entry.name.split("/"), (), self.exclude)]
        refuse_without_code(entries, f"The source of {self.project.name} in {self.project.root}")
        return SourceContents(entries, own.version, merged.warnings)


def source_warnings(native: NativeScan, target: Target) -> tuple[BuildWarning, ...]:
    """Return the warnings about the compiled files in a function's own code.

    :raises LbdartError: when a file cannot load on the target.
    """
    if not native.files:
        return ()
    from ..native.check import check

    result = check([native], target, CODE_ROOT)
    result.raise_errors(target)
    return result.warnings


def make_source(source: SourceArtifact) -> None:
    """Build the zip of a function's code and keep it in the store, with what its compiled files need.

    The project becomes a wheel, the wheel and the included files become the entries of one zip, and the zip
    is kept under the build key.

    :raises LbdartError: when the project cannot be built or has no code.
    """
    from ..native.scan import scan_entries

    contents = source.contents()
    bundles = [Bundle(source.project.name, tuple(contents.entries))]
    slimmed = files_of(bundles, source.exclude_files, source.compiler)
    (own,) = slimmed.bundles
    merged = merge([own])
    with source.store.scratch() as folder:
        path = folder / "source.zip"
        with source.store.guarded(path), path.open("wb") as file:
            sha256 = write_zip(file, merged.entries)
        native = scan_entries(own.name, own.entries, folder)
        source.store.keep_archive(
            source.build_key,
            path,
            sha256,
            version=contents.version,
            size=sum(entry.size for entry in merged.entries),
            native=asdict(native),
            files=len(own.entries),
            warnings=[asdict(warning) for warning in (*slimmed.warnings, *contents.warnings)],
            excluded=asdict(slimmed.excluded),
            bytecode=merged.bytecode,
        )
