"""pip: ``requirements.txt`` and what it includes, locked for the target by ``uv pip compile``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from lbdart_cdk.core import frontend, git
from lbdart_cdk.core.build_key import key_of
from lbdart_cdk.core.credentials import known
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.layer.builder import ToolLambdaLayerLocalBuilder
from lbdart_cdk.core.layer.container import ToolLambdaLayerContainerBuilder
from lbdart_cdk.core.lock import Lock
from lbdart_cdk.core.logins import refused, with_login, without_login
from lbdart_cdk.core.progress import announced
from lbdart_cdk.core.project import Project
from lbdart_cdk.core.store import Store, sha256_of
from lbdart_cdk.core.target import Target
from lbdart_cdk.core.tool import Options, run, said

from . import _toml
from ._build import build_wheel
from ._index import DEFAULT_INDEX_OF_UV, pip_setting
from ._logins import expanded, logins

#: The C libraries that uv knows wheels for; Lambda's 2.26 is between two of them.
_GLIBC_OF_UV: Final = ((2, 17), (2, 28), *((2, minor) for minor in range(31, 41)))
#: uv's variables for what pip's options of these names say.
_SETTINGS: Final = {
    "index-url": DEFAULT_INDEX_OF_UV,
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
}
_INDEXES: Final = (*DEFAULT_INDEX_OF_UV, "UV_INDEX", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
#: Variables that would contradict what the file says.
_OVERRULED: Final = ("UV_EXCLUDE", "UV_NO_BINARY", "UV_NO_BUILD", "UV_OVERRIDE")
#: Variables by which uv chooses among the versions that the requirements admit.
_CHOOSING: Final = (
    "UV_CONSTRAINT",
    "UV_EXCLUDE_NEWER",
    "UV_INDEX_STRATEGY",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "UV_TORCH_BACKEND",
)
_HOW_TO_PIN: Final = (
    "Write what you require into a file requirements.in, and run "
    "`uv pip compile --universal --generate-hashes requirements.in -o {}`."
)

_NAME: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[.*?\])?\s*(?:$|[=<>!~;@(]|--)")
_INCLUDE: Final = re.compile(
    r"(?:-|--(?=requirement\b|constraint\b))([rc])(?:equirement|onstraint)?[\s=]*(.+)"
)
_SHORT: Final = {"-i": "index-url", "-f": "find-links"}
_OPTION: Final = re.compile(r"-[if]\b|--([a-z-]+)")
#: Options that uv takes on its command line alone; in a file it does not see them.
_FLAGS: Final = {"pre": "--prerelease=allow", "no-index": "--no-index"}
#: A repository that is to be edited in place is read like any other: a layer holds a copy.
_EDITABLE_REPOSITORY: Final = re.compile(r"(?:-e|--editable)[\s=]+(?=\w+\+)")
_HASH: Final = re.compile(r"(?:--hash[\s=]+sha256:|[#&]sha256[=:])([0-9a-fA-F]{64})")
#: A line that goes on in the next one, other than with an option: pip takes it anywhere.
_CONTINUED: Final = re.compile(rb"\\\r?\n\s*(?!\s|--)")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")


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
                "indexes": [without_login(os.environ.get(name, "")) for name in _INDEXES],
                "choosing": [os.environ.get(name, "") for name in _CHOOSING],
            }
        )
        made = store.recall("pip-locks", key)
        if made is None:
            made = _locked(project, requirements, target)
            if made["lasts"]:
                # The address of a direct reference is there with the user that it was written with.
                store.note("pip-locks", key, made | {"content": without_login(made["content"])})
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
            logins=lambda: logins(project, requirements.addresses()),
        )

    def build_wheel(self, source: Path, output: Path) -> None:
        """Build with uv, else with pip."""
        build_wheel(source, output)


TOOL: Final = Pip()


@dataclass(slots=True)
class _Requirements:
    """What a requirements file and those it includes say, as far as uv does not do it.

    ``names`` are the packages that come with hashes, ``unhashed`` those that come without. ``text`` is
    what all the files say in one; it is read in their place where they say something in a way that uv
    ``refuses``. ``options`` are the values of those that say where packages are, and ``direct`` what
    requirements say of it themselves.
    """

    included: tuple[Path, ...] = ()
    hashes: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    unhashed: set[str] = field(default_factory=set)
    options: dict[str, list[str]] = field(default_factory=dict)
    direct: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    refuses: bool = False

    @property
    def requires_hashes(self) -> bool:
        """Whether nothing may come without a hash: pip's rule is that one that has a hash says so for all."""
        return "require-hashes" in self.options or (bool(self.names) and not self.unhashed)

    def addresses(self) -> str:
        """Return all that says where packages are, pip's settings included. A secret."""
        said = [place for places in self.options.values() for place in places]
        return " ".join([*said, *self.direct, *(pip_setting(option) or "" for option in _SETTINGS)])


def _read(project: Project) -> _Requirements:
    found = _Requirements()
    found.text = list(_flattened(project.manifest, project, found))
    return found


def _flattened(path: Path, project: Project, found: _Requirements) -> Iterator[str]:
    """Yield the lines of a file and of those it includes, and note what they say."""
    content = project.manifest_content if path == project.manifest else _content(path, project)
    found.refuses |= _CONTINUED.search(content) is not None
    for line in _lines(content):
        if (include := _INCLUDE.match(line)) is not None and not _is_url(include[2]):
            other = Path(os.path.normpath(path.parent / include[2].strip("\"'")))
            if other != project.manifest and other not in found.included:
                found.included += (other,)
                lines = list(_flattened(other, project, found))
                yield from [f"-c {other}"] if include[1] == "c" else lines
            continue
        if (option := _OPTION.match(line)) is not None:
            value = line[option.end() :].strip("= \t\"'")
            found.options.setdefault(option[1] or _SHORT[option[0]], []).append(value)
        elif "://" in line:
            found.direct.append(line)
        hashes = {one.lower() for one in _HASH.findall(line)}
        found.hashes |= hashes
        if (named := _NAME.match(line)) is not None:
            (found.names if hashes else found.unhashed).add(canonicalize_name(named[1]))
        plain = _EDITABLE_REPOSITORY.sub("", line)
        found.refuses |= plain != line
        yield plain


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
            yield expanded(said_there)


def _is_url(place: str) -> bool:
    return len(urlsplit(place).scheme) > 1  # one letter is a drive


def _locked(project: Project, requirements: _Requirements, target: Target) -> dict[str, Any]:
    if "trusted-host" in requirements.options:
        raise LbdartError(
            f"{project.manifest} says --trusted-host, and no file is fetched from a host that could be any.",
            "Drop the option, and set SSL_CERT_FILE to the certificates of your network.",
        )
    content = tomllib.loads(_compiled(project, requirements, target))
    local, unpinned, lasts, pinned = {}, [], True, True
    for package in content.get("packages", []):
        if "directory" in package:
            local[package["name"]] = package["directory"]["path"]
            lasts = False
        elif not (_is_commit(package) or _keep_hashed(package, requirements, project)):
            lasts = pinned = False
            if "path" not in package.get("archive", {}):
                unpinned.append(package["name"])
        if _has_password(package):
            lasts = False  # it is for this process alone, and not for the store
    if unpinned and requirements.requires_hashes:
        raise LbdartError(
            f"{project.manifest} requires hashes, and has none for {', '.join(unpinned)}.",
            _HOW_TO_PIN.format(project.manifest.name),
        )
    return {
        "content": _toml.dumps(content),
        "local": local,
        "unpinned": unpinned,
        "lasts": lasts,
        "pinned": pinned,
    }


def _is_commit(package: dict[str, Any]) -> bool:
    """Tell whether the requirements name the commit of a repository, and not a branch or a tag."""
    vcs = package.get("vcs")
    return vcs is not None and vcs.get("requested-revision") == vcs["commit-id"]


def _has_password(package: dict[str, Any]) -> bool:
    place = package.get("vcs") or package.get("archive") or {}
    parts = urlsplit(place.get("url", ""))
    return parts.username is not None and parts.scheme != "ssh"


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
            _remedy(result.stderr)
            or f"Run `uv pip compile {project.manifest.name}` there to see all that uv says.",
        )
    return result.stdout


def _remedy(message: str) -> str | None:
    """Return what to do when uv was refused by an index."""
    status = re.search(r"\b(401 Unauthorized|403 Forbidden)\b", message)
    return None if status is None else refused(int(status[1][:3]), with_login=bool(known()))


def _uv(
    project: Project, requirements: _Requirements, target: Target, glibc: tuple[int, int], *arguments: str
) -> subprocess.CompletedProcess[str]:
    executable = frontend.uv_executable()
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
            *_flags(requirements), *arguments,
            "-" if requirements.refuses else project.manifest.name,
        ],
        cwd=project.root,
        environment=_environment(project, requirements),
        stdin="\n".join(requirements.text),
    )  # fmt: skip


def _flags(requirements: _Requirements) -> list[str]:
    # Where a hash says which file is meant, any index may have it; else the first that knows the name.
    strategy = ["--index-strategy=unsafe-best-match"] if requirements.requires_hashes else []
    chosen = (option in requirements.options or _is_on(pip_setting(option)) for option in _FLAGS)
    return [*strategy, *compress(_FLAGS.values(), chosen)]


def _is_on(setting: str | None) -> bool:
    return (setting or "").lower() in ("1", "true", "t", "yes", "y", "on")


def _environment(project: Project, requirements: _Requirements) -> dict[str, str]:
    """Return the environment for uv, which reads its own variables and files, and none of pip's.

    It knows credentials by the name of an index, and indexes here have none: addresses that the file names
    are named once more, in the same order, with the user in them.
    """
    there = frontend.for_uv(git.environment())
    environment = {name: value for name, value in there.items() if name not in _OVERRULED}
    found = logins(project, requirements.addresses())
    # Of a user without a password uv may know more: it asks the keyring.
    credentials = (*known(), *(one for one in found if one.password))
    for option, variables in _SETTINGS.items():
        if "no-index" in requirements.options and option != "find-links":
            continue
        separator = "," if option == "find-links" else " "
        written = requirements.options.get(option, [])
        variable = next((name for name in variables if environment.get(name)), None)
        places = [environment[variable]] if variable else []
        if not places and not written:
            places = (pip_setting(option) or "").split()
        if with_login(separator.join(written), credentials) != separator.join(written):
            places += [place for place in written if "://" in place]
        if places:
            chosen = places[:1] if option == "index-url" else places
            environment[variable or variables[0]] = with_login(separator.join(chosen), credentials)
    return environment


def _warn(project: Project, unpinned: list[str]) -> None:
    if unpinned:
        names = ", ".join(unpinned[:5]) + (f" and {len(unpinned) - 5} more" if len(unpinned) > 5 else "")
        print(
            f"Warning: the build is not reproducible: {project.manifest} does not pin {names} by version and "
            f"hash (or commit). {_HOW_TO_PIN.format(project.manifest.name)}",
            file=sys.stderr,
        )


class PipLambdaLayerLocalBuilder(ToolLambdaLayerLocalBuilder):
    """Builds the layer of a requirements file, on this machine, for any target."""

    tool = TOOL


class PipLambdaLayerContainerBuilder(ToolLambdaLayerContainerBuilder):
    """Builds the layer of a requirements file; what has no wheel is built in a container."""

    tool = TOOL
