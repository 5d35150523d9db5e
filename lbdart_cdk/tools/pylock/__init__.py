"""pylock: any PEP 751 lock file, whatever tool wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lbdart_cdk.core.locking.lock import Lock
from lbdart_cdk.core.locking.tool import Frontend, Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store


@dataclass(frozen=True, slots=True)
class Pylock:
    """Locks in the standard's own format: ``pylock.toml``, or a ``pylock.NAME.toml`` that the user passes."""

    name: str = "pylock"
    manifest: str = "pylock.toml"
    pattern: str = "pylock.*toml"

    @property
    def frontend(self) -> Frontend:
        """Return the frontend that builds projects and source distributions."""
        from lbdart_cdk.core.wheels.frontend import IsolatedBuild

        return IsolatedBuild("pylock")

    def frontend_of(self, project: Project) -> Frontend | None:
        """Look for a build system or a ``setup.py``.

        pip installs any directory with a ``pyproject.toml``, but that file may hold settings only.
        """
        return self.frontend if project.is_buildable else None

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Return False: this format has no workspaces."""
        return False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Read the lock; the markers in it select extras and groups.

        It does not say what the project itself requires; a ``pyproject.toml`` beside it may.
        """
        from .lock import read_lock

        return read_lock(project, options, target, store)


TOOL: Final = Pylock()
