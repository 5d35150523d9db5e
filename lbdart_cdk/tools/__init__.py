"""One module for each packaging tool. A module that defines ``TOOL`` is a tool; nothing else lists them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.project import Project
from lbdart_cdk.core.tool import Tool


@cache
def tools() -> dict[str, Tool]:
    """Return all tools by name."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return {module.TOOL.name: module.TOOL for module in modules if hasattr(module, "TOOL")}


def find_project(path: str | Path, name: str | None = None) -> tuple[Project, Tool]:
    """Find the project at a directory or a manifest, and the tool that locks it.

    ``name`` is the tool's; it may be left out when exactly one known manifest is there. A member of a
    workspace is found by the manifest of the workspace, above it. Raises :class:`LbdartError` when there
    is no project, no manifest, the manifest of another tool, or more than one.
    """
    place = Path(path)
    if not place.exists():
        raise LbdartError(
            f"There is no project at {place.absolute()}.",
            "Pass the path of the project's directory or manifest as project=; it is relative to the app's "
            "working directory.",
        )
    tool = _named(name) if name is not None else None
    if place.is_file():
        tool = _tool_of(place, tool)
        return Project(place.absolute().parent, place.absolute()), tool
    root = place.absolute()
    found = _manifests(root)
    if tool is None and len(found) > 1:
        manifests = " and ".join(manifest.name for manifest in found.values())
        raise LbdartError(
            f"{root} has more than one manifest: {manifests}.",
            f"Say which tool locks it: tool={next(iter(found))!r}.",
        )
    if tool is None and found:
        tool = tools()[next(iter(found))]
    if tool is not None and tool.name in found:
        return Project(root, found[tool.name]), tool
    wanted = tool.manifest if tool is not None else " or ".join(one.manifest for one in tools().values())
    others = " but " + " and ".join(manifest.name for manifest in found.values()) if found else ""
    raise LbdartError(
        f"There is no {wanted} in {root}{others}.",
        f"Lock the project with {tool.name if tool is not None else 'its tool'}, or name the tool that locks "
        "it with tool=.",
    )


def _named(name: str) -> Tool:
    try:
        return tools()[name]
    except KeyError:
        raise LbdartError(
            f"There is no tool {name!r}.", f"Choose one of {', '.join(tools())}, or leave tool= out."
        ) from None


def _tool_of(manifest: Path, named: Tool | None) -> Tool:
    candidates = [named] if named is not None else list(tools().values())
    for tool in candidates:
        if tool.manifest == manifest.name:
            return tool
    whose = named.name if named is not None else "a tool that is known here"
    raise LbdartError(
        f"{manifest} is not a manifest of {whose}.",
        f"Pass {' or '.join(tool.manifest for tool in candidates)}, or the project's directory.",
    )


def _manifests(root: Path) -> dict[str, Path]:
    """Return the manifests of a directory by tool; a workspace's member has those of the workspace."""
    places = (root, *root.parents) if (root / "pyproject.toml").is_file() else (root,)
    for place in places:
        found = {
            tool.name: place / tool.manifest for tool in tools().values() if (place / tool.manifest).is_file()
        }
        if found:
            return found
    return {}
