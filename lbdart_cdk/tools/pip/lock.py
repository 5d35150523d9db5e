"""How requirements are read: ``uv pip compile`` locks them for the target."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.utils import canonicalize_name

from lbdart_cdk.core.credentials.environment import known
from lbdart_cdk.core.credentials.lookup import refused, with_login, without_login
from lbdart_cdk.core.errors import BuildWarning, LbdartError
from lbdart_cdk.core.keys import key_of, sha256_of
from lbdart_cdk.core.locking.lock import Lock, without_dates
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.process import run, said
from lbdart_cdk.core.progress import announced
from lbdart_cdk.core.project.project import Project, named_path
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import UTF_16, decoded
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import frontend
from lbdart_cdk.core.wheels.environment import BuildEnvironment, for_installer
from lbdart_cdk.core.wheels.git import NO_PROMPTS
from lbdart_cdk.core.windows import relative_or_absolute

from .._index import DEFAULT_INDEX_OF_UV, pip_setting
from .._listing import Line, origins_in, own_lines, shown_by
from .._logins import logins
from .._mirror import Mirror, mirrored, with_sources
from .._roots import written

#: The glibc versions that uv can select wheels for; Lambda's 2.26 is between two of them.
_GLIBC_OF_UV: Final = ((2, 17), (2, 28), *((2, minor) for minor in range(31, 41)))
#: pip's options for indexes, and uv's variables for each.
_SETTINGS: Final = {
    "index-url": DEFAULT_INDEX_OF_UV,
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
}
_INDEXES: Final = (*DEFAULT_INDEX_OF_UV, "UV_INDEX", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
#: Variables that would override options in the file.
_OVERRULED: Final = ("UV_EXCLUDE", "UV_NO_BINARY", "UV_NO_BUILD", "UV_OVERRIDE")
#: Variables that decide which of the allowed versions uv chooses.
_CHOOSING: Final = (
    "UV_CONSTRAINT",
    "UV_EXCLUDE_NEWER",
    "UV_INDEX_STRATEGY",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "UV_TORCH_BACKEND",
)

_NAME: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[.*?\])?\s*(?:$|[=<>!~;@(]|--)")
_INCLUDE: Final = re.compile(r"(?:-([rc])|--(?:requirement|constraint)\b)[\s=]*(.+)")
_SHORT: Final = {"-i": "index-url", "-f": "find-links"}
_OPTION: Final = re.compile(r"-[if]\b|--([a-z-]+)")
#: A short option with its value directly behind it, which uv does not accept.
_GLUED: Final = re.compile(r"^(-[rcief])(?=[^\s=])")
#: Options that uv accepts on its command line and ignores in a file.
_FLAGS: Final = {"pre": "--prerelease=allow", "no-index": "--no-index"}
#: The option before an editable repository. It is dropped, because a layer holds a copy in any case.
_EDITABLE_REPOSITORY: Final = re.compile(r"(?:-e|--editable)[\s=]+(?=\w+\+)")
#: A requirement that may name a directory: an option or a name, then a path or URL, then the rest.
_LOCATION: Final = re.compile(
    r"(?P<editable>-e[\s=]+|--editable[\s=]+)?(?P<name>[\w.-]+\s*(?:\[[^]]*\])?\s*@\s*)?"
    r"(?P<location>.+?)(?P<rest>(?:\[[^]]*\])?(?:(?:\s*;|\s*#|\s+--).*)?)"
)
_HASH: Final = re.compile(r"(?:--hash[\s=]+sha256:|[#&]sha256[=:])([0-9a-fA-F]{64})")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
#: The one spelling of a variable that pip expands.
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)\}")
#: A URL that may have a password in it.
_REMOTE: Final = re.compile(r"\b(?!file:)[A-Za-z][\w+.-]*://[^\s\"']+")
#: The options behind a requirement.
_OPTIONS: Final = re.compile(r"\s--.*")


def read_lock(project: Project, options: Options, target: Target, store: Store) -> Lock:
    """Lock the requirements for the target.

    When hashes pin every package, the store keeps the lock. Otherwise uv locks again in each run, because
    the result can change while the file stays the same. Within a run it is the same for all layers, but for
    what lies on this machine.
    """
    requirements = _read(project.manifest, project, _Requirements())
    key = key_of(
        {
            "manifest": project.manifest_sha256,
            "inputs": [sha256_of(path) for path in requirements.included],
            # The lock has absolute paths of wheels in local directories.
            "root": str(project.root),
            "python": target.python_version,
            "architecture": target.architecture,
            "indexes": [without_login(os.environ.get(name, "")) for name in _INDEXES],
            "choosing": [os.environ.get(name, "") for name in _CHOOSING],
            "variable": requirements.variable,
        }
    )
    tables = store.recall("pip-locks", key)
    if tables is None:
        tables = _lock(project, requirements, target, store)
        if tables["lasts"]:
            # The URL of a direct reference contains the user from the requirement.
            store.note("pip-locks", key, tables | {"content": _without_logins(tables["content"])})
        elif tables["is_remote"]:
            store.note_for_run("pip-locks", key, tables)
    return Lock(
        content=tables["content"],
        origin=project.manifest,
        base=project.root,
        requires=None,
        roots=tuple(tables["roots"]),
        shown=tables["shown"],
        extras=options.extras,
        groups=options.groups,
        warnings=tuple(_warnings(project, tables["unpinned"])),
        logins=lambda: logins(project, requirements.addresses()),
    )


@dataclass(slots=True)
class _Requirements:
    """The parts of a requirements file, and of the files it includes, that uv does not handle itself.

    :param hashes: the SHA-256 hashes of all requirements.
    :param names: the packages that have hashes.
    :param unhashed: the packages that have no hash.
    :param options: the values of each option.
    :param direct: the requirements that contain a URL.
    :param files: the lines of each file, rewritten for uv.
    :param origins: for each file, what its comments say that a package is there for.
    :param refuses: whether uv does not accept the original files; it then reads copies with these lines.
    :param directories: the user's directories, by the line that names each.
    :param urls: the URLs that come from variables, by the names that stand for them in ``files``. Secrets.
    :param variable: the lines in which variables give more than a login, expanded and without logins.
    :param has_variable_url: whether a variable gives more than a login in the URL of a package.
    """

    hashes: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    unhashed: set[str] = field(default_factory=set)
    options: dict[str, list[str]] = field(default_factory=dict)
    direct: list[str] = field(default_factory=list)
    files: dict[Path, list[str]] = field(default_factory=dict)
    origins: dict[Path, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    refuses: bool = False
    directories: dict[str, Path] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    variable: list[str] = field(default_factory=list)
    has_variable_url: bool = False

    @property
    def included(self) -> tuple[Path, ...]:
        """The files that the requirements file includes."""
        return tuple(self.files)[1:]

    def copy_name(self, path: Path) -> str:
        """Return the file name of a file's copy; all copies are in one directory."""
        return f"{list(self.files).index(path)}.txt"

    @property
    def requires_hashes(self) -> bool:
        """Whether every package needs a hash: an option says so, or every named requirement has one."""
        return "require-hashes" in self.options or (bool(self.names) and not self.unhashed)

    def without_secrets(self, line: str, original: str) -> str:
        """Put a name in the place of each URL that a variable gives; uv reads the URL under that name.

        :param line: the line, expanded.
        :param original: the line as it is in the file.
        """

        def name_of(match: re.Match[str]) -> str:
            url = match[0]
            if url in original and not _VARIABLE.search(url):
                return url
            name = f"LBDART_URL_{len(self.urls)}"
            self.urls[name] = url
            return f"${{{name}}}"

        return _REMOTE.sub(name_of, line)

    def addresses(self) -> str:
        """Return all URLs of indexes and packages as one text, with those in pip's settings. A secret."""
        locations = [location for values in self.options.values() for location in values]
        return " ".join([*locations, *self.direct, *(pip_setting(option) or "" for option in _SETTINGS)])


def _read(path: Path, project: Project, requirements: _Requirements) -> _Requirements:
    """Read a file, and the files that it includes, into ``requirements``."""
    lines = requirements.files[path] = []
    content = project.manifest_content if path == project.manifest else _content(path, project)
    requirements.refuses |= content.startswith(UTF_16)
    requirements.origins[path] = origins_in(decoded(content))
    for joined, is_same_in_uv in _lines(decoded(content)):
        expanded_line = _EDITABLE_REPOSITORY.sub("", _GLUED.sub(r"\1 ", _expanded(joined)))
        line = requirements.without_secrets(expanded_line, joined)
        requirements.refuses |= not is_same_in_uv or line != joined
        if (include := _INCLUDE.match(expanded_line)) is not None and not _is_url(include[2]):
            included = Path(os.path.normpath(path.parent / include[2].strip("\"'")))
            if included not in requirements.files:
                _read(included, project, requirements)
            line = f"-{include[1] or expanded_line[2]} {requirements.copy_name(included)}"
        elif (directory := _directory(expanded_line, project)) is not None:
            requirements.directories[line] = directory
        elif (option := _OPTION.match(expanded_line)) is not None:
            value = expanded_line[option.end() :].strip("= \t\"'")
            name = option[1] or _SHORT[option[0]]
            requirements.options.setdefault(name, []).append(value)
            if name == "find-links" and not _is_url(value):
                # As in pip, the path may also be relative to the project.
                beside = named_path(path.parent, value)
                requirements.refuses |= beside is None
                line = f"--find-links {beside or project.root / value}"
        elif "://" in expanded_line:
            requirements.direct.append(expanded_line)
        hashes = {digest.lower() for digest in _HASH.findall(expanded_line)}
        requirements.hashes |= hashes
        if (package := _NAME.match(expanded_line)) is not None:
            (requirements.names if hashes else requirements.unhashed).add(canonicalize_name(package[1]))
        if without_login(_expanded(joined)) != without_login(joined):
            if expanded_line in requirements.direct:
                requirements.has_variable_url = True
            else:
                requirements.variable.append(without_login(expanded_line))
        lines.append(line)
    return requirements


def _expanded(line: str) -> str:
    """Replace each variable that is set and not empty (*Requirements File Format*, pip).

    A line break in a value is a space, and begins no other requirement.
    """
    return _VARIABLE.sub(
        lambda match: " ".join((os.environ.get(match[1]) or match[0]).splitlines()),
        line,
    )


def _directory(line: str, project: Project) -> Path | None:
    """Return the directory that a requirement names; None when it names none."""
    match = _LOCATION.fullmatch(line)
    location = match["location"] if match is not None else ""
    if location.startswith("file:"):
        location = url2pathname(urlsplit(location).path)
    elif match is None or not (
        match["editable"]
        or match["name"]
        or "/" in location
        or os.sep in location
        or location.startswith(".")
    ):
        return None  # a package name, even if a directory has the same name
    path = named_path(project.root, location)
    return path if path is not None and path.is_dir() else None


def _content(path: Path, project: Project) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LbdartError(
            f"{project.manifest} includes {path}, which cannot be read: {error.strerror}.",
            "Correct the path (it is relative to the file that includes it), or remove the line.",
        ) from error


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the lines that are not empty, joined as in pip, and whether uv joins each in the same way.

    A comment on its own line never continues on the next line, and ends a line that continues on it. In uv,
    only an option may be on a continuation line.
    """
    parts: list[str] = []
    for line in [*text.splitlines(), ""]:
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line.strip("\\"))
            continue
        joined = "".join([*parts, " " if is_comment else "", line])
        continued = [*parts, line][1:]
        is_same_in_uv = not continued or (
            "#" not in joined and all(part.lstrip()[:2] == "--" for part in continued)
        )
        parts = []
        if without_comment := _COMMENT.sub("", joined).strip():
            yield without_comment, is_same_in_uv


def _is_url(location: str) -> bool:
    return len(urlsplit(location).scheme) > 1  # one letter is a drive


def _lock(project: Project, requirements: _Requirements, target: Target, store: Store) -> dict[str, Any]:
    """Lock the requirements; return the tables, what is not pinned, and how long the tables hold.

    They last when the store may keep them. They are remote when they depend on nothing but the files that
    the key has and what is on indexes or in repositories.
    """
    if "trusted-host" in requirements.options:
        raise LbdartError(
            f"{project.manifest} has --trusted-host, and this library downloads only from verified hosts.",
            "Remove the option, and set SSL_CERT_FILE to the certificates of your network.",
        )
    with _readable(project, requirements, store) as (path, mirror):
        content = without_dates(tomllib.loads(_compile(project, requirements, target, path, mirror)))
        for package in content.get("packages", []):
            if "directory" in package:
                directory = os.path.normpath(project.root / package["directory"]["path"])
                original = mirror.original(Path(directory))
                package["directory"]["path"] = relative_or_absolute(original, project.root).as_posix()
    local, unpinned, lasts = {}, [], True
    for package in content.get("packages", []):
        if "directory" in package:
            local[os.path.normpath(project.root / package["directory"]["path"])] = package["name"]
            lasts = False
        elif not (_is_commit(package) or _keep_hashed(package, requirements, project)):
            lasts = False
            if "path" not in package.get("archive", {}):
                unpinned.append(package["name"])
        if _has_password(package):
            lasts = False  # the store must not keep a password
    if requirements.has_variable_url:
        lasts = False  # any part of a URL may be a password
    if unpinned and requirements.requires_hashes:
        raise LbdartError(
            f"{project.manifest} requires hashes, and has none for {', '.join(unpinned)}.",
            _how_to_pin(project),
        )
    locked = {package["name"] for package in content.get("packages", [])}
    named = list(_named(requirements, project, local))
    return {
        "content": content,
        "roots": own_lines(named, locked),
        "shown": shown_by(named),
        "unpinned": unpinned,
        "lasts": lasts,
        "is_remote": not (requirements.has_variable_url or any(map(_is_local, content.get("packages", [])))),
    }


def _how_to_pin(project: Project) -> str:
    """Return the remedy: compile the file that the requirements come from, or a new one."""
    source = project.manifest.with_suffix(".in")
    name, before = (
        (source.name, "Run")
        if source.is_file()
        else ("requirements.in", "Write your requirements into a file requirements.in, and run")
    )
    return f"{before} `uv pip compile --universal --generate-hashes {name} -o {project.manifest.name}`."


def _named(requirements: _Requirements, project: Project, local: Mapping[str, str]) -> Iterator[Line]:
    """Yield the lines that require a package, if its name is known, but not those of constraints.

    :param local: the name of the package in each of the user's directories.
    """
    copies = {f"-r {requirements.copy_name(path)}": path for path in requirements.files}
    paths = [project.manifest]
    for path in paths:
        for line in requirements.files[path]:
            if line in copies:
                paths += {copies[line]} - {*paths}
                continue
            text = _OPTIONS.sub("", _expanded(line))
            directory, match = requirements.directories.get(line), _LOCATION.fullmatch(text)
            if directory is not None and match is not None:
                text = f"{(match['name'] or local.get(str(directory), '')).rstrip(' @')}{match['rest']}"
            if (required := written(text)) is not None:
                name = re.split(r"[\[;]", required)[0]
                yield Line(required, requirements.origins[path].get(name, frozenset()))


def _without_logins(tables: Any) -> Any:
    """Return the tables of a lock without the user and password of any URL."""
    if isinstance(tables, dict):
        return {key: _without_logins(value) for key, value in tables.items()}
    if isinstance(tables, list):
        return [_without_logins(value) for value in tables]
    return without_login(tables) if isinstance(tables, str) else tables


@contextmanager
def _readable(project: Project, requirements: _Requirements, store: Store) -> Iterator[tuple[Path, Mirror]]:
    """Yield the file for uv to read: the manifest, or a copy of it beside copies of the files it includes.

    The copies name copies of the user's directories, when a build backend could write to one of them.
    """
    with mirrored(with_sources(requirements.directories.values()), store) as mirror:
        if not requirements.refuses and mirror.folder is None:
            yield project.manifest, mirror
            return
        with store.scratch() as folder:
            for path, lines in requirements.files.items():
                copy = folder / requirements.copy_name(path)
                text = "\n".join(_with_copy(line, requirements, mirror) for line in lines)
                with store.guarded(copy):
                    copy.write_text(text, "utf-8", newline="\n")
            yield folder / requirements.copy_name(project.manifest), mirror


def _with_copy(line: str, requirements: _Requirements, mirror: Mirror) -> str:
    """Replace the directory that a line names by its copy, and drop ``-e``: a layer holds a copy anyway."""
    directory = requirements.directories.get(line)
    match = _LOCATION.fullmatch(line)
    if directory is None or match is None or mirror.folder is None:
        return line
    return f"{match['name'] or ''}{mirror.copy(directory).as_uri()}{match['rest']}"


def _is_local(package: dict[str, Any]) -> bool:
    """Tell whether a package is a directory or a file on this machine."""
    sources = (package.get(kind, {}) for kind in ("directory", "vcs", "archive", "sdist"))
    places = (*sources, *package.get("wheels", []))
    return any("path" in place or place.get("url", "").startswith("file:") for place in places)


def _is_commit(package: dict[str, Any]) -> bool:
    """Tell whether a requirement names a commit of a repository, and not a branch or tag."""
    vcs = package.get("vcs")
    return vcs is not None and vcs.get("requested-revision") == vcs["commit-id"]


def _has_password(package: dict[str, Any]) -> bool:
    source = package.get("vcs") or package.get("archive") or {}
    parts = urlsplit(source.get("url", ""))
    return parts.username is not None and parts.scheme != "ssh"


def _keep_hashed(package: dict[str, Any], requirements: _Requirements, project: Project) -> bool:
    """Drop the files of a package whose hashes are not in the requirements; tell whether a file is left.

    :raises LbdartError: when the requirements have hashes for the package, and none matches a file.
    """
    kept: dict[str, Any] = {}
    if wheels := [wheel for wheel in package.get("wheels", []) if _is_hashed(wheel, requirements)]:
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
            f"No file of {package['name']} {version} matches a hash in {project.manifest}.",
            "Find out why the files changed before you use them; if the change is wanted, lock again.",
        )
    return False


def _is_hashed(file: dict[str, Any] | None, requirements: _Requirements) -> bool:
    return file is not None and file["hashes"].get("sha256", "").lower() in requirements.hashes


def _compile(
    project: Project, requirements: _Requirements, target: Target, path: Path, mirror: Mirror
) -> str:
    """Run uv to lock the requirements in the file ``path``, and return its output.

    The first run admits only wheels that surely load, so that uv chooses the newest version with such a
    wheel. If it fails, the second run admits all files, and the selection decides.
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
            or f"Run `uv pip compile {project.manifest.name}` there to see uv's full output.",
        )
    return result.stdout


def _in_place(message: str, requirements: _Requirements, path: Path) -> str:
    """Replace what only the copies have in uv's message: their paths, and the names of URLs."""
    for original in requirements.files:
        message = message.replace(str(path.parent / requirements.copy_name(original)), str(original))
    for name, url in requirements.urls.items():
        message = message.replace(f"${{{name}}}", without_login(url))
    return message


def _remedy(message: str) -> str | None:
    """Return the remedy when an index or a setting of uv made it fail; None for any other message."""
    if "Expected the output filename to be" in message:
        return "Remove output-file from uv's settings for pip, and pass the file to uv with -o."
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
            f"uv is not installed, and it is needed to lock {project.manifest}.",
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
    # With hashes, any index may supply the file; without, only the first index that has the package.
    strategy = ["--index-strategy=unsafe-best-match"] if requirements.requires_hashes else []
    chosen = (option in requirements.options or _is_on(pip_setting(option)) for option in _FLAGS)
    return [*strategy, *compress(_FLAGS.values(), chosen)]


def _is_on(setting: str | None) -> bool:
    return (setting or "").lower() in ("1", "true", "t", "yes", "y", "on")


def _environment(project: Project, requirements: _Requirements) -> dict[str, str]:
    """Return the environment for uv, which does not read pip's variables and files.

    uv finds credentials by the name of an index, and the indexes in a requirements file have no names. So
    variables repeat the URLs in the file, in the same order and with user and password.
    """
    # uv runs build backends to learn what sources require; they see no more than other builds.
    listed = for_installer(BuildEnvironment().variables())
    inherited = frontend.for_uv(listed | NO_PROMPTS)
    # uv also expands variables that are empty, and those that pip leaves as they are.
    left = {name for lines in requirements.files.values() for name in _VARIABLE.findall(" ".join(lines))}
    environment = {
        name: value
        for name, value in inherited.items()
        if name not in _OVERRULED and (value or name not in left)
    } | requirements.urls
    # uv itself asks the keyring for the password of a user without one.
    complete = (login for login in logins(project, requirements.addresses()) if login.password)
    credentials = (*known(), *complete)
    for option, variables in _SETTINGS.items():
        if "no-index" in requirements.options and option != "find-links":
            continue
        separator = "," if option == "find-links" else " "
        in_file = requirements.options.get(option, [])
        variable = next((name for name in variables if environment.get(name)), None)
        locations = [environment[variable]] if variable else []
        if not locations and not in_file:
            locations = (pip_setting(option) or "").split()
        if with_login(separator.join(in_file), credentials) != separator.join(in_file):
            locations += [location for location in in_file if "://" in location]
        if locations:
            chosen = locations[:1] if option == "index-url" else locations
            environment[variable or variables[0]] = with_login(separator.join(chosen), credentials)
    return environment


def _warnings(project: Project, unpinned: list[str]) -> Iterator[BuildWarning]:
    if unpinned:
        names = ", ".join(unpinned[:5]) + (f" and {len(unpinned) - 5} more" if len(unpinned) > 5 else "")
        yield BuildWarning(
            "lbdart_cdk:unpinned",
            f"The build is not reproducible: {project.manifest} does not pin {names} by version and hash (or "
            f"commit). {_how_to_pin(project)}",
        )
