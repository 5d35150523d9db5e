"""What ``tool.uv`` says of a project's build, for a build that is not made by ``uv build``.

Sources: *Settings* and *Build backend* in uv's documentation.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ..project.toml import read_toml

#: Settings of the project's own dependencies and environments, and of commands that are not asked here.
_OF_THE_PROJECT: Final = frozenset(
    {
        "build-backend",
        "build-constraint-dependencies",
        "conflicts",
        "constraint-dependencies",
        "default-groups",
        "dependency-groups",
        "dev-dependencies",
        "environments",
        "exclude-dependencies",
        "managed",
        "no-build-isolation",
        "no-build-isolation-package",
        "override-dependencies",
        "package",
        "pip",
        "required-environments",
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is said of a project's build: ``config`` for its build backend, and what it ``requires`` more."""

    config: Mapping[str, Any] = field(default_factory=dict)
    requires: frozenset[str] = frozenset()


def settings_of(source: Path) -> Settings:
    """Return what the project at ``source`` says to uv: in ``uv.toml``, which then is all, or ``tool.uv``."""
    own = source / "uv.toml"
    said = read_toml(own) if own.is_file() else _table(_pyproject(source), "tool", "uv")
    of_package = _table(_of_package(source, _table(said, "config-settings-package")))
    added = _of_package(source, _table(said, "extra-build-dependencies"))
    requires = [each for each in added if isinstance(each, str)] if isinstance(added, list) else []
    return Settings({**_table(said, "config-settings"), **of_package}, frozenset(requires))


def version_of_uv_build(source: Path) -> SpecifierSet | None:
    """Return which versions of ``uv_build`` the project takes, if that is its build backend alone."""
    table = _table(_pyproject(source), "build-system")
    requires = table.get("requires")
    if table.get("build-backend") != "uv_build" or "backend-path" in table or not isinstance(requires, list):
        return None
    try:
        (required,) = map(Requirement, requires)
    except (InvalidRequirement, TypeError, ValueError):
        return None
    named = canonicalize_name(required.name) == "uv-build" and required.url is None
    return required.specifier if named else None


@contextmanager
def as_dependencies(source: Path, requirements: Collection[str]) -> Iterator[str]:
    """Have the ``pyproject.toml`` of a copy say that its project depends on build requirements.

    So uv finds them where it finds build requirements: by ``tool.uv.sources``, on the project's indexes, and
    within its build constraints. Yields the file's name; afterwards it is what it was.
    """
    path = source / "pyproject.toml"
    settings = _table(_pyproject(source), "tool", "uv")
    kept = {name: value for name, value in settings.items() if name not in _OF_THE_PROJECT}
    constraints = settings.get("build-constraint-dependencies")
    if constraints is not None:
        kept["constraint-dependencies"] = constraints
    project = {"name": "build-requirements", "version": "0", "dependencies": sorted(requirements)}
    before = path.read_bytes() if path.is_file() else None
    path.write_text(f"project = {_toml(project)}\ntool = {_toml({'uv': kept})}\n", encoding="utf-8")
    try:
        yield path.name
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)


def _of_package(source: Path, by_package: Mapping[str, Any]) -> Any:
    """Return what is said of the project's own package."""
    name = canonicalize_name(str(_table(_pyproject(source), "project").get("name", "")))
    return next((value for key, value in by_package.items() if canonicalize_name(key) == name), None)


def _pyproject(source: Path) -> dict[str, Any]:
    path = source / "pyproject.toml"
    return read_toml(path) if path.is_file() else {}


def _table(content: Any, *names: str) -> dict[str, Any]:
    """Return a table inside of tables; it is empty where there is none."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def _toml(value: Any) -> str:
    """Return a value as TOML, in one line."""
    match value:
        case dict():
            return f"{{{', '.join(f'{_toml(key)} = {_toml(each)}' for key, each in value.items())}}}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)
