"""Build wheels from local projects (only read, never written to), source distributions and git commits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from ..archive.reader import usable
from ..archive.writer import write_zip
from ..errors import LbdartError
from ..keys import key_of, sha256_of
from ..locking.tool import Frontend
from ..progress import announced
from ..project.build_tree import BuildTree
from ..project.project import named_path
from ..store.store import Store
from .build_hooks import BuildError, RequirementsError
from .container import LAST_WORDS, WheelContainer
from .contents import wheel_entries
from .environment import BuildEnvironment
from .git import checkout
from .reproducible import reproducible
from .sdist import unpack_sdist, unusable

#: The remedy when a third-party source does not build on this machine.
_REMEDY: Final = (
    "For a layer, set build_in_container=True to build it in the Lambda build image; otherwise lock a "
    "version that has a wheel."
)

#: The errors of this process's builds that failed, by the store and the key of the wheel. The store does not
#: keep them, because the user corrects the cause and tries again.
_FAILED: Final[dict[tuple[Path, str], Callable[[], LbdartError]]] = {}

if TYPE_CHECKING:
    from ..locking.selection import LockedCommit, LockedFile


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a source, which a build may write to.

    :param top: the directory that was copied.
    :param project: the directory of the project in it.
    :param git: the directory of the user's repository that the copy refers to, if any.
    """

    top: Path
    project: Path
    git: Path | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A source that can be built to a wheel.

    :param key: the key of its content.
    :param what: names it in messages.
    :param copy: copies it into an empty folder.
    :param remedy: what to do when the build fails.
    :param compiles: whether it is known to compile; then it is built in the container only, if there is one.
    """

    key: str
    what: str
    copy: Callable[[Path], Copy]
    remedy: str
    compiles: bool = False


@dataclass(frozen=True, slots=True)
class BuiltWheel:
    """A wheel that was built.

    :param key: its key in the store.
    :param identity: the SHA-256 of the wheel, or of what a compiled wheel was built from: compilers do not
        give the same bytes on every machine.
    """

    store: Store
    key: str
    identity: str

    @property
    def path(self) -> Path:
        """The wheel, with the bytes that it was kept with.

        :raises LbdartError: when it was changed or deleted since.
        """
        return self.store.checked_archive(self.key)


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds sources to wheels, each once per key.

    :param frontend: builds on this machine.
    :param container: builds what compiles; without one, such a source is an error.
    """

    frontend: Frontend
    store: Store
    container: WheelContainer | None = None
    environment: BuildEnvironment = field(default_factory=BuildEnvironment)

    def local(self, directory: Path) -> BuiltWheel:
        """Return a wheel of a local project; build it when something that its build can see has changed."""
        tree = BuildTree(directory)
        source = Source(
            self._key(tree=tree.key()),
            str(directory.resolve()),
            lambda folder: _copy_of_tree(tree, folder),
            "See the output of its build backend above; it works in a copy of the project and of what the "
            "project's settings name beside it in the repository.",
        )
        return self.build(source)

    def sdist(self, sdist: Path, locked: LockedFile, *, compiles: bool = False) -> BuiltWheel:
        """Return a wheel of a source distribution.

        :param compiles: whether it is known to compile.
        """

        def copy(folder: Path) -> Copy:
            unpacked = unpack_sdist(sdist, locked.filename, folder / "sdist")
            return Copy(unpacked, _project_in(unpacked, locked.subdirectory, locked.filename))

        key = self._key(sdist=locked.sha256, subdirectory=locked.subdirectory)
        return self.build(Source(key, locked.filename, copy, _REMEDY, compiles))

    def commit(self, locked: LockedCommit) -> BuiltWheel:
        """Return a wheel of a directory in a git repository."""
        commit = locked.commit

        def copy(folder: Path) -> Copy:
            top = checkout(commit, locked.subdirectory, folder / "repository")
            return Copy(top, _project_in(top, locked.subdirectory, commit.display))

        key = self._key(commit=commit.commit, subdirectory=locked.subdirectory)
        return self.build(Source(key, f"{locked.package} from {commit.display}", copy, _REMEDY))

    def _key(self, **source: str) -> str:
        environment = self.environment.inputs
        return key_of({"artifact": "wheel", "tool": self.frontend.name, **source, "environment": environment})

    def build(self, source: Source) -> BuiltWheel:
        """Return a wheel of a source; build it if the store does not have it.

        Pure Python is built on this machine, unless the container builds every source. A source that compiles
        is built in the container, because code from this machine's compiler may not load in Lambda.

        :raises LbdartError: when the build fails, and when the source compiles but there is no container.
        """
        sites = self._sites(source)
        for site in sites:
            if (notes := self.store.kept_archive(site.key)) is not None:
                return site.built(self.store, str(notes["sha256"]))
        return _build(source, sites, self.store)

    def _sites(self, source: Source) -> list[_BuildSite]:
        sites = []
        if self.container is None or not (source.compiles or self.container.container.every_source):
            sites.append(_BuildSite(source.key, self._build_here))
        if self.container is not None:
            sites.append(
                _BuildSite(self.container.key(source.key), self._build_there(source), self.container)
            )
        return sites

    def _build_here(self, copy: Copy, output: Path) -> None:
        self.frontend.build_wheel(copy.project, output, self.environment.variables(copy.top.parent))

    def _build_there(self, source: Source) -> Callable[[Copy, Path], None]:
        def build(copy: Copy, output: Path) -> None:
            assert self.container is not None
            self.container.build_wheel(
                copy.top,
                output,
                what=source.what,
                project=copy.project.relative_to(copy.top),
                readable=copy.git,
                variables=self.environment.for_container(),
            )

        return build


@dataclass(frozen=True, slots=True)
class _BuildSite:
    """This machine or a container, where a source can be built.

    :param key: the key of the wheel that is built there.
    """

    key: str
    build_wheel: Callable[[Copy, Path], None]
    container: WheelContainer | None = None

    def accepts(self, tags: AbstractSet[Tag]) -> bool:
        """Tell whether a wheel that was built here loads on the target.

        The tag of a wheel from the image names no glibc version; the image itself has the right one.
        """
        loads = frozenset(self.container.target.tags()) if self.container is not None else frozenset()
        return any(tag.platform == "any" for tag in tags) or bool(tags & loads)

    def built(self, store: Store, sha256: str) -> BuiltWheel:
        """Return the wheel that was built here; what compiles is built in a container."""
        return BuiltWheel(store, self.key, sha256 if self.container is None else self.key)


def _build(source: Source, sites: Sequence[_BuildSite], store: Store) -> BuiltWheel:
    """Build at one site after the other until a wheel loads on the target; store and return that wheel."""
    *before, last = sites
    for site in before:
        with suppress(LbdartError):  # the image may have the compiler or library that this machine lacks
            return _build_at(site, source, store)
    try:
        return _build_at(last, source, store)
    except BuildError as error:
        raise _failure(source, error) from error


def _build_at(site: _BuildSite, source: Source, store: Store) -> BuiltWheel:
    """Build at a site; store and return the wheel.

    The key of a build on this machine is the same for every target, so a failure there is remembered.
    """
    where = f" in {site.container.image}" if site.container is not None else ""
    build = store.root, site.key
    if build in _FAILED:
        raise _FAILED[build]()
    with store.scratch() as folder:
        with store.guarded(folder):
            _bound(folder)
        output = folder / "wheel"
        try:
            with announced(f"Building {Path(source.what).name}{where}"):
                site.build_wheel(source.copy(folder), output)
        except RequirementsError:
            raise
        except BuildError as error:
            _FAILED[build] = partial(BuildError, error.why, [])  # its output is shown once
            raise
        wheel = _only_wheel(output, source.what)
        if not site.accepts(parse_wheel_filename(wheel.name)[-1]):
            _FAILED[build] = partial(_wrong_platform, source.what, wheel.name, site.container)
            raise _FAILED[build]()
        rewritten = folder / "made.whl"
        with store.guarded(rewritten), usable(wheel.name), rewritten.open("wb") as file:
            sha256 = write_zip(file, reproducible(wheel_entries(wheel)))
        store.keep_archive(site.key, rewritten, sha256)
        return site.built(store, sha256_of(store.archive(site.key)))


def _only_wheel(output: Path, what: str) -> Path:
    wheels = list(output.glob("*.whl"))
    if len(wheels) != 1:
        raise LbdartError(
            f"The build of {what} made {len(wheels)} wheels.",
            "Correct its build backend, which must make exactly one wheel.",
        )
    return wheels[0]


def _failure(source: Source, error: BuildError) -> LbdartError:
    if error.said:
        print(*error.said[-LAST_WORDS:], sep="\n", file=sys.stderr)
    return LbdartError(f"{source.what} could not be built: {error.why}.", source.remedy)


def _wrong_platform(what: str, wheel: str, container: WheelContainer | None) -> LbdartError:
    if container is None:
        return LbdartError(
            f"{what} builds to {wheel}, a wheel compiled for this machine, not for Lambda.",
            "For a layer, set build_in_container=True to build it in the Lambda build image; otherwise "
            "publish wheels that are built for Lambda, and depend on those.",
        )
    return LbdartError(
        f"{what} builds to {wheel} in {container.image}, which does not load on {container.target}.",
        "Name an image that has the target's Python, or name none to use AWS's image.",
    )


def _project_in(root: Path, subdirectory: str, filename: str) -> Path:
    named = named_path(root, subdirectory)
    if named is None or not named.is_dir() or not named.resolve().is_relative_to(root.resolve()):
        raise unusable(filename, f"it has no directory {subdirectory}")
    return named.resolve()


def _copy_of_tree(tree: BuildTree, folder: Path) -> Copy:
    top, project = tree.copy(folder)
    return Copy(top, project, tree.repository.common_directory if tree.repository is not None else None)


def _bound(folder: Path) -> None:
    """Mark a folder as the end of a build's search for a repository, ignore files and settings of uv.

    The store may lie in a checkout, whose ignore files would hide every file of a copy.
    """
    (folder / ".git").mkdir()
    (folder / "uv.toml").touch()
