"""uv: ``uv.lock``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from lbdart_cdk.core.locking.tool import Frontend
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.toml import read_toml_if_any, table

from .._tool import LockingTool


class Uv(LockingTool):
    """The tool uv, installed beside this library or on PATH."""

    __slots__ = ()

    @property
    def frontend(self) -> Frontend:
        """Return the frontend that builds projects and source distributions."""
        from lbdart_cdk.core.wheels.frontend import UV, IsolatedBuild

        return IsolatedBuild("uv", (UV,))

    def frontend_of(self, project: Project) -> Frontend | None:
        """Ask ``package`` in ``tool.uv``, else for a build system (*Build systems* in uv's documentation)."""
        package = table(project.pyproject, "tool", "uv").get("package", project.has_build_system)
        return self.frontend if package else None

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Read the workspace's members from the ``pyproject.toml`` beside its lock."""
        folder = manifest.parent
        workspace = table(read_toml_if_any(folder / "pyproject.toml"), "tool", "uv").get("workspace")
        return (
            isinstance(workspace, dict)
            and _matches(root, folder, workspace.get("members", ()))
            and not _matches(root, folder, workspace.get("exclude", ()))
        )


TOOL: Final = Uv("uv", "uv.lock", "uv.lock")


def _matches(root: Path, workspace: Path, patterns: Iterable[str]) -> bool:
    """Tell whether a pattern, relative to the workspace, matches a directory in the workspace."""
    below = root.relative_to(workspace)
    return any(
        fnmatch(str(below), pattern) if "**" in pattern else (Path("/") / below).match(f"/{pattern}")
        for pattern in map(os.path.normpath, patterns)
    )
