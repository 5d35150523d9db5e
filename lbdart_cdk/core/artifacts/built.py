"""One view of a build, whatever is built: how long it took, and what is in the zip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ..errors import BuildWarning
from ..project.target import Target
from .function import FunctionArtifact
from .layer import LayerArtifact
from .source import SourceArtifact, source_warnings
from .summary import Summary

_Made = TypeVar("_Made")
_Made_co = TypeVar("_Made_co", covariant=True)


class Buildable(Protocol[_Made_co]):
    """An artifact."""

    @property
    def is_kept(self) -> bool:
        """Whether the store has the zip, so that :meth:`build` makes nothing."""

    def build(self) -> _Made_co:
        """Return the zip; build it if the store does not have it."""

    def summary(self) -> Summary:
        """Return the built zip in numbers."""


@dataclass(frozen=True, slots=True)
class Timed(Generic[_Made]):
    """A finished build.

    :param is_new: whether the zip was built, and not found as an earlier build left it.
    """

    artifact: Buildable[_Made]
    made: _Made
    is_new: bool
    seconds: float

    def line(self, name: str) -> str:
        """Return the line about it.

        :param name: names the artifact.
        """
        return self.artifact.summary().line(name, is_new=self.is_new, seconds=self.seconds)


def timed(artifact: Buildable[_Made]) -> Timed[_Made]:
    """Build an artifact unless the store has it, and take the time.

    :raises LbdartError: when it cannot be built.
    """
    started = time.perf_counter()
    is_new = not artifact.is_kept
    made = artifact.build()
    return Timed(artifact, made, is_new, time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Package:
    """A package in a zip.

    :param size: the bytes of its files, unzipped.
    """

    name: str
    version: str
    size: int


@dataclass(frozen=True, slots=True)
class Contents:
    """A built zip, and what a reader wants to know of it.

    :param path: the zip in the store.
    :param sha256: the hash of its bytes.
    :param version: the project's version, where the zip is code.
    :param zipped: its bytes.
    :param unzipped: the bytes of what is in it.
    :param left_out: the names of the packages that are left out.
    """

    path: Path
    sha256: str
    build_key: str
    version: str | None
    zipped: int
    unzipped: int
    packages: Sequence[Package]
    left_out: Sequence[str]
    warnings: Sequence[BuildWarning]

    def to_json(self) -> dict[str, Any]:
        """Return all but the path."""
        values = asdict(self)
        del values["path"]
        return values


def contents_of(
    artifact: LayerArtifact | SourceArtifact | FunctionArtifact, target: Target | None
) -> Contents:
    """Return what is in the zip of an artifact; build it if the store does not have it.

    :param target: what compiled files in code are checked for; the build checks those of packages.
    :raises LbdartError: when it cannot be built, or a compiled file would not load on the target.
    """
    if isinstance(artifact, SourceArtifact):
        return _code(artifact, target)
    version: str | None = None
    hints: tuple[BuildWarning, ...] = ()
    if isinstance(artifact, FunctionArtifact):
        made = artifact.build()
        path, sha256, version, report = made.path, made.identity.sha256, made.identity.version, made.report
    else:
        path, sha256, hints = artifact.build(), artifact.zip_sha256, artifact.own_warnings
        if artifact.report is None:
            raise artifact.store.vanished()
        report = artifact.report
    packages = [
        Package(each["name"], each["version"], report.sizes.get(each["name"], 0))
        for each in artifact.packages()
    ]
    return Contents(
        path=path,
        sha256=sha256,
        build_key=artifact.build_key,
        version=version,
        zipped=path.stat().st_size,
        unzipped=report.size,
        packages=packages,
        left_out=report.left_out,
        warnings=(*hints, *report.warnings),
    )


def _code(artifact: SourceArtifact, target: Target | None) -> Contents:
    made = artifact.build()
    checked = source_warnings(made.native, target) if target is not None else ()
    return Contents(
        path=made.path,
        sha256=made.sha256,
        build_key=artifact.build_key,
        version=made.version,
        zipped=made.path.stat().st_size,
        unzipped=made.size,
        packages=(),
        left_out=(),
        warnings=(*made.warnings, *checked),
    )
