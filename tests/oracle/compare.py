"""Compare what the product packs of a project with what uv installs of it in place.

"In place" is a copy of everything (``cp -a`` of the repository and of what lies around it), so that what a
build leaves there does not disturb; the product gets the original, which must stay as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import traceback
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.artifacts.source import SourceArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project as UserProject
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.tools.pip import TOOL as PIP
from lbdart_cdk.tools.uv import TOOL as UV

from .edits import edits_of
from .projects import Project, Written, git, write

TARGET: Final = Target((3, 13))
#: 1980-01-01, the oldest date that a zip can have: dates in versions of changed trees agree on both sides.
_EPOCH: Final = "315532800"


@dataclass(frozen=True)
class Rule:
    """A difference that is allowed: files that uv installs and the product leaves out or rewrites.

    :param covers: gets the path of a file, below the directory of packages, and its content.
    """

    name: str
    reason: str
    covers: Callable[[PurePosixPath, bytes], bool]


def _in_dist_info(path: PurePosixPath) -> bool:
    return path.parent.name.endswith(".dist-info") and len(path.parts) == 2


def _is_script_of_python(path: PurePosixPath, content: bytes) -> bool:
    first = content.partition(b"\n")[0]
    return path.parts[0] == "bin" and first.startswith(b"#!") and (b"python" in content[:1024])


#: Every difference that is no failure.
RULES: Final = (
    Rule(
        "installer",
        "What an installer notes about itself is no part of the package and differs between machines.",
        lambda path, _: (
            path.name == ".lock"
            or (_in_dist_info(path) and path.name in {"INSTALLER", "REQUESTED", "direct_url.json"})
            or (_in_dist_info(path) and path.name in {"uv_build.json", "uv_cache.json"})
        ),
    ),
    Rule(
        "RECORD",
        "It lists what the installer wrote: the product lists what is in the zip, and own code has no list.",
        lambda path, _: _in_dist_info(path) and path.name == "RECORD",
    ),
    Rule(
        "WHEEL",
        "It names the version of the build backend, which is another one tomorrow.",
        lambda path, _: _in_dist_info(path) and path.name == "WHEEL",
    ),
    Rule(
        "METADATA",
        "Its fields are compared, not its bytes: backends write the others into different places.",
        lambda path, _: _in_dist_info(path) and path.name == "METADATA",
    ),
    Rule(
        "scripts",
        "A script that an installer makes for its own Python names that Python's path.",
        _is_script_of_python,
    ),
    Rule(
        "headers",
        "C headers are for compilers, and there is none in Lambda.",
        lambda path, _: path.parts[0] == "include",
    ),
    Rule(
        "bytecode",
        "A cache that Python writes again; it depends on the interpreter. Modules without a source stay.",
        lambda path, _: path.parent.name == "__pycache__",
    ),
    Rule(
        "submodule",
        "In a submodule, .git is a file that says where the repository lies on this machine.",
        lambda path, _: path.name == ".git",
    ),
)


@dataclass(frozen=True)
class File:
    """The content of a file, and whether it may be executed."""

    content: bytes
    executable: bool


@dataclass(frozen=True)
class Result:
    """What came out of a project.

    :param files: the files below the directory of packages.
    :param failure: why there are none.
    :param key: the build key, for the product only.
    :param zipped: the hash of the zip, for the product only.
    """

    files: Mapping[str, File] = field(default_factory=dict)
    failure: str = ""
    key: str = ""
    zipped: str = ""
    version: str = ""


@dataclass(frozen=True)
class Bench:
    """Where projects are written and built.

    :param folder: a private folder.
    :param index: the address of an index that has the build backends, on this machine.
    :param uv_cache: uv's cache.
    """

    folder: Path
    index: str
    uv_cache: Path

    @contextlib.contextmanager
    def surroundings(self, home: Path) -> Iterator[None]:
        """Give the block, and every process in it, the environment of a user with this home."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(
            {
                "PATH": before.get("PATH", os.defpath),
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "SOURCE_DATE_EPOCH": _EPOCH,
                "UV_CACHE_DIR": str(self.uv_cache),
                "UV_DEFAULT_INDEX": self.index,
                "UV_PYTHON": sys.executable,
                "UV_PYTHON_DOWNLOADS": "never",
                "UV_LINK_MODE": "copy",
            }
        )
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    :param wrong: how the product's result differs, one line each; nothing if all is well.
    :param failed: why the project does not build in place, if it does not.
    """

    wrong: tuple[str, ...]
    failed: str = ""


def check(project: Project, bench: Bench, *, edits: int = 0) -> Outcome:
    """Compare the product's result for a project with uv's, and try what must not matter and what must.

    :param edits: how many edits of the project are tried for one that is not deployed.
    """
    written = write(project, bench.folder / "original")
    with bench.surroundings(written.home):
        prepare(project, written, bench.folder)
        before = _snapshot(written.folder)
        in_place = built_in_place(project, written.copied(bench.folder / "in-place"))
        made = built_by_product(project, written, bench.folder / "cache")
        wrong = differences(project, in_place, made)
        wrong += [f"changed the user's tree: {path}" for path in _changed(before, _snapshot(written.folder))]
        # What is wrong here is wrong elsewhere, too, and each build takes a second.
        if not wrong and not made.failure:
            copy = written.copied(bench.folder / "another-place")
            wrong += _elsewhere(made, built_by_product(project, copy, copy.root / ".lbdart-cache"))
            if project.role not in ("git", "sdist"):
                wrong += _undeployed(project, written, bench, (in_place, made), edits)
    return Outcome(tuple(wrong), in_place.failure and _last_line(in_place.failure))


# In place.


def prepare(project: Project, written: Written, folder: Path) -> None:
    """Write the lock of the layer that the project is to be a part of."""
    app = written.consumer
    path = os.path.relpath(written.root, app)
    below = "services/lib" if project.place == "below" else ""
    head = 'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "demo-lib"\n'
    match project.role, project.manifest:
        case "path", "pylock":
            (app / "pylock.toml").write_text(f'{head}directory = {{ path = "{path}" }}\n')
        case "path", _:
            (app / "requirements.txt").write_text(f"{path}\n")
        case "git", "pylock":
            where = f'type = "git", url = "{written.repository.as_uri()}", commit-id = "{written.commit}"'
            where += f', subdirectory = "{below}"' if below else ""
            (app / "pylock.toml").write_text(f"{head}vcs = {{ {where} }}\n")
        case "git", _:
            (app / "requirements.txt").write_text(f"demo-lib @ {_git_url(project, written)}\n")
        case "workspace", _:
            # uv writes to the directory of a project that it asks for its version.
            copy = written.copied(folder / "lock")
            locked = _run("uv", "lock", cwd=copy.repository)
            if not locked.returncode:
                shutil.copy(copy.repository / "uv.lock", written.repository)
        case "sdist", _:
            copy = written.copied(folder / "sdist")
            _run("uv", "build", "--sdist", "--out-dir", str(app), ".", cwd=copy.root)
            for sdist in app.glob("*.tar.gz"):
                sha256 = hashlib.sha256(sdist.read_bytes()).hexdigest()
                where = f'path = "{sdist.name}", hashes = {{ sha256 = "{sha256}" }}'
                (app / "pylock.toml").write_text(f"{head}sdist = {{ {where} }}\n")


def _git_url(project: Project, written: Written) -> str:
    below = "#subdirectory=services/lib" if project.place == "below" else ""
    return f"git+{written.repository.as_uri()}@{written.commit}{below}"


def built_in_place(project: Project, written: Written) -> Result:
    """Return what uv installs of a project; its tree is changed."""
    if project.role == "own" and project.backend == "none":
        return Result(_as_it_lies(project, written.root))
    what = str(written.root)
    wheels = written.folder / "wheels"
    if project.role == "own":
        built = _run("uv", "build", "--wheel", "--out-dir", str(wheels), ".", cwd=written.root)
        if built.returncode:
            return Result(failure=built.stderr)
        (wheel,) = wheels.glob("*.whl")
        what = str(wheel)
    elif project.role == "git":
        what = _git_url(project, written)
    elif project.role == "sdist":
        what = next((str(path) for path in written.consumer.glob("*.tar.gz")), "")
        if not what:
            return Result(failure="error: there is no source distribution")
    target = written.folder / "target"
    installed = _run("uv", "pip", "install", "--no-deps", "--target", str(target), what, cwd=written.consumer)
    if installed.returncode:
        return Result(failure=installed.stderr)
    files = {path.relative_to(target).as_posix(): _file(path) for path in target.rglob("*") if path.is_file()}
    if not any(path.endswith("app.py") for path in files):
        raise ValueError(f"uv installs no code of {project}, so the project is no use here: {sorted(files)}")
    return Result(files)


#: What a project without a build brings into a zip of own code, and what it does not.
#: Folders at the top that hold what tools leave, unless git tracks files in them.
_OUTPUTS: Final = {"dist", "build", "cdk.out", "node_modules"}
_SETTINGS: Final = {"pyproject.toml", "MANIFEST.in"}


def _as_it_lies(project: Project, root: Path) -> dict[str, File]:
    """Return the files of a project without a build system, which no tool would build."""
    outputs = {name for name in _OUTPUTS if not (project.has_git and git(root, "ls-files", name))}
    not_code = {*outputs, "tests"}
    base = root / "src" if (root / "src").is_dir() else root
    files = {}
    for folder, folders, names in os.walk(base, followlinks=True):
        at_top = Path(folder) == root
        folders[:] = [
            name
            for name in folders
            if name != "__pycache__" and not name.startswith(".") and not (at_top and name in not_code)
        ]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and not (at_top and name in _SETTINGS):
                files[path.relative_to(base).as_posix()] = _file(path)
    return files


def _file(path: Path) -> File:
    return File(path.read_bytes(), bool(path.stat().st_mode & 0o111))


def _run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, errors="replace", timeout=120, check=False
    )


# The product.


def _artifact(project: Project, written: Written, cache: Path) -> SourceArtifact | LayerArtifact:
    if project.role == "own":
        return SourceArtifact(
            # As with pip, a setup.py is enough to be a package.
            UserProject(written.root, written.root / "requirements.txt"),
            PIP,
            (),
            (),
            Store(cache),
            frontend=UV.frontend,
        )
    root = written.repository if project.role == "workspace" else written.consumer
    tool = {"pylock": "pylock", "requirements": "pip", "uv": "uv"}[project.manifest]
    user_project, found = find_project(root, tool)
    return LayerArtifact(user_project, found, TARGET, Options(), (), Store(cache))


def built_by_product(project: Project, written: Written, cache: Path) -> Result:
    """Return what the product packs."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            artifact = _artifact(project, written, cache)
            key = artifact.build_key
            built = artifact.build()
    except LbdartError as error:
        return Result(failure=f"LbdartError: {error}")
    except Exception:
        return Result(failure=f"not an LbdartError: {traceback.format_exc()}")
    path = built if isinstance(built, Path) else built.path
    version = "" if isinstance(built, Path) else built.version
    files = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            executable = bool((info.external_attr >> 16) & 0o111)
            name = info.filename if project.role == "own" else info.filename.removeprefix("python/")
            files[name] = File(archive.read(info), executable)
    return Result(files, "", key, hashlib.sha256(path.read_bytes()).hexdigest(), version)


def key_of(project: Project, written: Written, cache: Path) -> str:
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return _artifact(project, written, cache).build_key
    except LbdartError as error:
        return f"LbdartError: {error}"


# The comparison.


def differences(
    project: Project, in_place: Result, made: Result, rules: Collection[Rule] = RULES
) -> list[str]:
    """Return how the product's result differs from uv's, but for what the rules allow."""
    if in_place.failure or made.failure:
        if in_place.failure and made.failure.startswith("LbdartError"):
            return []
        if in_place.failure:
            return [f"fails in place, but not here: {_last_line(in_place.failure)} {made.failure}".rstrip()]
        return [f"fails only here: {_short(made.failure)}"]
    expected, found = _without(in_place.files, rules), _without(made.files, rules)
    wrong = [f"missing: {path}" for path in sorted(expected.keys() - found.keys())]
    wrong += [f"too much: {path}" for path in sorted(found.keys() - expected.keys())]
    for path in sorted(expected.keys() & found.keys()):
        if expected[path].content != found[path].content:
            wrong.append(f"other content: {path}")
        elif expected[path].executable != found[path].executable:
            wrong.append(f"other mode: {path}")
    fields = ("Name", "Version") if project.role == "own" else _FIELDS
    here, there = _metadata(made.files, fields), _metadata(in_place.files, fields)
    wrong += [
        f"METADATA: {name} {there.get(name)} is {here.get(name)} here"
        for name in fields
        if here.get(name) != there.get(name)
    ]
    if made.version and "Version" in there and there["Version"] != [made.version]:
        wrong.append(f"version: {there['Version'][0]} is {made.version} here")
    return wrong


def _without(files: Mapping[str, File], rules: Collection[Rule]) -> dict[str, File]:
    return {
        path: file
        for path, file in files.items()
        if not any(rule.covers(PurePosixPath(path), file.content) for rule in rules)
    }


_FIELDS: Final = ("Name", "Version", "Summary", "Requires-Python", "Provides-Extra", "Requires-Dist")


def _metadata(files: Mapping[str, File], names: Collection[str]) -> dict[str, list[str]]:
    """Return the fields of the only METADATA, each in one spelling."""
    contents = [file.content for path, file in files.items() if path.endswith(".dist-info/METADATA")]
    fields = HeaderParser().parsestr(contents[0].decode() if contents else "")
    spelled = {name: [_spelled(name, str(value)) for value in fields.get_all(name, ())] for name in names}
    return {name: sorted(set(values)) for name, values in spelled.items() if values}


def _spelled(name: str, value: str) -> str:
    match name:
        case "Requires-Dist":
            return str(Requirement(value))
        case "Requires-Python":
            return str(SpecifierSet(value))
        case "Provides-Extra":
            return canonicalize_name(value)
    return " ".join(value.split())


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line or "error" in line), lines[-1])


def _short(failure: str) -> str:
    return failure if len(failure) < 600 else f"{failure[:200]} ... {failure[-400:]}"


# What does not depend on the project.


def _snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return everything about each file below a folder but when it was last read, and the mode of folders."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        content = b""
        if path.is_symlink():
            content = os.fsencode(path.readlink())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).digest()
        written = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
        found[str(path.relative_to(folder))] = (status.st_mode, written, content)
    return found


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _elsewhere(made: Result, again: Result) -> list[str]:
    """Return how a second result of the project differs, in another directory and with another cache."""
    if again.failure:
        return [f"elsewhere: fails: {_short(again.failure)}"]
    wrong = [] if again.key == made.key else ["elsewhere: another key"]
    if again.zipped != made.zipped:
        other = _changed(made.files, again.files)
        wrong.append(f"elsewhere: other bytes: {', '.join(other[:5]) or 'of the zip'}")
    return wrong


def _undeployed(
    project: Project, written: Written, bench: Bench, results: tuple[Result, Result], count: int
) -> list[str]:
    """Return the edits that change what uv makes in place and not the key."""
    in_place, made = results
    wrong = []
    for number, edit in enumerate(edits_of(project, written, count)):
        copy = written.copied(bench.folder / f"edit-{number}")
        edit.apply(copy)
        is_new = key_of(project, copy, bench.folder / "cache") != made.key
        if not is_new and differences(project, in_place, built_in_place(project, copy)):
            wrong.append(f"not deployed: {edit}")
    return wrong
