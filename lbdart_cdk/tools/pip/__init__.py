"""pip: ``requirements.txt`` and the files it includes."""

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
class Pip:
    """Requirements files, with or without pinned versions and hashes."""

    name: str = "pip"
    manifest: str = "requirements.txt"
    pattern: str = "*.txt"

    @property
    def frontend(self) -> Frontend:
        """Return the frontend that builds projects and source distributions."""
        from lbdart_cdk.core.wheels.frontend import IsolatedBuild

        return IsolatedBuild("pip")

    def frontend_of(self, project: Project) -> Frontend | None:
        """Look for a build system or a ``setup.py``.

        pip installs any directory with a ``pyproject.toml``, but that file may hold settings only.
        """
        return self.frontend if project.is_buildable else None

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Return False: requirements files have no workspaces."""
        return False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Lock the requirements for the target.

        When hashes pin every package, the store keeps the lock. Otherwise uv locks again each time, because
        the result can change while the file stays the same.
        """
        from .lock import read_lock

        return read_lock(project, options, target, store)


TOOL: Final = Pip()
