"""How ``uv.lock`` is read: uv itself exports it to PEP 751."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

from lbdart_cdk.core.keys import key_of
from lbdart_cdk.core.locking.lock import Lock, in_extras, requirement
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project, named_path
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import parse_toml
from lbdart_cdk.core.store.store import Store

from .._logins import logins
from .._required import OwnRequirements
from .._static import left_to_backend

#: Kinds of ``source`` in uv.lock that are directories of the user ...
_DIRECTORIES: Final = ("editable", "virtual", "directory")
#: ... and those that are archives, or may be folders of archives.
_ARCHIVES: Final = ("path", "registry")
#: The name under which what the workspace itself requires is kept; no package has it.
_WORKSPACE: Final = ""
#: A condition on one of the project's options that conflict, as uv encodes it.
_CONFLICT: Final = re.compile(r"""["'](?:extra|group|project)-\d+-[^"']*["'] (?:not )?in extras""")
#: A condition that always holds.
_ALWAYS: Final = 'os_name != ""'


def read_lock(project: Project, options: Options, target: Target, store: Store) -> Lock:
    """Export ``uv.lock`` for the project's own dependencies, the extras and the groups.

    ``uv.lock`` covers every target. The store keeps the export, so uv runs again only when the lock, a
    ``pyproject.toml`` that it depends on, or the options change.
    """
    graph = store.memo("uv-locks", project.manifest_sha256, lambda: _graph(project))
    directories = _existing(project, [".", str(project.root), *graph["directories"]])
    archives = _existing(project, graph["archives"])
    key = key_of(
        {
            "manifest": project.manifest_sha256,
            "directories": list(_metadata_hashes(directories)),
            "project": project.name,
            # The export has absolute paths of wheels in local directories.
            "root": str(project.root),
            "extras": options.extras,
            "groups": options.groups,
        }
    )

    def export() -> dict[str, Any]:
        from .export import exported  # what runs uv is not loaded for a lock that is known

        return exported(project, options, target, store, directories=directories, archives=archives)

    content = store.memo("uv-pylocks", key, export)
    return Lock(
        content=content,
        origin=project.manifest,
        base=project.root,
        requires=graph["requires"],
        roots=_roots(project, graph, options),
        logins=lambda: logins(project),
    )


def _graph(project: Project) -> dict[str, Any]:
    """Read the local directories and archives, and what each package requires, from ``uv.lock``.

    What the directories require is kept by extra and group, too: each may be the project.
    """
    data = parse_toml(project.manifest_content, project.manifest)
    tables = [package for package in data.get("package", []) if isinstance(package, dict)]
    packages = [package for package in tables if "name" in package]  # uv tells what is wrong with others
    requires: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    workspace = data.get("manifest", {})
    own = {_WORKSPACE: [[], {}, _by_name(workspace.get("dependency-groups", {}))]}
    for package in packages:
        name, always = canonicalize_name(package["name"]), _required(package.get("dependencies", []))
        of_extras = package.get("optional-dependencies", {})
        required = requires[name].setdefault(package.get("version", ""), [])
        required += always
        required += [text for extra, edges in of_extras.items() for text in _required(edges, extra)]
        if any(kind in package.get("source", {}) for kind in _DIRECTORIES):
            own[name] = [always, _by_name(of_extras), _by_name(package.get("dev-dependencies", {}))]
    sources = [package.get("source", {}) for package in packages]
    directories = [source[kind] for source in sources for kind in _DIRECTORIES if kind in source]
    archives = {
        source[kind] for source in sources for kind in _ARCHIVES if "://" not in source.get(kind, "://")
    }
    return {
        "directories": directories,
        "archives": sorted(archives),
        "requires": requires,
        "own": own,
        "members": workspace.get("members", []),
    }


def _by_name(edges: Mapping[str, Any]) -> dict[str, list[str]]:
    return {canonicalize_name(name): _required(listed) for name, listed in edges.items()}


def _required(edges: Iterable[Mapping[str, Any]], extra: str | None = None) -> list[str]:
    """Return the requirements in a list of ``uv.lock``, if a package is asked for with an extra."""
    asked = f'extra == "{extra}"' if extra is not None else ""
    return [
        requirement(
            edge["name"],
            # A workspace's own groups have them in the form of pyproject.toml.
            edge.get("extra", edge.get("extras", ())),
            # All that the options could bring counts.
            _CONFLICT.sub(_ALWAYS, in_extras(" and ".join(filter(None, [_bracketed(edge), asked])))),
        )
        for edge in edges
    ]


def _bracketed(edge: Mapping[str, Any]) -> str:
    return f"({edge['marker']})" if "marker" in edge else ""


def _roots(project: Project, graph: Mapping[str, Any], options: Options) -> tuple[str, ...]:
    """Return what the project requires; for a workspace without a ``project`` table, what its members do."""
    names = [project.name] if "project" in project.pyproject else [_WORKSPACE, *graph["members"]]
    own = {name: OwnRequirements(*graph["own"][name]) for name in names if name in graph["own"]}
    return tuple(sorted({text for name, required in own.items() for text in required.chosen(name, options)}))


def _existing(project: Project, locked: Iterable[str]) -> list[Path]:
    """Return those paths in ``uv.lock`` that exist, as absolute paths."""
    paths = (named_path(project.manifest.parent, name) for name in locked)
    return [path for path in paths if path is not None]


def _metadata_hashes(directories: list[Path]) -> Iterator[str]:
    """Yield for each directory a hash of the files that its requirements depend on.

    The version does not count, because ``uv.lock`` does not contain it.
    """
    for directory in directories:
        if left_to_backend(directory) <= {"version"}:
            path = directory / "pyproject.toml"
            yield hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest()
        else:
            from lbdart_cdk.core.project.build_tree import BuildTree

            yield BuildTree(directory).key()
