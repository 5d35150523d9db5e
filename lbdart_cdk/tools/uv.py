"""uv: ``uv.lock``, which uv itself exports to PEP 751."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import key_of
from lbdart_cdk.core.locking.lock import Lock, in_extras, requirement, without_dates
from lbdart_cdk.core.locking.tool import Frontend, Options
from lbdart_cdk.core.process import said
from lbdart_cdk.core.progress import announced
from lbdart_cdk.core.project.build_tree import BuildTree
from lbdart_cdk.core.project.project import Project, named_path
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import parse_toml, table
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import frontend
from lbdart_cdk.core.wheels.environment import BuildEnvironment, for_installer

from ._logins import logins
from ._mirror import Mirror, left_to_backend, mirrored, uv_table
from ._roots import OwnRequirements
from ._stand_in_python import stand_in_python

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

#: uv's messages when it has no Python that ``requires-python`` admits ...
_NO_PYTHON: Final = re.compile(
    r"No interpreter found|Failed to download .*/cpython-|incompatible with the project's Python requirement"
)
#: ... and also those when it has to build something.
_NEEDS_PYTHON: Final = re.compile(rf"{_NO_PYTHON.pattern}|--no-build|Building source distributions")

_FRONTEND: Final = frontend.IsolatedBuild("uv", (frontend.UV,))


@dataclass(frozen=True, slots=True)
class Uv:
    """The tool uv, installed beside this library or on PATH."""

    name: str = "uv"
    manifest: str = "uv.lock"
    pattern: str = "uv.lock"
    frontend: Frontend = _FRONTEND

    def frontend_of(self, project: Project) -> Frontend | None:
        """Ask ``package`` in ``tool.uv``, else for a build system (*Build systems* in uv's documentation)."""
        package = table(project.pyproject, "tool", "uv").get("package", project.has_build_system)
        return self.frontend if package else None

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Read the workspace's members from the ``pyproject.toml`` beside its lock."""
        workspace = manifest.parent
        table = uv_table(workspace).get("workspace")
        return (
            isinstance(table, dict)
            and _matches(root, workspace, table.get("members", ()))
            and not _matches(root, workspace, table.get("exclude", ()))
        )

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
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
        mirror = mirrored(directories, store, archives)
        content = store.memo("uv-pylocks", key, lambda: _export(project, mirror, options, target, store))
        return Lock(
            content=content,
            origin=project.manifest,
            base=project.root,
            requires=graph["requires"],
            roots=_roots(project, graph, options),
            logins=lambda: logins(project),
        )


TOOL: Final = Uv()


def _matches(root: Path, workspace: Path, patterns: Iterable[str]) -> bool:
    """Tell whether a pattern, relative to the workspace, matches a directory in the workspace."""
    below = root.relative_to(workspace)
    return any(
        fnmatch(str(below), pattern) if "**" in pattern else (Path("/") / below).match(f"/{pattern}")
        for pattern in map(os.path.normpath, patterns)
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
            yield BuildTree(directory).key()


def _export(
    project: Project,
    mirrored_files: AbstractContextManager[Mirror],
    options: Options,
    target: Target,
    store: Store,
) -> dict[str, Any]:
    chosen = [f"--extra={name}" for name in options.extras] + [f"--group={name}" for name in options.groups]
    with announced(f"Reading {project.manifest.name} of {project.name}"), mirrored_files as mirror:

        def export(*python: str) -> subprocess.CompletedProcess[str]:
            return frontend.run_uv(
                "export", "--quiet", "--format=pylock.toml", "--locked", "--no-header",
                "--no-emit-project", "--no-default-groups", *python, *chosen,
                cwd=mirror.copy(project.root),
                environment=for_installer(BuildEnvironment().variables(mirror.folder)),
            )  # fmt: skip

        result = export(*frontend.this_python(project))
        if mirror.is_needless and result.returncode and _NO_PYTHON.search(said(result)):
            with store.scratch() as folder:
                python = stand_in_python(folder, target.environment()["python_full_version"])
                # Without the cache, which would keep what the stand-in says of itself.
                again = export(f"--python={python}", "--no-build", "--no-cache")
            if not _NEEDS_PYTHON.search(said(again)):
                result = again
        if result.returncode:
            raise _export_error(project, mirror.in_place(said(result)))
    content: dict[str, Any] = without_dates(tomllib.loads(mirror.in_place(result.stdout)))
    return content


def _export_error(project: Project, message: str) -> LbdartError:
    if "needs to be updated" in message:
        workspace = project.manifest.parent
        others = ", or that of a member of the workspace" if workspace != project.root else ""
        return LbdartError(
            f"{project.manifest} does not match {workspace / 'pyproject.toml'}{others}.",
            "Run `uv lock` and commit the result.",
        )
    if _NO_PYTHON.search(message):
        required = _required_python(project)
        return LbdartError(
            f"uv needs Python {required} to read {project.manifest}, and finds none on this machine.",
            "Install it with `uv python install`, or set the variable UV_PYTHON to its path.",
        )
    if "incompatible with the declared conflicts" in message:
        return LbdartError(
            f"{project.name} in {project.root} has options that exclude each other: {message}.",
            "Select one of them, and put the other in another layer.",
        )
    if "is not defined in" in message:
        return LbdartError(
            f"The project {project.name} in {project.root} does not have the extra or group: {message}.",
            f"Its extras are: {_join(project.extras)}; its groups are: {_join(project.groups)}.",
        )
    return LbdartError(
        f"uv cannot read the lock of {project.root}: {message}.",
        "Run `uv lock --check` there to see uv's full output.",
    )


def _required_python(project: Project) -> str:
    workspace = Project(project.manifest.parent, project.manifest)
    specifiers = [reader.requires_python for reader in (project, workspace)]
    required = [str(specifier) for specifier in specifiers if specifier is not None]
    return ",".join(dict.fromkeys(required))


def _join(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
