"""poetry: ``poetry.lock``; Poetry itself need not be installed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lbdart_cdk.core.locking.lock import Lock
from lbdart_cdk.core.locking.tool import Frontend, Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import table
from lbdart_cdk.core.store.store import Store


@dataclass(frozen=True, slots=True)
class Poetry:
    """Projects that Poetry 2 locks, with their groups and extras."""

    name: str = "poetry"
    manifest: str = "poetry.lock"
    pattern: str = "poetry.lock"

    @property
    def frontend(self) -> Frontend:
        """Return the frontend that builds projects and source distributions."""
        from lbdart_cdk.core.wheels.frontend import IsolatedBuild

        return IsolatedBuild("poetry")

    def frontend_of(self, project: Project) -> Frontend | None:
        """Ask ``package-mode`` in ``tool.poetry``; by default, a project is a package.

        Without a build backend, Poetry builds it with its own (*build* in Poetry's documentation).
        """
        poetry = table(project.pyproject, "tool", "poetry")
        if not project.pyproject or poetry.get("package-mode", True) is False:
            return None
        has_backend = "build-backend" in table(project.pyproject, "build-system")
        return self.frontend if has_backend else _with_poetry_core()

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Return False: Poetry has no workspaces."""
        return False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Turn ``poetry.lock`` into the standard's format; groups and extras become markers.

        :raises LbdartError: when the lock is not valid or does not match ``pyproject.toml``.
        """
        from .lock import read_lock

        return read_lock(project, options, target, store)


TOOL: Final = Poetry()


def _with_poetry_core() -> Frontend:
    """Return a frontend with a name of its own, because it builds the same files to other wheels."""
    from lbdart_cdk.core.wheels.frontend import BuildBackend, IsolatedBuild

    return IsolatedBuild("poetry-core", backend=BuildBackend("poetry-core", "poetry.core.masonry.api"))
