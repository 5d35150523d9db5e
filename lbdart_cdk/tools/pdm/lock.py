"""How ``pdm.lock`` is read.

The lock has the names and hashes of files, but not their URLs. The sources are asked for the URLs, once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from lbdart_cdk.core.credentials.environment import known
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import key_of
from lbdart_cdk.core.locking.lock import Lock, requirement, without_dates
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.progress import announced
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import parse_toml
from lbdart_cdk.core.store.store import Store

from .._index import chosen_indexes, default_index, file_tables, hashes
from .._logins import expanded, logins
from .._roots import roots_of

#: PDM's own group: the dependencies of the project itself.
_MAIN: Final = "default"
#: With this strategy, PDM's default, the lock has for each package its groups and markers.
_STRATEGY: Final = "inherit_metadata"
#: PDM's names of platforms, and the names that markers use.
_PLATFORMS: Final = {"linux": "linux", "manylinux": "linux", "windows": "win32", "macos": "darwin"}
_REPOSITORIES: Final = ("git", "hg", "svn", "bzr")
_FILE_SUFFIXES: Final = (".whl", ".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


def read_lock(project: Project, options: Options, target: Target, store: Store) -> Lock:
    """Turn ``pdm.lock`` into the standard's format; groups and extras become markers.

    :raises LbdartError: when the lock is not valid or does not match ``pyproject.toml``.
    """
    content_hash = store.memo("pdm-hashes", project.manifest_sha256, lambda: _locked_hash(project))
    if content_hash["sha256"] != _content_hash(project.pyproject):
        raise LbdartError(
            f"{project.manifest} does not match {project.root / 'pyproject.toml'}.",
            "Run `pdm lock` and commit the result.",
        )
    key = key_of(
        {
            "manifest": project.manifest_sha256,
            # This hash covers the sources, and which groups are extras.
            "content": content_hash["sha256"],
            "indexes": chosen_indexes(),
        }
    )
    tables = store.memo("pdm-locks", key, lambda: _read(project))
    return Lock(
        content=tables["content"],
        origin=project.manifest,
        base=project.manifest.parent,
        requires=tables["requires"],
        roots=roots_of(project, options),
        extras=options.extras,
        groups=options.groups,
        logins=lambda: _logins_of(project),
    )


def _locked_hash(project: Project) -> dict[str, Any]:
    """Read the hash of the settings that the lock was made from.

    :raises LbdartError: when the lock has no format that this module reads.
    """
    metadata = parse_toml(project.manifest_content, project.manifest).get("metadata", {})
    version = str(metadata.get("lock_version", ""))
    if not version:
        raise LbdartError(
            f"{project.manifest} is not a lock of PDM: its metadata is incomplete.",
            "Run `pdm lock` and commit the result.",
        )
    if version.partition(".")[0] != "4":
        raise LbdartError(
            f"{project.manifest} has the format {version}, and this library reads only format 4.",
            "Update lbdart_cdk, or lock with PDM 2.",
        )
    if _STRATEGY not in metadata.get("strategy", ()):
        raise LbdartError(
            f"{project.manifest} does not have the groups of each package.",
            f"Run `pdm lock --strategy {_STRATEGY}` and commit the result.",
        )
    if "content_hash" not in metadata:
        raise LbdartError(
            f"{project.manifest} has no hash of the pyproject.toml that it was made from.",
            "Remove lock_inputs from [tool.pdm.resolution], run `pdm lock` and commit the result.",
        )
    return {"sha256": metadata["content_hash"].removeprefix("sha256:")}


def _content_hash(pyproject: Mapping[str, Any]) -> str:
    """Return the hash of the tables that the lock depends on, as PDM's ``PyProject.content_hash`` does."""
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
        # The lock lists a package a second time for the requirements of its extras.
        packages = [package for package in data.get("package", []) if "extras" not in package]
        with announced(f"Asking the index for the files of {project.manifest.name}"):
            files = _files_on_sources(packages, project)
        optional = set(map(str, map(canonicalize_name, project.extras)))
        groups = [canonicalize_name(group) for group in data["metadata"]["groups"]]
        content = {
            "lock-version": "1.0",
            "created-by": "pdm",
            "environments": list(_environments(data["metadata"].get("targets", []))),
            "extras": sorted(optional.intersection(groups)),
            "dependency-groups": sorted({_MAIN, *groups} - optional),
            "default-groups": [_MAIN],
            "packages": [_package(package, files, optional) for package in packages],
        }
        return {
            "content": without_dates(content),
            "requires": _requires(data.get("package", [])),
        }
    except (KeyError, IndexError, TypeError, AttributeError, InvalidRequirement, InvalidSpecifier) as error:
        raise LbdartError(
            f"{project.manifest} is not a lock of PDM: {error!r} in a package.",
            "Run `pdm lock` and commit the result.",
        ) from error


def _environments(targets: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Yield a marker for each target of the lock."""
    for target in targets:
        python = SpecifierSet(target.get("requires_python", "").removeprefix("*"))
        conditions = [
            f'python_full_version {specifier.operator} "{specifier.version}"' for specifier in python
        ]
        if "platform" in target:
            name, _, machine = target["platform"].partition("_")
            conditions.append(f'sys_platform == "{_PLATFORMS.get(name, name)}"')
            if match := re.search(r"(x86_64|aarch64|arm64)$", machine):
                conditions.append(f'platform_machine == "{match[1]}"')
        yield " and ".join(sorted(conditions)) or 'os_name != ""'


def _files_on_sources(packages: Iterable[Mapping[str, Any]], project: Project) -> dict[str, dict[str, Any]]:
    """Return for each package the locked files that the sources have; the first source with a file counts."""
    from .._pages import files_on

    locked: dict[str, dict[str, dict[str, str]]] = {
        canonicalize_name(package["name"]): {file["file"]: hashes(file) for file in package["files"]}
        for package in packages
        if _is_on_index(package) and any("file" in file for file in package["files"])
    }
    available: dict[str, dict[str, Any]] = {name: {} for name in locked}
    credentials = (*known(), *_logins_of(project)) if locked else ()
    for url in _sources(project).values() if locked else ():
        missing = sorted(name for name, files in locked.items() if not files.keys() <= available[name].keys())
        for name, files in files_on(url, missing, credentials).items():
            matching = {
                filename: file
                for filename, file in files.items()
                if filename in locked[name] and _may_be(file, locked[name][filename])
            }
            available[name] = {**matching, **available[name]}
    return available


def _may_be(file: Mapping[str, Any], locked: Mapping[str, str]) -> bool:
    """Tell whether a file on a source may be the locked file: the source has no other hash for it."""
    sha256 = file.get("hashes", {}).get("sha256")
    return sha256 is None or sha256 == locked.get("sha256")


def _sources(project: Project) -> dict[str, str]:
    """Return the URL of each index by name, in PDM's order; ``pypi`` is the default index."""
    urls = {
        source["name"]: expanded(source["url"]) if "url" in source else default_index()
        for source in _indexes(project)
    }
    return {"pypi": default_index()} | urls


def _logins_of(project: Project) -> tuple[Credentials, ...]:
    """Return the credentials for the indexes from PDM's settings and the tools' variables."""
    in_settings = (
        Credentials(
            source["name"],
            expanded(source["url"]),
            expanded(source["username"]),
            expanded(source.get("password", "")),
        )
        for source in _indexes(project)
        if "username" in source and "url" in source
    )
    return (*in_settings, *logins(project, indexes=_sources(project)))


def _indexes(project: Project) -> list[dict[str, Any]]:
    sources = _settings(project.pyproject).get("source", [])
    return [source for source in sources if source.get("type", "index") == "index"]


def _package(
    package: Mapping[str, Any], on_sources: Mapping[str, Mapping[str, Any]], optional: set[str]
) -> dict[str, Any]:
    name = canonicalize_name(package["name"])
    table = {"name": name, "version": package["version"], "marker": _marker(package, optional)}
    subdirectory = {"subdirectory": package["subdirectory"]} if "subdirectory" in package else {}
    repository = next((kind for kind in _REPOSITORIES if kind in package), None)
    if repository is not None:
        if "revision" not in package:
            raise LbdartError(
                f"{name} is locked as an editable repository, for which PDM stores no commit.",
                "Depend on it without -e, run `pdm lock` and commit the result.",
            )
        commit = {"url": package[repository], "commit-id": package["revision"]}
        return table | {"vcs": {"type": repository, **commit, **subdirectory}}
    if _is_directory(package):
        return table | {"directory": {"path": package["path"], **subdirectory}}
    if "path" in package or "url" in package:
        url = package.get("url", "").partition("#")[0]
        location = {"path": package["path"]} if "path" in package else {"url": url}
        return table | {"archive": {**location, "hashes": hashes(package["files"][0]), **subdirectory}}
    files = [{"file": _file_name(file), **file} for file in package["files"]]
    addresses = {file["file"]: {"url": file["url"]} for file in files if "url" in file}
    addresses |= on_sources.get(name, {})
    return table | file_tables({**package, "files": files}, addresses, "pdm lock")


def _is_on_index(package: Mapping[str, Any]) -> bool:
    return not any(kind in package for kind in (*_REPOSITORIES, "path", "url"))


def _is_directory(package: Mapping[str, Any]) -> bool:
    return "path" in package and not package["path"].endswith(_FILE_SUFFIXES)


def _file_name(file: Mapping[str, str]) -> str:
    return file.get("file") or unquote(PurePosixPath(urlsplit(file["url"]).path).name)


def _marker(package: Mapping[str, Any], optional: set[str]) -> str:
    """Return the standard's marker for the groups that need a package, and its own condition."""
    groups = [canonicalize_name(group) for group in package["groups"]]
    condition = " or ".join(
        f'"{group}" in {"extras" if group in optional else "dependency_groups"}' for group in groups
    )
    return f"({condition}) and ({package['marker']})" if "marker" in package else condition


def _requires(packages: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """Return what each package requires; the lock lists it once more for each combination of extras."""
    from packaging.requirements import Requirement

    requires: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for package in packages:
        required = requires[canonicalize_name(package["name"])].setdefault(package["version"], [])
        asked = [f'extra == "{extra}"' for extra in package.get("extras", ())]
        for line in package.get("dependencies", []):
            read = Requirement(line)
            own = [f"({read.marker})"] if read.marker is not None else []
            required.append(requirement(read.name, read.extras, " and ".join([*own, *asked])))
    return requires
