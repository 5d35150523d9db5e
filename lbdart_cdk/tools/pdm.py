"""pdm: ``pdm.lock``, read as it stands; PDM itself need not be installed.

The lock names files and hashes. Where the files are is asked of the project's sources, once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from lbdart_cdk.core.credentials.environment import known
from lbdart_cdk.core.credentials.lookup import without_login
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import key_of
from lbdart_cdk.core.locking.lock import Lock, requirements, without_dates
from lbdart_cdk.core.locking.tool import Frontend, Options
from lbdart_cdk.core.progress import announced
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import parse_toml
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.frontend import IsolatedBuild

from ._index import DEFAULT_INDEX_OF_UV, default_index, file_tables, hashes
from ._logins import expanded, logins

#: PDM's own group: the dependencies of the project itself.
_MAIN: Final = "default"
#: With this strategy, PDM's default, the lock says for each package which groups need it and when.
_STRATEGY: Final = "inherit_metadata"
#: How PDM names the platforms that a lock is for, and markers do.
_PLATFORMS: Final = {"linux": "linux", "manylinux": "linux", "windows": "win32", "macos": "darwin"}
_REPOSITORIES: Final = ("git", "hg", "svn", "bzr")
_FILE_SUFFIXES: Final = (".whl", ".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")

_FRONTEND: Final = IsolatedBuild("pdm")


@dataclass(frozen=True, slots=True)
class Pdm:
    """Projects that PDM locks, with their groups and extras."""

    name: str = "pdm"
    manifest: str = "pdm.lock"
    pattern: str = "pdm.lock"
    frontend: Frontend = _FRONTEND

    def is_member(self, root: Path, manifest: Path) -> bool:
        """There are no workspaces."""
        return False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Turn ``pdm.lock`` into the standard's format; groups and extras become markers in it.

        Raises :class:`LbdartError` when it does not match ``pyproject.toml``.
        """
        content_hash = store.memo("pdm-hashes", project.manifest_sha256, lambda: _about(project))
        if content_hash["sha256"] != _content_hash(project.pyproject):
            raise LbdartError(
                f"{project.manifest} does not match {project.root / 'pyproject.toml'}.",
                "Run `pdm lock` and commit the result.",
            )
        key = key_of(
            {
                "manifest": project.manifest_sha256,
                # It names the sources and tells extras from groups.
                "content": content_hash["sha256"],
                "indexes": [
                    without_login(os.environ.get(name, ""))
                    for name in (*DEFAULT_INDEX_OF_UV, "PIP_INDEX_URL")
                ],
            }
        )
        read = store.memo("pdm-tables", key, lambda: _read(project))
        return Lock(
            content=read["content"],
            origin=project.manifest,
            base=project.manifest.parent,
            local=read["local"],
            requires=read["requires"],
            extras=options.extras,
            groups=options.groups,
            logins=lambda: _logins_of(project),
        )


TOOL: Final = Pdm()


def _about(project: Project) -> dict[str, Any]:
    """Read what tells whether the lock can be used: the hash of what it was made from."""
    metadata = parse_toml(project.manifest_content, project.manifest).get("metadata", {})
    version = str(metadata.get("lock_version", ""))
    if not version:
        raise LbdartError(
            f"{project.manifest} is not a lock of PDM: its metadata is incomplete.",
            "Run `pdm lock` and commit the result.",
        )
    if version.partition(".")[0] != "4":
        raise LbdartError(
            f"{project.manifest} has the format {version}, and format 4 is the one that is known here.",
            "Update lbdart_cdk, or lock with PDM 2.",
        )
    if _STRATEGY not in metadata.get("strategy", ()):
        raise LbdartError(
            f"{project.manifest} does not say what each package is for.",
            f"Run `pdm lock --strategy {_STRATEGY}` and commit the result.",
        )
    if "content_hash" not in metadata:
        raise LbdartError(
            f"{project.manifest} has no hash of the pyproject.toml that it was made from.",
            "Drop lock_inputs from [tool.pdm.resolution], run `pdm lock` and commit the result.",
        )
    return {"sha256": metadata["content_hash"].removeprefix("sha256:")}


def _content_hash(pyproject: Mapping[str, Any]) -> str:
    """Return the hash of all that a lock follows from, as PDM's ``PyProject.content_hash`` makes it."""
    project, pdm = pyproject.get("project", {}), _settings(pyproject)
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    for tables in (pyproject.get("dependency-groups", {}), pdm.get("dev-dependencies", {})):
        for group, required in tables.items():
            groups[canonicalize_name(group)] += required
    relevant = {
        "sources": pdm.get("source", []),
        "dependencies": project.get("dependencies", []),
        "dev-dependencies": groups,
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
        "resolution": pdm.get("resolution", {}),
    }
    return hashlib.sha256(json.dumps(relevant, sort_keys=True, default=str).encode()).hexdigest()


def _settings(pyproject: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = pyproject.get("tool", {}).get("pdm", {})
    return settings if isinstance(settings, dict) else {}


def _read(project: Project) -> dict[str, Any]:
    from packaging.requirements import InvalidRequirement

    data = parse_toml(project.manifest_content, project.manifest)
    try:
        # With extras a package is there a second time, for what these require.
        packages = [package for package in data.get("package", []) if "extras" not in package]
        with announced(f"Asking the index for the files of {project.manifest.name}"):
            there = _files_there(packages, project)
        optional = set(map(str, map(canonicalize_name, project.extras)))
        groups = [canonicalize_name(group) for group in data["metadata"]["groups"]]
        content = {
            "lock-version": "1.0",
            "created-by": "pdm",
            "environments": list(_environments(data["metadata"].get("targets", []))),
            "extras": sorted(optional.intersection(groups)),
            "dependency-groups": sorted({_MAIN, *groups} - optional),
            "default-groups": [_MAIN],
            "packages": [_package(package, there, optional) for package in packages],
        }
        return {
            "content": without_dates(content),
            "local": {
                canonicalize_name(package["name"]): package["path"]
                for package in packages
                if _is_directory(package)
            },
            "requires": _requires(data.get("package", [])),
        }
    except (KeyError, IndexError, TypeError, AttributeError, InvalidRequirement, InvalidSpecifier) as error:
        raise LbdartError(
            f"{project.manifest} is not a lock of PDM: {error!r} in a package.",
            "Run `pdm lock` and commit the result.",
        ) from error


def _environments(targets: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Say with the standard's markers what the lock is for."""
    for target in targets:
        python = SpecifierSet(target.get("requires_python", "").removeprefix("*"))
        conditions = [f'python_full_version {one.operator} "{one.version}"' for one in python]
        if "platform" in target:
            name, _, machine = target["platform"].partition("_")
            conditions.append(f'sys_platform == "{_PLATFORMS.get(name, name)}"')
            if found := re.search(r"(x86_64|aarch64|arm64)$", machine):
                conditions.append(f'platform_machine == "{found[1]}"')
        yield " and ".join(sorted(conditions)) or 'os_name != ""'


def _files_there(packages: Iterable[Mapping[str, Any]], project: Project) -> dict[str, dict[str, Any]]:
    from ._pages import files_on

    """Return by package which of its files the sources have; of several the first that has it."""
    named: dict[str, dict[str, dict[str, str]]] = {
        canonicalize_name(package["name"]): {file["file"]: hashes(file) for file in package["files"]}
        for package in packages
        if _is_on_index(package) and any("file" in file for file in package["files"])
    }
    there: dict[str, dict[str, Any]] = {name: {} for name in named}
    access = (*known(), *_logins_of(project)) if named else ()
    for url in _sources(project).values() if named else ():
        asked = sorted(name for name, files in named.items() if not files.keys() <= there[name].keys())
        for name, files in files_on(url, asked, access).items():
            locked = {
                file: found
                for file, found in files.items()
                if file in named[name] and _is_same(found, named[name][file])
            }
            there[name] = {**locked, **there[name]}
    return there


def _is_same(found: Mapping[str, Any], locked: Mapping[str, str]) -> bool:
    """Tell whether a file on a source is the locked one, and not another one of its name."""
    said = found.get("hashes", {}).get("sha256")
    return said is None or said == locked.get("sha256")


def _sources(project: Project) -> dict[str, str]:
    """Return the address of each index in PDM's order, by name; one named pypi is the default one."""
    named = {
        source["name"]: expanded(source["url"]) if "url" in source else default_index()
        for source in _indexes(project)
    }
    return {"pypi": default_index()} | named


def _logins_of(project: Project) -> tuple[Credentials, ...]:
    """Return the credentials that PDM's settings and the tools' variables have for the indexes."""
    own = (
        Credentials(
            source["name"],
            expanded(source["url"]),
            expanded(source["username"]),
            expanded(source.get("password", "")),
        )
        for source in _indexes(project)
        if "username" in source and "url" in source
    )
    return (*own, *logins(project, indexes=_sources(project)))


def _indexes(project: Project) -> list[dict[str, Any]]:
    sources = _settings(project.pyproject).get("source", [])
    return [source for source in sources if source.get("type", "index") == "index"]


def _package(
    package: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]], optional: set[str]
) -> dict[str, Any]:
    name = canonicalize_name(package["name"])
    table = {"name": name, "version": package["version"], "marker": _marker(package, optional)}
    subdirectory = {"subdirectory": package["subdirectory"]} if "subdirectory" in package else {}
    repository = next((kind for kind in _REPOSITORIES if kind in package), None)
    if repository is not None:
        if "revision" not in package:
            raise LbdartError(
                f"{name} is locked as an editable repository, of which PDM notes no commit.",
                "Depend on it without -e, run `pdm lock` and commit the result.",
            )
        commit = {"url": package[repository], "commit-id": package["revision"]}
        return table | {"vcs": {"type": repository, **commit, **subdirectory}}
    if _is_directory(package):
        return table | {"directory": {"path": package["path"], **subdirectory}}
    if "path" in package or "url" in package:
        place = {"path": package["path"]} if "path" in package else {"url": package["url"].partition("#")[0]}
        return table | {"archive": {**place, "hashes": hashes(package["files"][0]), **subdirectory}}
    files = [{"file": _file_name(file), **file} for file in package["files"]]
    addresses = {one["file"]: {"url": one["url"]} for one in files if "url" in one}
    return table | file_tables({**package, "files": files}, {**addresses, **there.get(name, {})}, "pdm lock")


def _is_on_index(package: Mapping[str, Any]) -> bool:
    return not any(kind in package for kind in (*_REPOSITORIES, "path", "url"))


def _is_directory(package: Mapping[str, Any]) -> bool:
    return "path" in package and not package["path"].endswith(_FILE_SUFFIXES)


def _file_name(file: Mapping[str, str]) -> str:
    return file.get("file") or unquote(PurePosixPath(urlsplit(file["url"]).path).name)


def _marker(package: Mapping[str, Any], optional: set[str]) -> str:
    """Say with the standard's markers which groups need the package, and when."""
    groups = [canonicalize_name(group) for group in package["groups"]]
    needed = " or ".join(
        f'"{group}" in {"extras" if group in optional else "dependency_groups"}' for group in groups
    )
    return f"({needed}) and ({package['marker']})" if "marker" in package else needed


def _requires(packages: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str | None]]:
    """Return who requires whom; what an extra requires counts when the extra is used."""
    from packaging.requirements import Requirement

    edges: defaultdict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for package in packages:
        for line in package.get("dependencies", []):
            required = Requirement(line)
            marker = str(required.marker) if required.marker is not None else None
            edges[canonicalize_name(package["name"])].append((required.name, marker))
    return {name: requirements(required) for name, required in edges.items()}
