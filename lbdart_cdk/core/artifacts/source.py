"""One function's code: the project as a wheel without its dependencies, and the files asked for, in a zip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
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
from ..project.patterns import is_match
from ..project.project import Project
from ..project.tree import tree_hash
from ..store.store import Store
from ..wheels.build import build_local_wheel
from ..wheels.contents import wheel_entries
from ..wheels.metadata import dist_info
from ..wheels.reproducible import code_of
from .source_files import included_files, module_files, stored_file

_NO_VERSION = "0.0.0"


@dataclass(frozen=True, slots=True)
class SourceZip:
    """A finished source zip; ``sha256`` is of its bytes, ``version`` is the project's.

    ``size`` is in bytes, unzipped; ``native`` is what its compiled files ask for.
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
    """A source zip's inputs. ``include`` and ``exclude`` are glob patterns, see :func:`is_match`.

    ``credentials`` open private indexes to the build; they are no input, and change no hash.
    A project with a build system is built to a wheel, by ``frontend``; of one without, the modules are
    taken as they are.
    """

    project: Project
    frontend: Frontend
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    store: Store
    credentials: Given = None

    @cached_property
    def build_key(self) -> str:
        """The SHA-256, in hexadecimal, over every input."""
        return key_of(
            {
                "artifact": "source",
                "tool": self.frontend.name,
                "tree": tree_hash(self.project.root),
                "include": self.include,
                "exclude": self.exclude,
            }
        )

    def build(self) -> SourceZip:
        """Return the zip; it is made when the store does not have it.

        Its hash is that of its bytes, and they depend on the code alone: a change that does not reach
        the zip (a test, a README, another version of the build backend) is no change of the code.
        Raises :class:`LbdartError` when the project cannot be built or has no code.
        """
        kept = self._kept()
        if kept is None:
            with self.store.guarded(self.store.archive(self.build_key)):
                self._make()
            kept = self._kept()
        if kept is None:
            raise self.store.vanished()
        return kept

    def _kept(self) -> SourceZip | None:
        """Return what the store has; None when an earlier version kept it, with other notes."""
        noted = self.store.kept_archive(self.build_key) or {}
        try:
            native = scan_from_json(noted["native"])
            path = self.store.archive(self.build_key)
            return SourceZip(path, noted["sha256"], noted["version"], noted["size"], native)
        except (KeyError, TypeError, ValueError):
            return None

    def contents(self) -> SourceContents:
        """Return what the zip holds; the project is built for it, and the entries read it from the store.

        Raises :class:`LbdartError` as :meth:`build` does.
        """
        self.project.refuse_without_version()
        project = self._project_bundle()
        asked_for = Bundle("include=", tuple(self._included()))
        entries = [
            entry
            for entry in merge([project, asked_for], settled=announce)
            if is_match(entry.name.split("/"), (), self.exclude)
        ]
        refuse_without_code(entries, f"The source of {self.project.name} in {self.project.root}")
        return SourceContents(
            entries, dist_info(project.entries).version or self.project.version or _NO_VERSION
        )

    def _make(self) -> None:
        contents = self.contents()
        with self.store.scratch() as folder:
            made = folder / "source.zip"
            with self.store.guarded(made), made.open("wb") as file:
                write_zip(file, contents.entries)
            native = scan_entries(self.project.name, contents.entries, folder)
            self.store.keep_archive(
                self.build_key,
                made,
                version=contents.version,
                size=sum(entry.size for entry in contents.entries),
                native=asdict(native),
            )

    def _project_bundle(self) -> Bundle:
        if self.project.has_build_system:
            with in_environment(listed(self.credentials)):
                wheel = build_local_wheel(self.project.root, self.frontend, self.store)
            return Bundle(self.project.name, tuple(code_of(wheel_entries(wheel))))
        files = module_files(self.project.root)
        return Bundle(self.project.name, tuple(stored_file(path, name.as_posix()) for path, name in files))

    def _included(self) -> Iterator[Entry]:
        for path in included_files(self.project.root, self.include):
            yield stored_file(path, path.relative_to(self.project.root).as_posix())


def refuse_without_code(entries: Iterable[Entry], what: str) -> None:
    """Raise :class:`LbdartError` when nothing in a source can be imported."""
    if not any(entry.name.endswith((".py", ".so")) for entry in entries):
        raise LbdartError(
            f"{what} would hold no Python code.",
            "Put the code into src/ or a package beside pyproject.toml, or check exclude=.",
        )
