"""The interface of a packaging tool; ``lbdart_cdk.tools`` has one package for each tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..project.project import Project
from ..project.target import Target
from ..store.store import Store
from .lock import Lock


@dataclass(frozen=True, slots=True)
class Options:
    """The optional dependencies to select.

    :param extras: names of extras (PEP 621).
    :param groups: names of dependency groups (PEP 735).
    """

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Frontend(Protocol):
    """A build frontend (PEP 517), which runs a project's own build backend to make a wheel."""

    @property
    def name(self) -> str:
        """The name of the tool that locks the projects it builds: ``uv``."""
        ...

    def build_wheel(self, source: Path, output: Path, variables: Mapping[str, str] | None = None) -> None:
        """Build the project at ``source`` to one wheel in ``output``.

        :param source: the directory of the project: a copy, which the build may change.
        :param output: the directory for the wheel.
        :param variables: the environment variables that the build sees. Default: the frontend's choice.
        :raises BuildError: when the project cannot be built.
        """
        ...


class Tool(Protocol):
    """A packaging tool: turns its manifest into a lock, and builds sources to wheels."""

    @property
    def name(self) -> str:
        """The name that the user passes as ``tool=``: ``uv``."""
        ...

    @property
    def frontend(self) -> Frontend:
        """The frontend that builds projects and source distributions to wheels."""
        ...

    def frontend_of(self, project: Project) -> Frontend | None:
        """Return the frontend that builds the project itself; None when it is no package in the tool's eyes.

        A project that is no package runs as its files lie.
        """
        ...

    @property
    def manifest(self) -> str:
        """The file name of its manifest: ``uv.lock``."""
        ...

    @property
    def pattern(self) -> str:
        """A glob of the file names that the tool accepts when the user passes a file: ``pylock.*toml``."""
        ...

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Tell whether the project at ``root`` is in the workspace of a manifest above it."""
        ...

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Read the project's manifest as a lock.

        :param target: a manifest that does not pin its packages is locked for this target; any other manifest
            gives the same lock for every target.
        :param store: keeps notes that make this fast when nothing has changed.
        :raises LbdartError: when the manifest is stale or invalid, or the project does not have an extra or
            group.
        """
        ...
