"""pdm: ``pdm.lock``; PDM itself need not be installed."""

from __future__ import annotations

from typing import Final

from lbdart_cdk.core.locking.tool import Frontend
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.toml import table

from .._tool import LockingTool


class Pdm(LockingTool):
    """Projects that PDM locks, with their groups and extras."""

    __slots__ = ()

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


TOOL: Final = Pdm("pdm", "pdm.lock", "pdm.lock")
