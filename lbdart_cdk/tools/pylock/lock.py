"""How a PEP 751 lock file is read."""

from __future__ import annotations

from typing import Any

from lbdart_cdk.core.locking.lock import Lock, without_dates
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import parse_toml
from lbdart_cdk.core.store.store import Store

from .._logins import logins
from .._roots import roots_within


def read_lock(project: Project, options: Options, target: Target, store: Store) -> Lock:
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


def _read(project: Project) -> dict[str, Any]:
    """Read the tables of the lock, and the names of packages and options."""
    content = without_dates(parse_toml(project.manifest_content, project.manifest))
    return {
        "content": content,
        "names": [package["name"] for package in content.get("packages", [])],
        "selectable": [*content.get("extras", ()), *content.get("dependency-groups", ())],
    }
