"""pylock: any PEP 751 lock file, whatever tool wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lbdart_cdk.core.locking.lock import Lock, without_dates
from lbdart_cdk.core.locking.tool import Frontend, Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import parse_toml
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.frontend import IsolatedBuild

from ._logins import logins
from ._roots import roots_within

_FRONTEND: Final = IsolatedBuild("pylock")


@dataclass(frozen=True, slots=True)
class Pylock:
    """Locks in the standard's own format: ``pylock.toml``, or a ``pylock.NAME.toml`` that the user passes."""

    name: str = "pylock"
    manifest: str = "pylock.toml"
    pattern: str = "pylock.*toml"
    frontend: Frontend = _FRONTEND

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
        tables = store.memo("pylock-locks", project.manifest_sha256, lambda: _read(project))
        return Lock(
            content=tables["content"],
            origin=project.manifest,
            base=project.manifest.parent,
            requires=None,
            roots=roots_within(project, options, tables["names"], tables["selectable"]),
            extras=options.extras,
            groups=options.groups,
            logins=lambda: logins(project),
        )


TOOL: Final = Pylock()


def _read(project: Project) -> dict[str, Any]:
    """Read the tables of the lock, and the names of packages and options."""
    content = without_dates(parse_toml(project.manifest_content, project.manifest))
    return {
        "content": content,
        "names": [package["name"] for package in content.get("packages", [])],
        "selectable": [*content.get("extras", ()), *content.get("dependency-groups", ())],
    }
