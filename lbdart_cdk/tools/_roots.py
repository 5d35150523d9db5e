"""What a project itself requires: the roots of its lock, with the extras that it asks for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from lbdart_cdk.core.locking.lock import requirement
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.toml import table

from ._required import OwnRequirements

#: The name of a package, in an address that has none in front of it.
_EGG: Final = re.compile(r"[#&]egg=([^&\s]+)")
#: The group of Poetry's first way to write dependencies of development.
_DEV: Final = "dev"


def roots_of(project: Project, options: Options) -> tuple[str, ...]:
    """Return what ``pyproject.toml`` says that a project requires, with some extras and groups."""
    return tuple(sorted({*own_requirements(project.pyproject).chosen(project.name, options)}))


def roots_within(
    project: Project, options: Options, locked: Collection[str], selectable: Collection[str]
) -> tuple[str, ...]:
    """Do as :func:`roots_of`, for a lock in which some extras and groups may be included for good.

    An extra or a group that cannot be selected counts if all that it requires is in the lock.

    :param locked: the names of the packages in the lock.
    :param selectable: the extras and groups of the lock.
    """
    own = own_requirements(project.pyproject)
    names = {project.name, *map(canonicalize_name, locked)}
    others = {*map(canonicalize_name, selectable)}

    def included(tables: Mapping[str, list[str]]) -> tuple[str, ...]:
        return tuple(
            name
            for name, texts in tables.items()
            if name not in others and {canonicalize_name(Requirement(text).name) for text in texts} <= names
        )

    extras, groups = (*options.extras, *included(own.extras)), (*options.groups, *included(own.groups))
    return tuple(sorted({*own.chosen(project.name, Options(extras, groups))}))


def written(line: str) -> str | None:
    """Return a requirement of PEP 508, or of pip's ``#egg=``, as :func:`requirement` writes it; else None."""
    try:
        read = Requirement(egg[1] if (egg := _EGG.search(line)) is not None else line)
    except InvalidRequirement:
        return None
    return requirement(read.name, read.extras, str(read.marker) if read.marker is not None else None)


def own_requirements(pyproject: Mapping[str, Any]) -> OwnRequirements:
    """Return what the tables of a ``pyproject.toml`` say that a project requires.

    The tables are those of *pyproject.toml specification* and *Dependency Groups* (PyPA), Poetry and PDM. A
    requirement that cannot be read is left out.
    """
    project, poetry = table(pyproject, "project"), table(pyproject, "tool", "poetry")
    extras: defaultdict[str, list[str]] = defaultdict(list)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for extra, lines in table(project, "optional-dependencies").items():
        extras[canonicalize_name(extra)] += _written(lines)
    of_pdm = table(pyproject, "tool", "pdm", "dev-dependencies")
    for tables in (table(pyproject, "dependency-groups"), of_pdm):
        by_name = {str(canonicalize_name(group)): lines for group, lines in tables.items()}
        for group in by_name:
            groups[group] += _written(_with_included(group, by_name))
    of_poetry = _of_poetry(table(poetry, "dependencies"))
    for extra, names in table(poetry, "extras").items():
        wanted = {*map(canonicalize_name, filter(_is_text, names))}
        extras[canonicalize_name(extra)] += [text for name, text, _ in of_poetry if name in wanted]
    for group, texts in _groups_of_poetry(poetry):
        groups[group] += texts
    always = [text for _, text, is_optional in of_poetry if not is_optional]
    return OwnRequirements([*_written(project.get("dependencies")), *always], extras, groups)


def _written(lines: object) -> list[str]:
    texts = (written(line) for line in lines if _is_text(line)) if isinstance(lines, list) else ()
    return [text for text in texts if text is not None]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _with_included(group: str, groups: Mapping[str, Any], above: Collection[str] = ()) -> list[Any]:
    """Return the entries of a dependency group, and of those that it includes (PEP 735)."""
    lines = groups.get(group)
    entries = list(lines) if isinstance(lines, list) and group not in above else []
    for entry in list(entries):
        if isinstance(entry, dict) and _is_text(entry.get("include-group")):
            included = canonicalize_name(entry["include-group"])
            entries += _with_included(included, groups, (*above, group))
    return entries


def _groups_of_poetry(poetry: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each group of Poetry, with what it and the groups that it includes require."""
    groups: dict[str, Any] = {
        canonicalize_name(group): content for group, content in table(poetry, "group").items()
    }
    if "dev-dependencies" in poetry:
        groups[_DEV] = {"dependencies": poetry["dev-dependencies"]}
    for group in groups:
        tables = (table(groups.get(name), "dependencies") for name in _groups_within(group, groups))
        yield group, [text for dependencies in tables for _, text, _ in _of_poetry(dependencies)]


def _groups_within(group: str, groups: Mapping[str, Any]) -> list[str]:
    """Return the name of a group of Poetry, and of those that it includes."""
    names = [group]
    for name in names:
        included = table(groups, name).get("include-groups", ())
        names += [other for other in map(canonicalize_name, filter(_is_text, included)) if other not in names]
    return names


def _of_poetry(dependencies: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Return of each dependency in a table of Poetry the name, the requirement and whether it is optional."""
    found: list[tuple[str, str, bool]] = []
    for name, constraints in dependencies.items():
        for constraint in constraints if isinstance(constraints, list) else [constraints]:
            options = constraint if isinstance(constraint, dict) else {}
            text = written(f"{_with_extras(name, options)}{_condition(options)}")
            if text is not None and canonicalize_name(name) != "python":
                found.append((canonicalize_name(name), text, options.get("optional") is True))
    return found


def _with_extras(name: str, options: Mapping[str, Any]) -> str:
    extras = options.get("extras")
    return f"{name}[{','.join(map(str, extras))}]" if isinstance(extras, list) and extras else name


def _condition(options: Mapping[str, Any]) -> str:
    """Return the conditions of a dependency of Poetry as a marker, without Pythons in Poetry's own syntax."""
    conditions = [f"({options['markers']})"] if _is_text(options.get("markers")) else []
    if _is_text(options.get("platform")):
        conditions.append(f'sys_platform == "{options["platform"]}"')
    conditions += _python(options.get("python"))
    return f"; {' and '.join(conditions)}" if conditions else ""


def _python(versions: object) -> Iterable[str]:
    try:
        specifiers = SpecifierSet(versions if isinstance(versions, str) and versions != "*" else "")
    except InvalidSpecifier:
        return []
    return sorted(f'python_full_version {one.operator} "{one.version}"' for one in specifiers)
