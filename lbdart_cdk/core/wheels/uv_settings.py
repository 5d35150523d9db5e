"""Read the settings in ``tool.uv`` that concern a project's build, for builds without ``uv build``.

Sources: *Settings* and *Build backend* in uv's documentation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from ..project.toml import read_toml, read_toml_if_any, table

#: Settings to drop: of the project's own dependencies and environments, and of other commands.
_DROPPED_SETTINGS: Final = frozenset(
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
    """A project's settings for its build.

    :param config: the config settings for its build backend.
    :param requires: extra build requirements.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    requires: frozenset[str] = frozenset()


def settings_of(source: Path) -> Settings:
    """Return a project's settings for its build, from its ``uv.toml`` if there is one, else ``tool.uv``."""
    own = source / "uv.toml"
    pyproject = _pyproject(source)
    settings = read_toml(own) if own.is_file() else table(pyproject, "tool", "uv")
    name = canonicalize_name(str(table(pyproject, "project").get("name", "")))
    of_package = table(_of_package(name, table(settings, "config-settings-package")))
    added = _of_package(name, table(settings, "extra-build-dependencies"))
    requires = [entry for entry in added if isinstance(entry, str)] if isinstance(added, list) else []
    return Settings({**table(settings, "config-settings"), **of_package}, frozenset(requires))


def version_of_uv_build(source: Path) -> SpecifierSet | None:
    """Return the versions of ``uv_build`` that the project allows, if it builds with ``uv_build`` alone."""
    build_system = table(_pyproject(source), "build-system")
    requires = build_system.get("requires")
    if (
        build_system.get("build-backend") != "uv_build"
        or "backend-path" in build_system
        or not isinstance(requires, list)
    ):
        return None
    try:
        (requirement,) = map(Requirement, requires)
    except (InvalidRequirement, TypeError, ValueError):
        return None
    is_uv_build = canonicalize_name(requirement.name) == "uv-build" and requirement.url is None
    return requirement.specifier if is_uv_build else None


@contextmanager
def as_dependencies(source: Path, requirements: Collection[str]) -> Iterator[str]:
    """Replace a copy's ``pyproject.toml`` for the block: the build requirements become its dependencies.

    uv then resolves them like build requirements: with ``tool.uv.sources``, the project's indexes and its
    build constraints. Yields the file's name, and restores the file afterwards.

    :param source: a copy of the project, which may be written to.
    """
    import tomli_w  # unused when a build requires nothing

    path = source / "pyproject.toml"
    settings = table(_pyproject(source), "tool", "uv")
    kept = {name: value for name, value in settings.items() if name not in _DROPPED_SETTINGS}
    constraints = settings.get("build-constraint-dependencies")
    if constraints is not None:
        kept["constraint-dependencies"] = constraints
    project = {"name": "build-requirements", "version": "0", "dependencies": sorted(requirements)}
    original = path.read_bytes() if path.is_file() else None
    path.write_text(tomli_w.dumps({"project": project, "tool": {"uv": kept}}), "utf-8", newline="\n")
    try:
        yield path.name
    finally:
        if original is None:
            path.unlink()
        else:
            path.write_bytes(original)


def _of_package(name: NormalizedName, by_package: Mapping[str, Any]) -> Any:
    """Return a package's entry in a table by package name."""
    return next((value for key, value in by_package.items() if canonicalize_name(key) == name), None)


def _pyproject(source: Path) -> dict[str, Any]:
    return read_toml_if_any(source / "pyproject.toml")
