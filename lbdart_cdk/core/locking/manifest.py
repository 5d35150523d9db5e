"""Where a project's manifest is, and which tool reads it: nothing else decides this.

The tools are plug-ins: a module of ``lbdart_cdk.tools`` that defines ``TOOL`` is a tool. They are looked up
by name, since nothing in the core imports them.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Collection, Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Final

from ..errors import LbdartError
from ..project.project import Project
from .tool import Tool

_PLUGINS: Final = "lbdart_cdk.tools"


def find_manifest(tool: Tool, root: Path) -> Path | None:
    """Return the manifest that a tool locks the project at ``root`` with; None when there is none.

    A member of a workspace has the workspace's, which lies above it.
    """
    above = root.parents if (root / "pyproject.toml").is_file() else ()
    places = (place / tool.manifest for place in (root, *above))
    there = (path for path in places if path.is_file())
    return next((path for path in there if path.parent == root or tool.is_member(root, path)), None)


@cache
def tools() -> dict[str, Tool]:
    """Return all tools by name."""
    modules = [importlib.import_module(f"{_PLUGINS}.{name}") for name in _modules()]
    return {module.TOOL.name: module.TOOL for module in modules if hasattr(module, "TOOL")}


@cache
def _modules() -> tuple[str, ...]:
    package = importlib.import_module(_PLUGINS)
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(name for name in found if not name.startswith("_"))


def find_project(path: str | Path, name: str | None = None) -> tuple[Project, Tool]:
    """Find the project at a directory or a manifest, and the tool that locks it.

    :param name: the tool's. Default: the tool of the only known manifest that is there.
    :raises LbdartError: when there is no project, no manifest, the manifest of another tool, or several.
    """
    place = Path(path)
    if not place.exists():
        raise LbdartError(
            f"There is no project at {place.absolute()}.",
            "Pass the path of the project's directory or manifest as project=; it is relative to the app's "
            "working directory.",
        )
    tool = tool_named(name) if name is not None else None
    if place.is_file():
        tool = _tool_of(place, tool)
        root = place.parent.resolve()
        return Project(root, root / place.name), tool
    # Resolved: the directory above "infra/.." is not infra.
    root = place.resolve()
    candidates = [tool] if tool is not None else list(tools().values())
    found = _manifests(root, candidates)
    if len(found) > 1:
        manifests = [Path(os.path.relpath(one, root)).as_posix() for one in found.values()]
        raise LbdartError(
            f"{root} has more than one manifest: {_listed(manifests, 'and')}.",
            f"Say which tool locks the project: {_listed([f'tool={one!r}' for one in found], 'or')}.",
        )
    if found:
        ((chosen, manifest),) = found.items()
        return Project(root, manifest), tool_named(chosen)
    others = [one.name for one in _manifests(root, tools().values()).values()]
    raise LbdartError(
        f"There is no {_listed([one.manifest for one in candidates], 'or')} in {root}"
        f"{' but ' + _listed(others, 'and') if others else ''}.",
        f"Lock the project with {tool.name if tool is not None else 'its tool'}, or name the tool that locks "
        "it with tool=.",
    )


def tool_named(name: str) -> Tool:
    """Return the tool of a name; no other tool is imported for it.

    :raises LbdartError: when there is no such tool.
    """
    # Its module bears its name.
    module = importlib.import_module(f"{_PLUGINS}.{name}") if name in _modules() else None
    tool: Tool | None = getattr(module, "TOOL", None) or tools().get(name)
    if tool is None:
        raise LbdartError(f"There is no tool {name!r}.", f"Choose one of {', '.join(tools())}.")
    return tool


def _tool_of(manifest: Path, named: Tool | None) -> Tool:
    candidates = [named] if named is not None else list(tools().values())
    for tool in candidates:
        if fnmatch(manifest.name, tool.pattern):
            return tool
    whose = named.name if named is not None else "a tool that is known here"
    raise LbdartError(
        f"{manifest} is not a manifest of {whose}.",
        f"Pass {_listed([tool.manifest for tool in candidates], 'or')}, or the project's directory.",
    )


def _manifests(root: Path, candidates: Collection[Tool]) -> dict[str, Path]:
    """Return the manifests of a project by tool."""
    found = {tool.name: find_manifest(tool, root) for tool in candidates}
    return {name: manifest for name, manifest in found.items() if manifest is not None}


def _listed(names: Sequence[str], conjunction: str) -> str:
    """Return names as a sentence lists them: ``a, b or c``."""
    return f" {conjunction} ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])
