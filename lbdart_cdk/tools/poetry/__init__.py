"""poetry: ``poetry.lock``; Poetry itself need not be installed."""

from __future__ import annotations

from typing import Final

from lbdart_cdk.core.locking.tool import Frontend
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.toml import table

from .._tool import LockingTool


class Poetry(LockingTool):
    """Projects that Poetry 2 locks, with their groups and extras."""

    __slots__ = ()

    def frontend_of(self, project: Project) -> Frontend | None:
        """Ask ``package-mode`` in ``tool.poetry``; by default, a project is a package.

        Without a build backend, Poetry builds it with its own (*build* in Poetry's documentation).
        """
        poetry = table(project.pyproject, "tool", "poetry")
        if not project.pyproject or poetry.get("package-mode", True) is False:
            return None
        has_backend = "build-backend" in table(project.pyproject, "build-system")
        return self.frontend if has_backend else _with_poetry_core()


TOOL: Final = Poetry("poetry", "poetry.lock", "poetry.lock")


def _with_poetry_core() -> Frontend:
    """Return a frontend with a name of its own, because it builds the same files to other wheels."""
    from lbdart_cdk.core.wheels.frontend import BuildBackend, IsolatedBuild

    return IsolatedBuild("poetry-core", backend=BuildBackend("poetry-core", "poetry.core.masonry.api"))
