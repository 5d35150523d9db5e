"""Builds the zip of a function's code from its project. Start with :func:`make_source`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from ..archive.entry import Entry
from ..archive.writer import write_zip
from ..credentials.environment import Given, in_environment, listed
from ..errors import LbdartError
from ..keys import key_of
from ..locking.tool import Frontend
from ..native.scan import NativeScan, scan_entries, scan_from_json
from ..packing.clash import announce
from ..packing.merge import Bundle, merge
from ..project.build_tree import BuildTree
from ..project.patterns import is_match
from ..project.project import Project
from ..store.store import Store
from ..wheels.build import Builder
from ..wheels.contents import wheel_entries
from ..wheels.environment import BuildEnvironment
from ..wheels.metadata import dist_info
from ..wheels.reproducible import code_of
from .source_files import included_files, module_files, stored_file

_NO_VERSION = "0.0.0"


@dataclass(frozen=True, slots=True)
class SourceZip:
    """A finished source zip.

    :param sha256: the hash of the zip's bytes.
    :param version: the project's version.
    :param size: bytes, unzipped.
    :param native: the scan of its compiled files.
    """

    path: Path
    sha256: str
    version: str
    size: int
    native: NativeScan


@dataclass(frozen=True, slots=True)
class SourceContents:
    """The files of a source zip, and the project's version."""

    entries: list[Entry]
    version: str


@dataclass(frozen=True)
class SourceArtifact:
    """A source zip's inputs.

    A project with a build system is built to a wheel. From a project without one, the modules are packed as
    they are.

    :param frontend: builds the wheel.
    :param include: glob patterns of more files to add, see :func:`is_match`.
    :param exclude: glob patterns of files to leave out of the zip.
    :param credentials: for private indexes that the build uses; they are not an input and change no hash.
    :param environment: what the build sees.
    """

    project: Project
    frontend: Frontend
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    store: Store
    credentials: Given = None
    environment: BuildEnvironment = field(default_factory=BuildEnvironment)

    @cached_property
    def build_key(self) -> str:
        """The SHA-256, in hexadecimal, over every input."""
        return key_of(
            {
                "artifact": "source",
                "tool": self.frontend.name,
                "tree": BuildTree(self.project.root).key(),
                "environment": self.environment.inputs,
                "include": self.include,
                "exclude": self.exclude,
            }
        )

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
        return kept

    def _kept(self) -> SourceZip | None:
        """Return the zip from the store; None if it is not there or an earlier version wrote its notes."""
        notes = self.store.kept_archive(self.build_key) or {}
        try:
            native = scan_from_json(notes["native"])
            path = self.store.archive(self.build_key)
            return SourceZip(path, notes["sha256"], notes["version"], notes["size"], native)
        except (KeyError, TypeError, ValueError):
            return None

    def contents(self) -> SourceContents:
        """Build the project, and return the files of the zip; the entries read their content from the store.

        :raises LbdartError: when the project cannot be built or has no code.
        """
        self.project.refuse_without_version()
        project = self._project_bundle()
        included = Bundle("include=", tuple(self._included_entries()))
        entries = [
            entry
            for entry in merge([project, included], settled=announce)
            if is_match(entry.name.split("/"), (), self.exclude)
        ]
        refuse_without_code(entries, f"The source of {self.project.name} in {self.project.root}")
        return SourceContents(
            entries, dist_info(project.entries).version or self.project.version or _NO_VERSION
        )

    def _project_bundle(self) -> Bundle:
        if self.project.has_build_system:
            with in_environment(listed(self.credentials)):
                builder = Builder(self.frontend, self.store, environment=self.environment)
                wheel = builder.local(self.project.root).path
            return Bundle(self.project.name, tuple(code_of(wheel_entries(wheel))))
        files = module_files(self.project.root)
        return Bundle(self.project.name, tuple(stored_file(path, name.as_posix()) for path, name in files))

    def _included_entries(self) -> Iterator[Entry]:
        for path in included_files(self.project.root, self.include):
            yield stored_file(path, path.relative_to(self.project.root).as_posix())


def make_source(source: SourceArtifact) -> None:
    """Build the zip of a function's code and keep it in the store, with what its compiled files need.

    The project becomes a wheel, the wheel and the included files become the entries of one zip, and the zip
    is kept under the build key.

    :raises LbdartError: when the project cannot be built or has no code.
    """
    contents = source.contents()
    with source.store.scratch() as folder:
        path = folder / "source.zip"
        with source.store.guarded(path), path.open("wb") as file:
            write_zip(file, contents.entries)
        native = scan_entries(source.project.name, contents.entries, folder)
        size = sum(entry.size for entry in contents.entries)
        source.store.keep_archive(
            source.build_key, path, version=contents.version, size=size, native=asdict(native)
        )


def refuse_without_code(entries: Iterable[Entry], what: str) -> None:
    """Refuse a source that has nothing to import.

    :param what: the name of the source in messages.
    :raises LbdartError: when no entry is Python code or an extension module.
    """
    if not any(entry.name.endswith((".py", ".pyc", ".so")) for entry in entries):
        raise LbdartError(
            f"{what} would have no Python code.",
            "Put the code into src/ or into a package beside pyproject.toml, or check exclude=.",
        )
