"""Where a project's manifest is."""

from __future__ import annotations

from pathlib import Path

from .tool import Tool


def manifest_of(tool: Tool, root: Path) -> Path | None:
    """Return the tool's manifest of the project at ``root``; a workspace's member has the workspace's."""
    above = root.parents if (root / "pyproject.toml").is_file() else ()
    places = (place / tool.manifest for place in (root, *above))
    there = (path for path in places if path.is_file())
    return next((path for path in there if path.parent == root or tool.is_member(root, path)), None)
