"""Build wheels from local projects (only read, never written to), source distributions and git commits."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from ..archive.reader import usable
from ..archive.writer import write_zip
from ..errors import LbdartError
from ..keys import key_of
from ..locking.tool import Frontend
from ..progress import announced
from ..project.project import named_path
from ..project.tree import copy_of, tree_hash
from ..store.store import Store
from .build_hooks import BuildError
from .container import LAST_WORDS, WheelContainer
from .contents import wheel_entries
from .git import tree_of
from .reproducible import reproducible
from .sdist import unpack_sdist, unpack_tree, unusable

#: The remedy when a third-party source does not build on this machine.
_REMEDY: Final = (
    "For a layer, set build_in_container=True to build it in the Lambda build image; otherwise lock a "
    "version that has a wheel."
)

if TYPE_CHECKING:
    from ..locking.selection import LockedCommit, LockedFile


@dataclass(frozen=True, slots=True)
class Source:
    """A source that can be built to a wheel.

    :param key: the key of its content.
    :param what: names it in messages.
    :param copy: copies it into a folder and returns the copy's directory, which a build may write to.
    :param remedy: what to do when the build fails.
    :param compiles: whether it is known to compile; then it is built in the container only, if there is one.
    """

    key: str
    what: str
    copy: Callable[[Path], Path]
    remedy: str
    compiles: bool = False


def build_local_wheel(
    directory: Path, frontend: Frontend, store: Store, container: WheelContainer | None = None
) -> Path:
    """Return a wheel of a local project; build it when the project's files changed."""
    key = key_of({"artifact": "wheel", "tool": frontend.name, "tree": tree_hash(directory)})
    # Every copy has this name: the directory's name is not an input, and ".." would leave the folder.
    source = Source(
        key,
        str(directory.resolve()),
        lambda folder: copy_of(directory, folder / "project"),
        "See the output of its build backend above; it works in a copy of the directory, so it finds nothing "
        "outside the directory.",
    )
    return build_source(source, frontend, store, container)


def build_sdist_wheel(
    sdist: Path,
    locked: LockedFile,
    frontend: Frontend,
    store: Store,
    *,
    container: WheelContainer | None = None,
    compiles: bool = False,
) -> Path:
    """Return a wheel of a source distribution; build it once per hash.

    :param compiles: whether it is known to compile.
    """
    key = key_of(
        {
            "artifact": "wheel",
            "tool": frontend.name,
            "sdist": locked.sha256,
            "subdirectory": locked.subdirectory,
        }
    )

    def copy(folder: Path) -> Path:
        unpacked = unpack_sdist(sdist, locked.filename, folder / "sdist")
        return _project_in(unpacked, locked.subdirectory, locked.filename)

    return build_source(Source(key, locked.filename, copy, _REMEDY, compiles), frontend, store, container)


def build_commit_wheel(
    locked: LockedCommit, frontend: Frontend, store: Store, container: WheelContainer | None = None
) -> Path:
    """Return a wheel of a directory in a git repository; build it once per commit."""
    commit = locked.commit
    key = key_of(
        {
            "artifact": "wheel",
            "tool": frontend.name,
            "commit": commit.commit,
            "subdirectory": locked.subdirectory,
            "version": locked.version,
        }
    )

    def copy(folder: Path) -> Path:
        unpacked = unpack_tree(tree_of(commit, store), commit.display, folder / "repository")
        return _project_in(unpacked, locked.subdirectory, commit.display)

    with _pretended_version(locked.version):
        source = Source(key, f"{locked.package} from {commit.display}", copy, _REMEDY)
        return build_source(source, frontend, store, container)


def build_source(source: Source, frontend: Frontend, store: Store, container: WheelContainer | None) -> Path:
    """Return a wheel of a source; build it once per key.

    Pure Python is built on this machine, unless the container builds every source. A source that compiles is
    built in the container, because code from this machine's compiler may not load in Lambda.

    :raises LbdartError: when the build fails, and when the source compiles but there is no container.
    """
    sites = []
    if container is None or not (source.compiles or container.container.every_source):
        sites.append(_BuildSite(source.key, frontend.build_wheel))
    if container is not None:
        build_wheel = partial(container.build_wheel, what=source.what)
        sites.append(_BuildSite(container.key(source.key), build_wheel, container))
    for site in sites:
        if store.kept_archive(site.key) is not None:
            return store.archive(site.key)
    return _build(source, sites, store)


@dataclass(frozen=True, slots=True)
class _BuildSite:
    """This machine or a container, where a source can be built.

    :param key: the key of the wheel that is built there.
    """

    key: str
    build_wheel: Callable[[Path, Path], None]
    container: WheelContainer | None = None

    def accepts(self, tags: AbstractSet[Tag]) -> bool:
        """Tell whether a wheel that was built here loads on the target.

        The tag of a wheel from the image names no glibc version; the image itself has the right one.
        """
        loads = frozenset(self.container.target.tags()) if self.container is not None else frozenset()
        return any(tag.platform == "any" for tag in tags) or bool(tags & loads)


def _build(source: Source, sites: Sequence[_BuildSite], store: Store) -> Path:
    """Build at one site after the other until a wheel loads on the target; store and return that wheel."""
    for site in sites:
        where = f" in {site.container.image}" if site.container is not None else ""
        with store.scratch() as folder:
            output = folder / "wheel"
            try:
                with announced(f"Building {Path(source.what).name}{where}"):
                    site.build_wheel(source.copy(folder), output)
            except LbdartError as error:
                if site is not sites[-1]:
                    continue  # the image may have the compiler or library that this machine lacks
                if isinstance(error, BuildError):
                    raise _failure(source, error) from error
                raise
            wheel = _only_wheel(output, source.what)
            if site.accepts(parse_wheel_filename(wheel.name)[-1]):
                rewritten = folder / "made.whl"
                with store.guarded(rewritten), usable(wheel.name), rewritten.open("wb") as file:
                    write_zip(file, reproducible(wheel_entries(wheel)))
                return store.keep_archive(site.key, rewritten)
    raise _wrong_platform(source.what, wheel.name, sites[-1].container)


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


@contextmanager
def _pretended_version(version: str | None) -> Iterator[None]:
    """Pass a version to build backends that would read it from git tags, which a tree does not have."""
    names = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION") if version is not None else ()
    previous = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.update(dict.fromkeys(names, version or ""))
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(previous)
