"""pip: ``requirements.txt`` and what it includes, locked for the target by ``uv pip compile``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from lbdart_cdk.core.build_key import key_of
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.layer.builder import ToolLambdaLayerLocalBuilder
from lbdart_cdk.core.layer.container import ToolLambdaLayerContainerBuilder
from lbdart_cdk.core.lock import Lock
from lbdart_cdk.core.progress import announced
from lbdart_cdk.core.project import Project
from lbdart_cdk.core.store import Store, sha256_of
from lbdart_cdk.core.target import Target
from lbdart_cdk.core.tool import Options, Tool, run, said

from . import _toml, uv
from ._build import build_wheel
from ._index import DEFAULT_INDEX_OF_UV, pip_setting

#: The C libraries that uv knows wheels for; Lambda's 2.26 is between two of them.
_GLIBC_OF_UV: Final = ((2, 17), (2, 28), *((2, minor) for minor in range(31, 41)))
#: uv's variables for what pip's options of these names say.
_SETTINGS: Final = {
    "index-url": DEFAULT_INDEX_OF_UV,
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
}
_INDEXES: Final = (*DEFAULT_INDEX_OF_UV, "UV_INDEX", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
#: Variables that would contradict the options given here.
_OVERRULED: Final = ("UV_OUTPUT_FILE", "UV_NO_BUILD", "UV_NO_BINARY")

_NAME: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[.*?\])?\s*(?:$|[=<>!~;@(]|--)")
_INCLUDE: Final = re.compile(r"(?:-[rc]|--(?:requirement|constraint))[\s=]+(.+)")
_OPTION: Final = re.compile(r"(?:-i\b|--(index-url|extra-index-url|find-links|no-index)\b|-f\b)")
_HASH: Final = re.compile(r"(?:--hash[\s=]+sha256:|[#&]sha256[=:])([0-9a-fA-F]{64})")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class Pip:
    """Requirements files, pinned or not, hashed or not."""

    name: str = "pip"
    manifest: str = "requirements.txt"
    pattern: str = "*.txt"
    has_workspaces: bool = False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Lock the requirements for the target.

        What pins everything by hash is locked once. Everything else is locked anew each time: what a
        requirement stands for can change without the file.
        """
        requirements = _read(project)
        key = key_of(
            {
                "manifest": project.manifest_sha256,
                "inputs": [sha256_of(path) for path in requirements.included],
                # A wheel in a local folder is locked with its absolute path.
                "root": str(project.root),
                "python": target.python_version,
                "architecture": target.architecture,
                "indexes": [os.environ.get(name, "") for name in _INDEXES],
            }
        )
        made = store.recall("pip-locks", key)
        if made is None:
            made = _locked(project, requirements, target)
            if made["lasts"]:
                store.note("pip-locks", key, made)
        _warn(project, made["unpinned"])
        return Lock(
            content=made["content"],
            origin=project.manifest,
            base=project.root,
            local=made["local"],
            requires=None,
            extras=options.extras,
            groups=options.groups,
            inputs=requirements.included,
            pinned=made["pinned"],
        )

    def build_wheel(self, source: Path, output: Path) -> None:
        """Build with uv, else with pip."""
        build_wheel(source, output)


TOOL: Final = Pip()


@dataclass(slots=True)
class _Requirements:
    """What a requirements file and those it includes say, as far as uv does not do it.

    ``names`` are the packages that come with hashes.
    """

    included: tuple[Path, ...] = ()
    hashes: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    options: set[str] = field(default_factory=set)


def _read(project: Project) -> _Requirements:
    found = _Requirements()
    waiting = [project.manifest]
    while waiting:
        path = waiting.pop()
        content = project.manifest_content if path == project.manifest else _content(path, project)
        for line in _lines(content):
            if (include := _INCLUDE.match(line)) is not None:
                other = Path(os.path.normpath(path.parent / include[1].strip("\"'")))
                if not _is_url(include[1]) and other != project.manifest and other not in found.included:
                    found.included += (other,)
                    waiting.append(other)
            if (option := _OPTION.match(line)) is not None:
                found.options.add(option[1] or {"-i": "index-url", "-f": "find-links"}[option[0]])
            if hashes := {one.lower() for one in _HASH.findall(line)}:
                found.hashes |= hashes
                if (named := _NAME.match(line)) is not None:
                    found.names.add(canonicalize_name(named[1]))
    return found


def _content(path: Path, project: Project) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LbdartError(
            f"{project.manifest} includes {path}, which cannot be read: {error.strerror}.",
            "Correct the path (it starts from the file that includes it), or drop the line.",
        ) from error


def _lines(content: bytes) -> Iterator[str]:
    """Yield the lines that say something, as pip's documentation of the format joins them."""
    text = content.decode("utf-8-sig", errors="replace")
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        said_there = _COMMENT.sub("", line).strip()
        if said_there:
            yield _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), said_there)


def _is_url(place: str) -> bool:
    return len(urlsplit(place).scheme) > 1  # one letter is a drive


def _locked(project: Project, requirements: _Requirements, target: Target) -> dict[str, Any]:
    content = tomllib.loads(_compiled(project, requirements, target))
    local, unpinned, lasts, pinned = {}, [], True, True
    for package in content.get("packages", []):
        if "directory" in package:
            local[package["name"]] = package["directory"]["path"]
            lasts = False
        elif not _keep_hashed(package, requirements, project):
            lasts = pinned = False
            if "path" not in package.get("archive", {}):
                unpinned.append(package["name"])
    return {
        "content": _toml.dumps(content),
        "local": local,
        "unpinned": unpinned,
        "lasts": lasts,
        "pinned": pinned,
    }


def _keep_hashed(package: dict[str, Any], requirements: _Requirements, project: Project) -> bool:
    """Drop the files of a package whose hashes are not in the requirements; tell whether it is pinned."""
    kept: dict[str, Any] = {}
    if wheels := [one for one in package.get("wheels", []) if _is_hashed(one, requirements)]:
        kept["wheels"] = wheels
    for kind in ("sdist", "archive"):
        if _is_hashed(package.get(kind), requirements):
            kept[kind] = package[kind]
    if kept:
        for kind in ("wheels", "sdist", "archive"):
            package.pop(kind, None)
        package |= kept
        return True
    if package["name"] in requirements.names:
        version = package.get("version", "")
        raise LbdartError(
            f"No file of {package['name']} {version} has a hash that {project.manifest} lists.",
            "Find out why the files changed before you use them; if the change is wanted, lock again.",
        )
    return False


def _is_hashed(file: dict[str, Any] | None, requirements: _Requirements) -> bool:
    return file is not None and file["hashes"].get("sha256", "").lower() in requirements.hashes


def _compiled(project: Project, requirements: _Requirements, target: Target) -> str:
    """Have uv lock the requirements.

    First from wheels alone that surely load, so that the newest version with a wheel is chosen, and not
    the newest one; then from whatever there is, for the selection to judge.
    """
    below = max(glibc for glibc in _GLIBC_OF_UV if glibc <= target.glibc)
    above = min(glibc for glibc in _GLIBC_OF_UV if glibc >= target.glibc)
    with announced(f"Locking {project.manifest.name} of {project.name}"):
        result = _uv(project, requirements, target, below, "--only-binary=:all:")
        if result.returncode:
            result = _uv(project, requirements, target, above)
    if result.returncode:
        raise LbdartError(
            f"uv cannot lock {project.manifest} for {target}: {said(result)}.",
            f"Run `uv pip compile {project.manifest.name}` there to see all that uv says.",
        )
    return result.stdout


def _uv(
    project: Project, requirements: _Requirements, target: Target, glibc: tuple[int, int], *arguments: str
) -> subprocess.CompletedProcess[str]:
    executable = uv.executable()
    if executable is None:
        raise LbdartError(
            f"uv is not installed, and {project.manifest} is locked for the target with it.",
            "Install it: pip install 'lbdart_cdk[uv]'.",
        )
    return run(
        [
            executable, "pip", "compile", "--quiet", "--format=pylock.toml", "--no-header",
            f"--python={sys.executable}",
            f"--python-version={target.environment()['python_full_version']}",
            f"--python-platform={target.machine}-manylinux_{glibc[0]}_{glibc[1]}",
            *arguments, project.manifest.name,
        ],
        cwd=project.root,
        environment=_environment(requirements),
    )  # fmt: skip


def _environment(requirements: _Requirements) -> dict[str, str]:
    """Return the environment for uv, which reads its own variables and files, and none of pip's."""
    environment = {name: value for name, value in os.environ.items() if name not in _OVERRULED}
    for option, variables in _SETTINGS.items():
        said_already = option in requirements.options or any(name in environment for name in variables)
        no_index = "no-index" in requirements.options and option != "find-links"
        if not said_already and not no_index and (setting := pip_setting(option)):
            environment[variables[0]] = ("," if option == "find-links" else " ").join(setting.split())
    return environment


def _warn(project: Project, unpinned: list[str]) -> None:
    if unpinned:
        names = ", ".join(unpinned[:5]) + (f" and {len(unpinned) - 5} more" if len(unpinned) > 5 else "")
        print(
            f"Warning: the build is not reproducible: {project.manifest} does not pin {names} by version and "
            f"hash. Write what you require into a file requirements.in, and run "
            f"`uv pip compile --universal --generate-hashes requirements.in -o {project.manifest.name}`.",
            file=sys.stderr,
        )


@dataclass(frozen=True, kw_only=True)
class PipLambdaLayerLocalBuilder(ToolLambdaLayerLocalBuilder):
    """Builds the layer of a requirements file, on this machine, for any target."""

    @property
    def tool(self) -> Tool:
        """pip."""
        return TOOL


@dataclass(frozen=True, kw_only=True)
class PipLambdaLayerContainerBuilder(ToolLambdaLayerContainerBuilder):
    """Builds the layer of a requirements file; what has no wheel is built in a container."""

    @property
    def tool(self) -> Tool:
        """pip."""
        return TOOL
