"""What the core asks of a packaging tool; ``lbdart_cdk.tools`` has one module for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..project.project import Project
from ..project.target import Target
from ..store.store import Store
from .lock import Lock


@dataclass(frozen=True, slots=True)
class Options:
    """Which of a project's optional dependencies are wanted (PEP 621 extras, PEP 735 groups)."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Frontend(Protocol):
    """A build frontend (PEP 517): has a project's own build backend make a wheel."""

    @property
    def name(self) -> str:
        """The name of the tool whose sources it builds: ``uv``."""
        ...

    def build_wheel(self, source: Path, output: Path) -> None:
        """Build the project at ``source`` (a copy, it may be written to) to one wheel in ``output``.

        :raises BuildError: when the project cannot be built.
        """
        ...


class Tool(Protocol):
    """A packaging tool: how its manifest becomes a lock, and what builds its sources."""

    @property
    def name(self) -> str:
        """What the user calls it: ``uv``."""
        ...

    @property
    def frontend(self) -> Frontend:
        """What has projects and source distributions made to wheels."""
        ...

    @property
    def manifest(self) -> str:
        """The file name of its manifest: ``uv.lock``."""
        ...

    @property
    def pattern(self) -> str:
        """A glob of the file names that it reads as a manifest when it is given one: ``pylock.*toml``."""
        ...

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Tell whether a manifest above the project at ``root`` is that of a workspace which it is in."""
        ...

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Read the project's manifest.

        A lock that covers every target is the same for all; a manifest that pins nothing is locked for the
        ``target``.
        Notes in ``store`` make this cheap when nothing changed. Raises :class:`LbdartError` when the
        manifest is stale or not valid, and for extras and groups that the project does not have.
        """
        ...
