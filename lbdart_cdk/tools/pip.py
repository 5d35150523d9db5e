"""pip: ``requirements.txt`` and what it includes, locked for the target by ``uv pip compile``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from lbdart_cdk.core.credentials.environment import known
from lbdart_cdk.core.credentials.lookup import refused, with_login, without_login
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import key_of, sha256_of
from lbdart_cdk.core.locking.lock import Lock, without_dates
from lbdart_cdk.core.locking.tool import Frontend, Options
from lbdart_cdk.core.process import run, said
from lbdart_cdk.core.progress import announced
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import UTF_16, decoded
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import frontend

from ._index import DEFAULT_INDEX_OF_UV, pip_setting
from ._logins import expanded, logins
from ._mirror import Mirror, mirrored, with_sources

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
_INCLUDE: Final = re.compile(r"(?:-([rc])|--(?:requirement|constraint)\b)[\s=]*(.+)")
_SHORT: Final = {"-i": "index-url", "-f": "find-links"}
_OPTION: Final = re.compile(r"-[if]\b|--([a-z-]+)")
#: A short option whose value follows it at once, which uv does not take.
_GLUED: Final = re.compile(r"^(-[rcief])(?=[^\s=])")
#: Options that uv takes on its command line alone; in a file it does not see them.
_FLAGS: Final = {"pre": "--prerelease=allow", "no-index": "--no-index"}
#: A repository that is to be edited in place is read like any other: a layer holds a copy.
_EDITABLE_REPOSITORY: Final = re.compile(r"(?:-e|--editable)[\s=]+(?=\w+\+)")
#: A requirement that may be a directory: its path or address between a name or an option and all the rest.
_PLACE: Final = re.compile(
    r"(?P<edited>-e[\s=]+|--editable[\s=]+)?(?P<named>[\w.-]+\s*(?:\[[^]]*\])?\s*@\s*)?"
    r"(?P<place>.+?)(?P<rest>(?:\[[^]]*\])?(?:(?:\s*;|\s*#|\s+--).*)?)"
)
_HASH: Final = re.compile(r"(?:--hash[\s=]+sha256:|[#&]sha256[=:])([0-9a-fA-F]{64})")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")

_FRONTEND: Final = frontend.IsolatedBuild("pip")


@dataclass(frozen=True, slots=True)
class Pip:
    """Requirements files, pinned or not, hashed or not."""

    name: str = "pip"
    manifest: str = "requirements.txt"
    pattern: str = "*.txt"
    frontend: Frontend = _FRONTEND

    def is_member(self, root: Path, manifest: Path) -> bool:
        """There are no workspaces."""
        return False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Lock the requirements for the target.

        What pins everything by hash is locked once. Everything else is locked anew each time: what a
        requirement stands for can change without the file.
        """
        requirements = _read(project.manifest, project, _Requirements())
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
        made = store.recall("pip-tables", key)
        if made is None:
            made = _locked(project, requirements, target, store)
            if made["lasts"]:
                # The address of a direct reference is there with the user that it was written with.
                store.note("pip-tables", key, made | {"content": _without_logins(made["content"])})
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


TOOL: Final = Pip()


@dataclass(slots=True)
class _Requirements:
    """What a requirements file and those it includes say, as far as uv does not do it.

    ``names`` are the packages that come with hashes, ``unhashed`` those that come without. ``files`` are the
    lines of each file, as uv takes them; copies that say so are read in their place where one of them says
    something in a way that uv ``refuses``. ``options`` are the values of those that say where packages are,
    and ``direct`` what requirements say of it themselves; ``directories`` are the user's, by the line that
    names one.
    """

    hashes: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    unhashed: set[str] = field(default_factory=set)
    options: dict[str, list[str]] = field(default_factory=dict)
    direct: list[str] = field(default_factory=list)
    files: dict[Path, list[str]] = field(default_factory=dict)
    refuses: bool = False
    directories: dict[str, Path] = field(default_factory=dict)

    @property
    def included(self) -> tuple[Path, ...]:
        """The files that the first one includes."""
        return tuple(self.files)[1:]

    def copy_name(self, path: Path) -> str:
        """Return the name of a file's copy; all copies lie in one folder."""
        return f"{list(self.files).index(path)}.txt"

    @property
    def requires_hashes(self) -> bool:
        """Whether nothing may come without a hash: pip's rule is that one that has a hash says so for all."""
        return "require-hashes" in self.options or (bool(self.names) and not self.unhashed)

    def addresses(self) -> str:
        """Return all that says where packages are, pip's settings included. A secret."""
        said = [place for places in self.options.values() for place in places]
        return " ".join([*said, *self.direct, *(pip_setting(option) or "" for option in _SETTINGS)])


def _read(path: Path, project: Project, found: _Requirements) -> _Requirements:
    """Note what a file and those that it includes say."""
    lines = found.files[path] = []
    content = project.manifest_content if path == project.manifest else _content(path, project)
    found.refuses |= content.startswith(UTF_16)
    for joined, alike in _lines(decoded(content)):
        line = _EDITABLE_REPOSITORY.sub("", _GLUED.sub(r"\1 ", joined))
        found.refuses |= not alike or line != joined
        said_there = expanded(line)
        if (include := _INCLUDE.match(said_there)) is not None and not _is_url(include[2]):
            other = Path(os.path.normpath(path.parent / include[2].strip("\"'")))
            if other not in found.files:
                _read(other, project, found)
            # A variable in another line stays one, for it may be a password, and this may become a file.
            line = f"-{include[1] or said_there[2]} {found.copy_name(other)}"
        elif (directory := _directory(said_there, project)) is not None:
            found.directories[line] = directory
        elif (option := _OPTION.match(said_there)) is not None:
            value = said_there[option.end() :].strip("= \t\"'")
            name = option[1] or _SHORT[option[0]]
            found.options.setdefault(name, []).append(value)
            if name == "find-links" and not _is_url(value):
                beside = path.parent / value
                # As for pip it may also start from where the project is.
                found.refuses |= not beside.exists()
                line = f"--find-links {beside if beside.exists() else project.root / value}"
        elif "://" in said_there:
            found.direct.append(said_there)
        hashes = {one.lower() for one in _HASH.findall(said_there)}
        found.hashes |= hashes
        if (named := _NAME.match(said_there)) is not None:
            (found.names if hashes else found.unhashed).add(canonicalize_name(named[1]))
        lines.append(line)
    return found


def _directory(line: str, project: Project) -> Path | None:
    """Return the directory that a requirement is, if it is one."""
    match = _PLACE.fullmatch(line)
    place = match["place"] if match is not None else ""
    if place.startswith("file:"):
        place = unquote(urlsplit(place).path)
    elif match is None or not (match["edited"] or match["named"] or "/" in place or place.startswith(".")):
        return None  # a name, even of something that lies there
    path = Path(os.path.normpath(project.root / place))
    return path if path.is_dir() else None


def _content(path: Path, project: Project) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LbdartError(
            f"{project.manifest} includes {path}, which cannot be read: {error.strerror}.",
            "Correct the path (it starts from the file that includes it), or drop the line.",
        ) from error


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the lines that say something, as pip joins them, and whether uv surely joins them alike.

    A comment that is a line of its own goes on in no other line, and ends one that goes on in it. uv has a
    line go on in an option alone.
    """
    parts: list[str] = []
    for line in [*text.splitlines(), ""]:
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line.strip("\\"))
            continue
        joined = "".join([*parts, " " if is_comment else "", line])
        goes_on = [*parts, line][1:]
        alike = not goes_on or ("#" not in joined and all(part.lstrip()[:2] == "--" for part in goes_on))
        parts = []
        if said_there := _COMMENT.sub("", joined).strip():
            yield said_there, alike


def _is_url(place: str) -> bool:
    return len(urlsplit(place).scheme) > 1  # one letter is a drive


def _locked(project: Project, requirements: _Requirements, target: Target, store: Store) -> dict[str, Any]:
    if "trusted-host" in requirements.options:
        raise LbdartError(
            f"{project.manifest} says --trusted-host, and no file is fetched from a host that could be any.",
            "Drop the option, and set SSL_CERT_FILE to the certificates of your network.",
        )
    with _readable(project, requirements, store) as (path, mirror):
        content = without_dates(tomllib.loads(_compiled(project, requirements, target, path, mirror)))
        for package in content.get("packages", []):
            if "directory" in package:
                place = os.path.normpath(project.root / package["directory"]["path"])
                original = mirror.original(Path(place))
                package["directory"]["path"] = Path(os.path.relpath(original, project.root)).as_posix()
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
        "content": content,
        "local": local,
        "unpinned": unpinned,
        "lasts": lasts,
        "pinned": pinned,
    }


def _without_logins(tables: Any) -> Any:
    """Return the tables of a lock in which no address has a user."""
    if isinstance(tables, dict):
        return {key: _without_logins(value) for key, value in tables.items()}
    if isinstance(tables, list):
        return [_without_logins(value) for value in tables]
    return without_login(tables) if isinstance(tables, str) else tables


@contextmanager
def _readable(project: Project, requirements: _Requirements, store: Store) -> Iterator[tuple[Path, Mirror]]:
    """Give the file for uv to read: the manifest, or a copy of it beside copies of all that it includes.

    A copy names copies of the user's directories, where uv would have a build backend write to one.
    """
    with mirrored(with_sources(requirements.directories.values()), store) as mirror:
        if not requirements.refuses and mirror.folder is None:
            yield project.manifest, mirror
            return
        with store.scratch() as folder:
            for path, lines in requirements.files.items():
                copy = folder / requirements.copy_name(path)
                said_there = "\n".join(_with_copy(line, requirements, mirror) for line in lines)
                with store.guarded(copy):
                    copy.write_text(said_there, "utf-8")
            yield folder / requirements.copy_name(project.manifest), mirror


def _with_copy(line: str, requirements: _Requirements, mirror: Mirror) -> str:
    """Return a line that names a copy of the directory that it names; a layer holds a copy in any case."""
    directory = requirements.directories.get(line)
    match = _PLACE.fullmatch(line)
    if directory is None or match is None or mirror.folder is None:
        return line
    return f"{match['named'] or ''}{mirror.copy(directory).as_uri()}{match['rest']}"


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


def _compiled(
    project: Project, requirements: _Requirements, target: Target, path: Path, mirror: Mirror
) -> str:
    """Have uv lock the requirements that it reads at ``path``.

    First from wheels alone that surely load, so that the newest version with a wheel is chosen, and not
    the newest one; then from whatever there is, for the selection to judge.
    """
    below = max(glibc for glibc in _GLIBC_OF_UV if glibc <= target.glibc)
    above = min(glibc for glibc in _GLIBC_OF_UV if glibc >= target.glibc)
    with announced(f"Locking {project.manifest.name} of {project.name}"):
        result = _uv(project, requirements, target, path, below, "--only-binary=:all:")
        if result.returncode:
            result = _uv(project, requirements, target, path, above)
    if result.returncode:
        raise LbdartError(
            f"uv cannot lock {project.manifest} for {target}: "
            f"{mirror.in_place(_in_place(said(result), requirements, path))}.",
            _remedy(result.stderr)
            or f"Run `uv pip compile {project.manifest.name}` there to see all that uv says.",
        )
    return result.stdout


def _in_place(message: str, requirements: _Requirements, path: Path) -> str:
    """Return what uv said of copies as if it had read the files themselves."""
    for original in requirements.files:
        message = message.replace(str(path.parent / requirements.copy_name(original)), str(original))
    return message


def _remedy(message: str) -> str | None:
    """Return what to do when uv was refused by an index, or by its own settings."""
    if "Expected the output filename to be" in message:
        return "Drop output-file from uv's settings for pip, and name the file with -o where you run uv."
    status = re.search(r"\b(401 Unauthorized|403 Forbidden)\b", message)
    return None if status is None else refused(int(status[1][:3]), with_login=bool(known()))


def _uv(
    project: Project,
    requirements: _Requirements,
    target: Target,
    path: Path,
    glibc: tuple[int, int],
    *arguments: str,
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
            project.manifest.name if path == project.manifest else path,
        ],
        cwd=project.root,
        environment=_environment(project, requirements),
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
    from lbdart_cdk.core.wheels import git

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
