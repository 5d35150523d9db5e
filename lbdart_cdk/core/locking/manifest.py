"""Find a project's manifest, and the tool that reads it. No other code decides this.

The tools are plug-ins: each package in ``lbdart_cdk.tools`` that defines ``TOOL`` is a tool. This module
imports them by name, because the core does not depend on them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Final

from ..errors import BuildWarning, InvalidError, LbdartError, MissingError, in_words
from ..project.project import Project
from ..project.repository import Repository
from ..windows import relative_or_absolute
from .tool import Options, Tool

_PLUGINS: Final = "lbdart_cdk.tools"
#: The tool whose rules hold for a project without a lock.
_LOCKLESS: Final = "uv"
#: What Pipenv locks; no tool reads it.
_OF_PIPENV: Final = "Pipfile"


def find_manifest(tool: Tool, root: Path) -> Path | None:
    """Return the manifest with which a tool locks the project at ``root``; None when there is none.

    A member of a workspace uses the manifest of the workspace, in a directory above its own.
    """
    above = root.parents if (root / "pyproject.toml").is_file() else ()
    paths = (directory / tool.manifest for directory in (root, *above))
    manifests = (path for path in paths if path.is_file())
    return next((path for path in manifests if path.parent == root or tool.is_member(root, path)), None)


@cache
def tools() -> dict[str, Tool]:
    """Return all tools, by name."""
    modules = [importlib.import_module(f"{_PLUGINS}.{name}") for name in _modules()]
    return {module.TOOL.name: module.TOOL for module in modules if hasattr(module, "TOOL")}


@cache
def _modules() -> tuple[str, ...]:
    package = importlib.import_module(_PLUGINS)
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(name for name in names if not name.startswith("_"))


def find_project(path: str | Path, name: str | None = None) -> tuple[Project, Tool]:
    """Find the project at a path, and the tool that locks it.

    :param path: the project's directory or manifest.
    :param name: the name of the tool. Default: the tool of the only known manifest in the directory.
    :raises LbdartError: when there is no project, no manifest, only another tool's manifest, or several.
    """
    location = Path(path)
    if not location.exists():
        raise MissingError(
            f"There is no project at {location.absolute()}.",
            "Pass the path of the project's directory or manifest as project=; it is relative to the "
            "working directory.",
        )
    tool = tool_named(name) if name is not None else None
    if location.is_file():
        tool = _tool_of(location, tool)
        root = location.parent.resolve()
        return Project(root, root / location.name), tool
    # resolve(), because the parent of "infra/.." is not "infra".
    root = location.resolve()
    candidates = [tool] if tool is not None else list(tools().values())
    manifests = _manifests(root, candidates)
    if len(manifests) > 1:
        paths = [relative_or_absolute(manifest, root).as_posix() for manifest in manifests.values()]
        choices = [f"tool={tool_name!r}" for tool_name in manifests]
        raise LbdartError(
            f"{root} has more than one manifest: {in_words(paths, 'and')}.",
            f"Pass the tool that locks the project: {in_words(choices, 'or')}.",
        )
    if manifests:
        ((chosen, manifest),) = manifests.items()
        return Project(root, manifest), tool_named(chosen)
    others = [manifest.name for manifest in _manifests(root, tools().values()).values()]
    raise MissingError(
        f"There is no {in_words([candidate.manifest for candidate in candidates], 'or')} in {root}"
        f"{', only ' + in_words(others, 'and') if others else ''}.",
        _remedy(root, tool, has_others=bool(others)),
    )


def _remedy(root: Path, tool: Tool | None, *, has_others: bool) -> str:
    if (root / _OF_PIPENV).is_file():
        return (
            f"Write what the {_OF_PIPENV} locks into a file: `pipenv requirements --hash > requirements.txt`."
        )
    named = tool.name if tool is not None else "its tool (for uv: `uv lock`)"
    if (above := manifest_above(root)) is not None:
        other = f"the directory of {above} as project="
    elif has_others:
        other = "the tool that locks it as tool="
    else:
        other = "the directory of its manifest as project="
    return f"Lock the project with {named}, or pass {other}."


def manifest_above(root: Path) -> Path | None:
    """Return the next manifest in the directories above one, up to the top of its git repository."""
    repository = Repository.around(root)
    top = repository.top if repository is not None else root
    above = [directory for directory in root.parents if directory.is_relative_to(top)]
    paths = (directory / tool.manifest for directory in above for tool in tools().values())
    return next((path for path in paths if path.is_file()), None)


def find_code(
    path: str | Path, name: str | None = None, *, requires_packages: bool = False
) -> tuple[Project, Tool]:
    """Find a project as :func:`find_project` does, or one that needs no lock: it has no dependencies.

    Its ``manifest`` is a file that does not exist then.

    :param requires_packages: whether packages are asked for, so that a lock is needed.
    :raises LbdartError: as :func:`find_project`.
    """
    try:
        return find_project(path, name)
    except MissingError:
        root = Path(path).resolve()
        # Without a lock, uv's rules say what a package is, as for `uv build`.
        tool = tool_named(name or _LOCKLESS)
        project = Project(root, root / tool.manifest)
        has_other_lock = (root / _OF_PIPENV).is_file()
        if requires_packages or has_other_lock or not root.is_dir() or project.declares_dependencies:
            raise
        return project, tool


def may_require_packages(project: Project, options: Options) -> bool:
    """Tell whether a project may have dependencies, so that its lock is to be read.

    :param options: the optional dependencies that are asked for.
    """
    manifest = project.manifest
    if not manifest.is_file():
        return False
    # uv, Poetry and PDM lock what pyproject.toml declares.
    is_lock = manifest.suffix == ".lock"
    return not is_lock or bool(options.extras or options.groups) or project.declares_dependencies


def without_lock(project: Project) -> Iterator[BuildWarning]:
    """Say that a directory has no packages, where somebody might expect those of a lock above it."""
    if project.manifest.is_file() or "project" in project.pyproject:
        return
    if (above := manifest_above(project.root)) is not None:
        manifest = relative_or_absolute(above, project.root).as_posix()
        text = f"{project.root.name} has no lock and no requirements.txt, so the function has no packages. "
        text += f"If it needs those of {manifest}, pass the directory of that file as project=."
        yield BuildWarning("lbdart_cdk:no-packages", text, is_info=True)


def tool_named(name: str) -> Tool:
    """Return the tool with a name, without importing the other tools.

    :raises LbdartError: when there is no such tool.
    """
    # A tool and its module have the same name.
    module = importlib.import_module(f"{_PLUGINS}.{name}") if name in _modules() else None
    tool: Tool | None = getattr(module, "TOOL", None) or tools().get(name)
    if tool is None:
        raise InvalidError(f"There is no tool {name!r}.", f"Choose one of {', '.join(tools())}.")
    return tool


def _tool_of(manifest: Path, named: Tool | None) -> Tool:
    candidates = [named] if named is not None else list(tools().values())
    for tool in candidates:
        if fnmatch(manifest.name, tool.pattern):
            return tool
    owner = named.name if named is not None else "any known tool"
    raise LbdartError(
        f"{manifest} is not a manifest of {owner}.",
        f"Pass {in_words([tool.manifest for tool in candidates], 'or')}, or the project's directory.",
    )


def _manifests(root: Path, candidates: Collection[Tool]) -> dict[str, Path]:
    """Return the manifests of a project, by the names of their tools."""
    manifests = {tool.name: find_manifest(tool, root) for tool in candidates}
    return {name: manifest for name, manifest in manifests.items() if manifest is not None}
