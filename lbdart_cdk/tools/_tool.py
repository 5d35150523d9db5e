"""What the tools have in common."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from lbdart_cdk.core.locking.lock import Lock
from lbdart_cdk.core.locking.tool import Frontend, Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store


@dataclass(frozen=True, slots=True)
class LockingTool:
    """A tool whose locks the module ``lock`` of its package reads; see :class:`~.core.locking.tool.Tool`."""

    name: str
    manifest: str
    pattern: str

    @property
    def frontend(self) -> Frontend:
        """The frontend that builds projects and source distributions."""
        from lbdart_cdk.core.wheels.frontend import IsolatedBuild

        return IsolatedBuild(self.name)

    def frontend_of(self, project: Project) -> Frontend | None:
        """Look for a build system or a ``setup.py``.

        pip installs any directory with a ``pyproject.toml``, but that file may hold settings only.
        """
        return self.frontend if project.is_buildable else None

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Return False: of these tools, only uv has workspaces."""
        return False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Read the project's manifest as a lock, with the ``read_lock`` of the tool's module."""
        reader = import_module(f"{__package__}.{self.name}.lock")  # loaded only to read a lock
        lock: Lock = reader.read_lock(project, options, target, store)
        return lock
