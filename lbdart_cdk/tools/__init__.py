"""One module for each packaging tool. A module that defines ``TOOL`` is a tool; nothing else lists them."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.manifest import manifest_of
from lbdart_cdk.core.locking.tool import Tool
from lbdart_cdk.core.project.project import Project


def __getattr__(name: str) -> Any:
    """Return a tool's builder by its name, ``UvLambdaLayerLocalBuilder``, and import that tool alone."""
    match = re.fullmatch(r"([A-Z][a-z0-9]*)LambdaLayer(?:Local|Container)Builder", name)
    if match is None or match[1].lower() not in {found.name for found in pkgutil.iter_modules(__path__)}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{match[1].lower()}"), name)


@cache
def tools() -> dict[str, Tool]:
    """Return all tools by name."""
    modules = [importlib.import_module(f"{__name__}.{name}") for name in _modules()]
    return {module.TOOL.name: module.TOOL for module in modules if hasattr(module, "TOOL")}


@cache
def _modules() -> tuple[str, ...]:
    return tuple(found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_"))


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
        return Project(root, manifest), _named(chosen)
    others = [one.name for one in _manifests(root, tools().values()).values()]
    raise LbdartError(
        f"There is no {_listed([one.manifest for one in candidates], 'or')} in {root}"
        f"{' but ' + _listed(others, 'and') if others else ''}.",
        f"Lock the project with {tool.name if tool is not None else 'its tool'}, or name the tool that locks "
        "it with tool=.",
    )


def _named(name: str) -> Tool:
    # Its module bears its name: an app that names its tool loads no other.
    module = importlib.import_module(f"{__name__}.{name}") if name in _modules() else None
    tool: Tool | None = getattr(module, "TOOL", None) or tools().get(name)
    if tool is None:
        raise LbdartError(
            f"There is no tool {name!r}.", f"Choose one of {', '.join(tools())}, or leave tool= out."
        )
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
    found = {tool.name: manifest_of(tool, root) for tool in candidates}
    return {name: manifest for name, manifest in found.items() if manifest is not None}


def _listed(names: Sequence[str], conjunction: str) -> str:
    """Return names as a sentence lists them: ``a, b or c``."""
    return f" {conjunction} ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])
