"""Sources built to a wheel: the user's own, whose tree is only read; source distributions; repositories."""

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
from ..project.tree import copy_of, tree_hash
from ..store.store import Store
from .build_hooks import BuildError
from .container import LAST_WORDS, WheelContainer
from .contents import wheel_entries
from .git import tree_of
from .reproducible import reproducible
from .sdist import unpack_sdist, unpack_tree, unusable

#: What to do about somebody else's source that does not build on this machine.
_REMEDY: Final = (
    "For a layer, build_in_container=True has it built in the Lambda build image; else lock a version of it "
    "that has a wheel."
)

if TYPE_CHECKING:
    from ..locking.selection import LockedCommit, LockedFile


@dataclass(frozen=True, slots=True)
class Source:
    """What can be built: its identity, its name in messages, and how a copy of it gets into a folder.

    ``copy`` returns the copy's directory, which a build may write to. ``remedy`` is for a failed build. Of
    what ``compiles`` is known that it does, so it is not tried on this machine when there is a container.
    """

    key: str
    what: str
    copy: Callable[[Path], Path]
    remedy: str
    compiles: bool = False


def build_local_wheel(
    directory: Path, frontend: Frontend, store: Store, container: WheelContainer | None = None
) -> Path:
    """Return a wheel of the project at ``directory``, built when its files changed."""
    key = key_of({"artifact": "wheel", "tool": frontend.name, "tree": tree_hash(directory)})
    # One name for every copy: the directory's own is no input, and with ".." it would lead elsewhere.
    source = Source(
        key,
        str(directory.resolve()),
        lambda folder: copy_of(directory, folder / "project"),
        "See above what its build backend says; it works in a copy of the directory, so what lies outside of "
        "that is not found.",
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
    """Return a wheel of a source distribution, built once for its hash."""
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
    """Return a wheel of a directory of a git repository, built once for the commit."""
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

    with _told_version(locked.version):
        source = Source(key, f"{locked.package} from {commit.display}", copy, _REMEDY)
        return build_source(source, frontend, store, container)


def build_source(source: Source, frontend: Frontend, store: Store, container: WheelContainer | None) -> Path:
    """Return a wheel of a source, built once for its key: here, or what compiles in the ``container``.

    Raises :class:`LbdartError` when it cannot be built, and when it compiles and there is no container: what
    this machine's compiler makes need not load in Lambda.
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
    """Where a source can be built, and the key of the wheel that is made there."""

    key: str
    build_wheel: Callable[[Path, Path], None]
    container: WheelContainer | None = None

    def takes(self, tags: AbstractSet[Tag]) -> bool:
        """Tell whether a wheel that was built here loads on the target.

        The tag of a wheel from the image names no glibc: that it was built there stands for that.
        """
        loads = frozenset(self.container.target.tags()) if self.container is not None else frozenset()
        return any(tag.platform == "any" for tag in tags) or bool(tags & loads)


def _build(source: Source, sites: Sequence[_BuildSite], store: Store) -> Path:
    """Build at the first of the sites that makes a wheel which loads, and keep that."""
    for site in sites:
        where = f" in {site.container.image}" if site.container is not None else ""
        with store.scratch() as folder:
            output = folder / "wheel"
            try:
                with announced(f"Building {Path(source.what).name}{where}"):
                    site.build_wheel(source.copy(folder), output)
            except LbdartError as error:
                if site is not sites[-1]:
                    continue  # this machine may lack a compiler or a library that the image has
                if isinstance(error, BuildError):
                    raise _failure(source, error) from error
                raise
            built = _only_wheel(output, source.what)
            if site.takes(parse_wheel_filename(built.name)[-1]):
                made = folder / "made.whl"
                with store.guarded(made), usable(built.name), made.open("wb") as file:
                    write_zip(file, reproducible(wheel_entries(built)))
                return store.keep_archive(site.key, made)
    raise _refusal(source.what, built.name, sites[-1].container)


def _only_wheel(output: Path, what: str) -> Path:
    built = list(output.glob("*.whl"))
    if len(built) != 1:
        raise LbdartError(
            f"The build of {what} left {len(built)} wheels.",
            "See what its build backend says: it has to make one.",
        )
    return built[0]


def _failure(source: Source, error: BuildError) -> LbdartError:
    if error.said:
        print(*error.said[-LAST_WORDS:], sep="\n", file=sys.stderr)
    return LbdartError(f"{source.what} could not be built: {error.why}.", source.remedy)


def _refusal(what: str, wheel: str, container: WheelContainer | None) -> LbdartError:
    if container is None:
        return LbdartError(
            f"{what} builds to {wheel}, a wheel compiled for this machine and not for Lambda.",
            "For a layer, build_in_container=True has it built in the Lambda build image; else publish "
            "wheels of it that are built for Lambda, and depend on those.",
        )
    return LbdartError(
        f"{what} builds to {wheel} in {container.image}, and this does not load on {container.target}.",
        "Name an image that has the target's Python, or leave the image out for AWS's.",
    )


def _project_in(root: Path, subdirectory: str, filename: str) -> Path:
    project = (root / subdirectory).resolve()
    if not project.is_dir() or not project.is_relative_to(root.resolve()):
        raise unusable(filename, f"it has no directory {subdirectory}")
    return project


@contextmanager
def _told_version(version: str | None) -> Iterator[None]:
    """Tell build backends the version that they would take from tags; a tree has none, and tags move."""
    names = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION") if version is not None else ()
    before = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.update(dict.fromkeys(names, version or ""))
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)
