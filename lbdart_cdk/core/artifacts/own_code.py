"""A project's own files, as a source zip and a layer have them. Start with :func:`own_files`.

A package is built to a wheel; the project's tool says whether it is one. Any other project is taken as it
lies: the contents of ``src`` if there is one, else the whole directory, without what tools leave there, names
that start with a dot and, at the top, manifests and tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from ..archive.entry import Entry, stored
from ..archive.names import own_name
from ..errors import LbdartError, explained
from ..keys import Json
from ..locking.tool import Frontend, Tool
from ..packing.merge import Bundle, refuse_too_large
from ..project.build_tree import BuildTree
from ..project.patterns import is_match
from ..project.project import Project
from ..project.repository import is_executable
from ..project.tree import GENERATED, file_hash, input_files, is_input, reading
from ..store.store import Store
from ..wheels.environment import BuildEnvironment
from .summary import Part

if TYPE_CHECKING:
    from ..wheels.build import BuiltWheel
    from ..wheels.container import WheelContainer

#: Files at the top of a project that are for packaging tools and for the CDK, and not for the code.
_MANIFESTS: Final = (
    *("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in"),
    *("uv.toml", "uv.lock", "poetry.toml", "poetry.lock", "pdm.toml", "pdm.lock", "Pipfile", "Pipfile.lock"),
    *("pylock.toml", "pylock.*.toml", "requirements*.txt", "requirements*.in"),
    *("cdk.json", "cdk.context.json"),
)
_TESTS: Final = ("test", "tests")
#: Settings of tools, which no code reads.
_SETTINGS: Final = (
    *(
        ".gitattributes",
        ".gitignore",
        ".gitkeep",
        ".dockerignore",
        ".editorconfig",
        ".pre-commit-config.yaml",
    ),
    *(".coverage", ".coveragerc", ".flake8", ".isort.cfg", ".pylintrc", ".python-version", ".ruff.toml"),
)
_NO_VERSION: Final = "0.0.0"


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """A project's own files, and its version."""

    bundle: Bundle
    version: str


def own_inputs(project: Project, tool: Tool, environment: BuildEnvironment) -> Mapping[str, Json]:
    """Return all inputs of :func:`own_files`."""
    return {
        "tool": tool.name,
        "tree": BuildTree(project.root).key(),
        "manifest": project.manifest.name,
        "environment": environment.inputs,
    }


def own_identity(
    project: Project,
    tool: Tool,
    store: Store,
    environment: BuildEnvironment,
    container: WheelContainer | None = None,
) -> Mapping[str, str] | BuiltWheel:
    """Return what decides a project's own files: what its package is built to, or the files as they lie.

    :raises LbdartError: when the package cannot be built, or a file cannot be read.
    """
    frontend = tool.frontend_of(project)
    if frontend is not None:
        return _wheel(project, frontend, store, environment, container)
    with reading(project.root):
        tree = _Tree.of(project)
        return {
            tree.name_in_zip(path): file_hash(tree.root / path) for path in tree.files if tree.takes(path)
        }


def own_files(
    project: Project,
    tool: Tool,
    store: Store,
    *,
    environment: BuildEnvironment,
    frontend: Frontend | None = None,
    container: WheelContainer | None = None,
) -> OwnFiles:
    """Return a project's own files.

    :param environment: what the build of a package sees.
    :param frontend: builds the wheel of a package. Default: the tool's.
    :param container: builds a package with compiled code; without it, such a package is an error.
    :raises LbdartError: when the package cannot be built, or a name cannot be in a zip.
    """
    own_frontend = tool.frontend_of(project)
    if own_frontend is not None:
        return _built(project, _wheel(project, frontend or own_frontend, store, environment, container).path)
    tree = _Tree.of(project)
    taken = list(filter(tree.takes, tree.files))
    _refuse_too_large(tree, taken)
    bundle = _bundle(project.name, tree, taken)
    return OwnFiles(bundle, project.version or _NO_VERSION)


def included_files(project: Project, tool: Tool, include: Collection[str]) -> Bundle:
    """Return the files of a project that match a pattern of ``include``.

    Their paths are relative to the project; or to ``src``, where its contents are taken as they lie.

    :raises LbdartError: when a pattern matches no file.
    """
    if not include:
        return Bundle("include=", ())
    tree = _Tree.of(project)
    for pattern in include:
        if not any(is_match(path.parts, (pattern,), ()) for path in tree.files):
            raise LbdartError(
                f"The pattern {pattern!r} in include= matches no file of the project in {project.root}.",
                "Correct or remove it; what tools leave there, such as build/, is no part of the project.",
            )
    if tool.frontend_of(project) is not None:
        tree = replace(tree, in_src=False)  # in the zip of a package, src is a folder like any other
    return _bundle("include=", tree, (path for path in tree.files if is_match(path.parts, include, ())))


def has_modules_beside(project: Project, tool: Tool) -> bool:
    """Tell whether there is Python code beside a manifest that belongs to no declared project (PEP 621).

    It is likely to be for the layer; the code of a declared project is likely to be a function's.
    """
    if "project" in project.pyproject or tool.frontend_of(project) is not None:
        return False
    tree = _Tree.empty(project)
    with suppress(OSError):
        return any(
            path.suffix == ".py" and tree.takes(path.relative_to(tree.root))
            for path in input_files(tree.root)
        )
    return False


def refuse_among_own_files(path: Path, project: Project, tool: Tool) -> None:
    """Refuse to write a zip where it would be among a project's own files, and in the next zip of these.

    :raises LbdartError: when the project is taken as it lies, with a file at this path.
    """
    if tool.frontend_of(project) is not None:
        return
    root, resolved = project.root.resolve(), path.resolve()
    if not resolved.is_relative_to(root) or not is_input(root, resolved):
        return
    if _Tree.empty(project).takes(resolved.relative_to(root)):
        raise LbdartError(
            f"{path} would be a part of the project in {project.root}, and of the next zip of its code.",
            f"Write it to build/{path.name} there, or outside of the project.",
        )


def own_part(project: Project, tool: Tool, count: int, include: Collection[str] = ()) -> Part:
    """Return what a summary says of the project's own files; it does not name what nobody misses among them.

    :param count: how many they are.
    :param include: as :func:`left_out` has it.
    """
    names = left_out(project, tool, include)
    return Part(count, "file", [name for name in names if not _is_missed_by_nobody(name, project)])


def _is_missed_by_nobody(name: str, project: Project) -> bool:
    """Tell whether a path is the settings of a tool or, at the top, a manifest, a test or a tool's."""
    path = PurePath(name)
    top = path.parts[0]
    is_known = path.name in _SETTINGS or top in (*_TESTS, *GENERATED) or top.endswith(".egg-info")
    return is_known or _is_manifest(top, project.manifest.name)


def left_out(project: Project, tool: Tool, include: Collection[str] = ()) -> Sequence[str]:
    """Return the files and folders that are left out of a project that is taken as it lies.

    :param include: glob patterns of files that :func:`included_files` adds.
    """
    if tool.frontend_of(project) is not None:
        return ()
    with reading(project.root):
        tree = _Tree.of(project)
        taken = [
            path for path in tree.files if tree.takes(path) or (include and is_match(path.parts, include, ()))
        ]
        # Other folders at the top are what tools leave: build/, but also what only looks like it.
        known = {path.parts[0] for path in tree.files}
        generated = {
            f"{folder.name}/"
            for folder in project.root.iterdir()
            if folder.is_dir() and folder.name not in known and not folder.name.startswith((".", "__"))
        }
    return sorted(generated.union(_shortest(set(tree.files).difference(taken), taken)))


def refuse_without_code(entries: Iterable[Entry], what: str) -> None:
    """Refuse files that have nothing to import.

    :param what: the name of the files in messages.
    :raises LbdartError: when no entry is Python code or an extension module.
    """
    if not any(entry.name.endswith((".py", ".pyc", ".so")) for entry in entries):
        raise LbdartError(
            f"{what} would have no Python code.",
            "Put the code into src/ or beside pyproject.toml, or leave out less of it.",
        )


def stored_file(path: Path, name: str) -> Entry:
    """Return a file as an uncompressed entry; another zlib would compress it to other bytes.

    :raises LbdartError: when a zip cannot have an entry of this name.
    """
    own_name(name)
    return stored(name, path.read_bytes(), executable=is_executable(path, path.stat().st_mode))


def _wheel(
    project: Project,
    frontend: Frontend,
    store: Store,
    environment: BuildEnvironment,
    container: WheelContainer | None,
) -> BuiltWheel:
    # Only a build imports these modules.
    from ..wheels.build import Builder
    from ..wheels.build_hooks import BuildError

    def explain(error: LbdartError) -> LbdartError | None:
        if project.has_build_system or not isinstance(error.__cause__, BuildError):
            return None
        return LbdartError(
            error.problem,
            "Add a [build-system] to pyproject.toml; or say there that the project is no package, with "
            "package-mode = false for Poetry, distribution = false for PDM and package = false for uv.",
        )

    project.refuse_without_version()
    with explained(explain, LbdartError):
        return Builder(frontend, store, container, environment).local(project.root)


def _built(project: Project, wheel: Path) -> OwnFiles:
    from ..wheels.contents import wheel_entries
    from ..wheels.metadata import dist_info
    from ..wheels.reproducible import code_of

    entries = tuple(code_of(wheel_entries(wheel)))
    version = dist_info(entries).version or project.version or _NO_VERSION
    return OwnFiles(Bundle(project.name, entries), version)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The input files of a project.

    :param files: their paths, relative to the project.
    :param manifest: the name of the project's manifest; it may be any name.
    :param in_src: whether the code is in ``src``.
    """

    root: Path
    files: tuple[PurePath, ...]
    manifest: str
    in_src: bool

    @classmethod
    def empty(cls, project: Project) -> _Tree:
        return cls(project.root, (), project.manifest.name, (project.root / "src").is_dir())

    @classmethod
    def of(cls, project: Project) -> _Tree:
        root = project.root
        return replace(cls.empty(project), files=tuple(path.relative_to(root) for path in input_files(root)))

    def takes(self, path: PurePath) -> bool:
        """Tell whether a file is taken as it lies."""
        top = path.parts[0]
        if any(part.startswith(".") for part in path.parts):
            return False
        if self.in_src or len(path.parts) > 1:
            return top == "src" if self.in_src else top not in _TESTS
        return not _is_manifest(top, self.manifest)

    def name_in_zip(self, path: PurePath) -> str:
        """Return the path of a file in the zip."""
        is_below = self.in_src and path.parts[0] == "src"
        return (path.relative_to("src") if is_below else path).as_posix()


def _is_manifest(name: str, manifest: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in (*_MANIFESTS, manifest))


def _bundle(name: str, tree: _Tree, files: Iterable[PurePath]) -> Bundle:
    return Bundle(name, tuple(stored_file(tree.root / path, tree.name_in_zip(path)) for path in files))


def _refuse_too_large(tree: _Tree, files: Iterable[PurePath]) -> None:
    """Refuse more than Lambda allows, before it is read: a directory may hold anything."""
    sizes: Counter[str] = Counter()
    for path in files:
        sizes[tree.name_in_zip(path).partition("/")[0]] += (tree.root / path).stat().st_size
    refuse_too_large(sizes.total(), sizes, f"the code in {tree.root}")


def _shortest(left_out: Iterable[PurePath], taken: Iterable[PurePath]) -> Iterable[str]:
    """Yield the path of each file that is left out, or of its first folder of which nothing is taken."""
    above_taken = {folder for path in taken for folder in path.parents}
    for path in left_out:
        folders = [folder for folder in reversed(path.parents[:-1]) if folder not in above_taken]
        yield f"{folders[0].as_posix()}/" if folders else path.as_posix()
