"""How ``poetry.lock`` is read.

The lock has the names and hashes of files, but not their URLs. The index is asked for the URLs, once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from lbdart_cdk.core.credentials.environment import known
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import key_of
from lbdart_cdk.core.locking.lock import Lock, in_extras, requirement, without_dates
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.progress import announced
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import parse_toml
from lbdart_cdk.core.store.store import Store

from .._index import chosen_indexes, default_index, file_tables, hashes, pip_setting
from .._logins import logins
from .._roots import roots_of

#: Poetry's own group: the dependencies of the project itself.
_MAIN: Final = "main"
#: The first lock format that has for each package its groups and markers.
_LOCK_VERSION: Final = Version("2.1")
#: The first Poetry whose content hash covers ``[dependency-groups]``.
_HASHES_GROUPS: Final = Version("2.3.0")
#: The files of each package, by the URL of the index (None for the default index).
_Addresses = Mapping[str | None, Mapping[str, Mapping[str, Any]]]


def read_lock(project: Project, options: Options, target: Target, store: Store) -> Lock:
    """Turn ``poetry.lock`` into the standard's format; groups and extras become markers.

    :raises LbdartError: when the lock is not valid or does not match ``pyproject.toml``.
    """
    metadata = store.memo("poetry-files", project.manifest_sha256, lambda: _metadata(project))
    _refuse_stale(project, metadata)
    groups = sorted({_MAIN, *metadata["groups"], *_groups(project)})
    key = key_of(
        {
            "manifest": project.manifest_sha256,
            "groups": groups,
            "indexes": chosen_indexes(),
        }
    )
    tables = store.memo("poetry-locks", key, lambda: _read(project, groups))
    return Lock(
        content=tables["content"],
        origin=project.manifest,
        base=project.manifest.parent,
        requires=tables["requires"],
        roots=roots_of(project, options),
        extras=options.extras,
        groups=options.groups,
        logins=lambda: logins(project, pip_setting("index-url") or "", tables.get("indexes")),
    )


def _metadata(project: Project) -> dict[str, Any]:
    """Read the content hash, the version of Poetry and the groups from the lock.

    :raises LbdartError: when the lock has no format that this module reads.
    """
    data = parse_toml(project.manifest_content, project.manifest)
    metadata = data.get("metadata", {})
    try:
        version = Version(metadata["lock-version"])
        content_hash = metadata["content-hash"]
    except (KeyError, TypeError, InvalidVersion) as error:
        raise LbdartError(
            f"{project.manifest} is not a lock of Poetry: its metadata is incomplete.",
            "Run `poetry lock` and commit the result.",
        ) from error
    if version < _LOCK_VERSION:
        raise LbdartError(
            f"{project.manifest} was written by Poetry 1 and does not have the groups of each package.",
            "Run `poetry lock` with Poetry 2 and commit the result.",
        )
    if version.major > _LOCK_VERSION.major:
        raise LbdartError(
            f"{project.manifest} has the format {version}, which this library does not know yet.",
            "Update lbdart_cdk, or lock with an older Poetry.",
        )
    generator = re.search(r"Poetry (\S+)", project.manifest_content.partition(b"\n")[0].decode())
    groups = {group for package in data.get("package", []) for group in package.get("groups", [])}
    return {
        "content_hash": content_hash,
        "poetry": generator[1] if generator is not None else None,
        "groups": sorted(groups),
    }


def _refuse_stale(project: Project, metadata: Mapping[str, Any]) -> None:
    expected = {_content_hash(project.pyproject, with_groups=True)}
    if _is_before(metadata["poetry"], _HASHES_GROUPS):
        expected.add(_content_hash(project.pyproject, with_groups=False))
    if metadata["content_hash"] not in expected:
        raise LbdartError(
            f"{project.manifest} does not match {project.root / 'pyproject.toml'}.",
            "Run `poetry lock` and commit the result.",
        )


def _is_before(version: str | None, other: Version) -> bool:
    try:
        return version is not None and Version(version) < other
    except InvalidVersion:
        return False


def _content_hash(pyproject: Mapping[str, Any], *, with_groups: bool) -> str:
    """Return the hash of the tables that the lock depends on, as Poetry's ``Locker`` computes it."""
    project = pyproject.get("project", {})
    poetry = pyproject.get("tool", {}).get("poetry", {})
    of_project = {
        key: project[key]
        for key in ("requires-python", "dependencies", "optional-dependencies")
        if project.get(key) is not None
    }
    of_groups = pyproject.get("dependency-groups", {}) if with_groups else {}
    # Without the standard's tables, Poetry hashes its own tables even when they are missing.
    always = () if of_project or of_groups else ("dependencies", "source", "extras", "dev-dependencies")
    of_poetry = {
        key: poetry.get(key)
        for key in ("dependencies", "source", "extras", "dev-dependencies", "group")
        if poetry.get(key) is not None or key in always
    }
    relevant: dict[str, Any] = {}
    if of_project:
        relevant["project"] = of_project
    if of_groups:
        relevant["dependency-groups"] = of_groups
    if relevant:
        relevant["tool"] = {"poetry": of_poetry}
    else:
        relevant = of_poetry
    return hashlib.sha256(json.dumps(relevant, sort_keys=True, default=str).encode()).hexdigest()


def _groups(project: Project) -> Iterator[str]:
    """Yield the groups of the project, including those that need no package of their own."""
    poetry = project.pyproject.get("tool", {}).get("poetry", {})
    yield from map(canonicalize_name, (*project.groups, *poetry.get("group", {})))
    if "dev-dependencies" in poetry:
        yield "dev"


def _read(project: Project, groups: list[str]) -> dict[str, Any]:
    data = parse_toml(project.manifest_content, project.manifest)
    try:
        packages = data.get("package", [])
        indexes = {
            package["source"]["reference"]: package["source"]["url"]
            for package in packages
            if _kind(package) == "legacy" and "reference" in package["source"]
        }
        with announced(f"Asking the index for the files of {project.manifest.name}"):
            addresses = _addresses(project, packages, indexes)
        content = {
            "lock-version": "1.0",
            "created-by": "poetry",
            **_requires_python(data["metadata"].get("python-versions", "*")),
            "extras": [canonicalize_name(name) for name in data.get("extras", {})],
            "dependency-groups": groups,
            "default-groups": [_MAIN],
            "packages": [_package(package, addresses) for package in packages],
        }
        return {
            "content": without_dates(content),
            "indexes": indexes,
            "requires": _requires(packages),
        }
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise LbdartError(
            f"{project.manifest} is not a lock of Poetry: {error!r} in a package.",
            "Run `poetry lock` and commit the result.",
        ) from error


def _requires_python(versions: str) -> dict[str, str]:
    try:
        return {"requires-python": str(SpecifierSet(versions))} if versions != "*" else {}
    except InvalidSpecifier:  # Poetry's own syntax: ^3.11
        return {}


def _kind(package: Mapping[str, Any]) -> str:
    """Return the kind of source of a package; ``legacy`` is an index with the simple API."""
    return str(package.get("source", {}).get("type", "index"))


def _index(package: Mapping[str, Any]) -> str | None:
    """Return the URL of the index that the lock names for a package, or None for the default index."""
    return str(package["source"]["url"]) if _kind(package) == "legacy" else None


def _addresses(project: Project, packages: list[dict[str, Any]], indexes: Mapping[str, str]) -> _Addresses:
    from .._pages import files_on

    wanted: defaultdict[str | None, set[str]] = defaultdict(set)
    for package in packages:
        if _kind(package) in ("index", "legacy"):
            wanted[_index(package)].add(canonicalize_name(package["name"]))
    addresses = {}
    for index, names in wanted.items():
        url = index or default_index()
        addresses[index] = files_on(url, sorted(names), (*known(), *logins(project, url, indexes)))
    return addresses


def _package(package: dict[str, Any], addresses: _Addresses) -> dict[str, Any]:
    name = canonicalize_name(package["name"])
    table = {"name": name, "version": package["version"], "marker": _marker(package)}
    source = package.get("source", {})
    subdirectory = {"subdirectory": source["subdirectory"]} if "subdirectory" in source else {}
    match _kind(package):
        case "directory":
            return table | {"directory": {"path": source["url"], **subdirectory}}
        case "git":
            commit = {"commit-id": source["resolved_reference"]}
            return table | {"vcs": {"type": "git", "url": source["url"], **commit, **subdirectory}}
        case "file" | "url" as kind:
            location = {"path" if kind == "file" else "url": source["url"]}
            return table | {"archive": {**location, "hashes": hashes(package["files"][0]), **subdirectory}}
    return table | file_tables(package, addresses[_index(package)][name], "poetry lock")


def _marker(package: Mapping[str, Any]) -> str:
    """Return the standard's marker for the groups that need a package, and their conditions."""
    markers = package.get("markers", {})
    conditions = []
    for group in package["groups"]:
        condition = f'"{canonicalize_name(group)}" in dependency_groups'
        marker = markers if isinstance(markers, str) else markers.get(group)
        if marker:
            condition += f" and ({in_extras(marker)})"
        conditions.append(condition)
    return " or ".join(conditions)


def _requires(packages: list[dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """Return what each package requires."""
    requires: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for package in packages:
        required = requires[canonicalize_name(package["name"])].setdefault(package["version"], [])
        for name, constraints in package.get("dependencies", {}).items():
            for constraint in constraints if isinstance(constraints, list) else [constraints]:
                options = constraint if isinstance(constraint, dict) else {}
                required.append(requirement(name, options.get("extras", ()), options.get("markers")))
    return requires
