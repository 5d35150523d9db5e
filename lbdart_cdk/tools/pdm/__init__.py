"""pdm: ``pdm.lock``; PDM itself need not be installed."""

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
class Pdm:
    """Projects that PDM locks, with their groups and extras."""

    name: str = "pdm"
    manifest: str = "pdm.lock"
    pattern: str = "pdm.lock"

    @property
    def frontend(self) -> Frontend:
        """Return the frontend that builds projects and source distributions."""
        from lbdart_cdk.core.wheels.frontend import IsolatedBuild

        return IsolatedBuild("pdm")

    def frontend_of(self, project: Project) -> Frontend | None:
        """Ask ``package-type`` or ``distribution`` in ``tool.pdm``; by default, what has a name is a package.

        As ``Project.is_distribution`` in PDM does.
        """
        settings = table(project.pyproject, "tool", "pdm")
        if "package-type" in settings:
            is_package = settings["package-type"] == "library"
        else:
            is_package = settings.get("distribution", True)
        has_name = "name" in table(project.pyproject, "project")
        return self.frontend if is_package and has_name else None

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Return False: PDM has no workspaces."""
        return False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Turn ``pdm.lock`` into the standard's format; groups and extras become markers.

        :raises LbdartError: when the lock is not valid or does not match ``pyproject.toml``.
        """
        from .lock import read_lock

        return read_lock(project, options, target, store)


TOOL: Final = Pdm()
