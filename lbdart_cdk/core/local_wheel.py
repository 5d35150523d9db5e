"""Sources built to a wheel: a project of the user's, whose tree is only read, or a source distribution."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from .archive import write_zip
from .build_key import key_of, tree_hash
from .container import WheelContainer
from .errors import LbdartError
from .lock import Requirements
from .progress import announced
from .project import copy_of
from .store import Store
from .tool import Tool
from .wheel import lasting, required_by, wheel_entries


@dataclass(frozen=True, slots=True)
class BuiltWheel:
    """A wheel in the store, and what its build backend said it requires."""

    path: Path
    requires: Requirements


@dataclass(frozen=True, slots=True)
class Source:
    """What can be built: its identity, its name in messages, and how a copy of it gets into a folder.

    ``copy`` returns the copy's directory, which a build may write to. Of what ``compiles`` is known that it
    does, so it is not tried on this machine when there is a container.
    """

    key: str
    what: str
    copy: Callable[[Path], Path]
    compiles: bool = False


def build_local_wheel(
    directory: Path, tool: Tool, store: Store, container: WheelContainer | None = None
) -> BuiltWheel:
    """Return a wheel of the project at ``directory``, built when its files changed."""
    key = key_of({"artifact": "wheel", "tool": tool.name, "tree": tree_hash(directory)})
    source = Source(key, str(directory), lambda folder: copy_of(directory, folder / directory.name))
    return build_source(source, tool, store, container)


def build_sdist_wheel(
    sdist: Path,
    filename: str,
    sha256: str,
    tool: Tool,
    store: Store,
    *,
    container: WheelContainer | None = None,
    compiles: bool = False,
) -> BuiltWheel:
    """Return a wheel of a source distribution, built once for its hash."""
    key = key_of({"artifact": "wheel", "tool": tool.name, "sdist": sha256})
    source = Source(key, filename, lambda folder: _unpacked(sdist, filename, folder / "sdist"), compiles)
    return build_source(source, tool, store, container)


def build_source(source: Source, tool: Tool, store: Store, container: WheelContainer | None) -> BuiltWheel:
    """Return a wheel of a source, built once for its key: by the tool, or what compiles in the ``container``.

    Raises :class:`LbdartError` when it cannot be built, and when it compiles and there is no container: what
    this machine's compiler makes need not load in Lambda.
    """
    places = []
    if container is None or not (source.compiles or container.container.every_source):
        places.append(_Place(source.key, tool.build_wheel))
    if container is not None:
        places.append(_Place(container.key(source.key), container.build_wheel, container))
    kept = next((one.key for one in places if store.has_archive(one.key)), None)
    if kept is None:
        kept = _build(source, places, store)
    noted = store.recall("archives", kept) or {}
    return BuiltWheel(store.archive(kept), noted["requires"])


@dataclass(frozen=True, slots=True)
class _Place:
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


def _build(source: Source, places: Sequence[_Place], store: Store) -> str:
    """Build at the first of the places that makes a wheel which loads; return the key it is kept under."""
    for place in places:
        where = f" in {place.container.image}" if place.container is not None else ""
        with store.scratch() as folder:
            output = folder / "wheel"
            try:
                with announced(f"Building {Path(source.what).name}{where}"):
                    place.build_wheel(source.copy(folder), output)
            except LbdartError:
                if place is places[-1]:
                    raise
                continue  # this machine may lack a compiler or a library that the image has
            built = _only_wheel(output, source.what)
            if place.takes(parse_wheel_filename(built.name)[-1]):
                made = folder / "made.whl"
                with store.explained(made), made.open("wb") as file:
                    write_zip(file, lasting(wheel_entries(built)))
                store.keep_archive(place.key, made, requires=required_by(built))
                return place.key
    raise _refusal(source.what, built.name, places[-1].container)


def _unpacked(sdist: Path, filename: str, folder: Path) -> Path:
    """Unpack a source distribution; return the directory of the project in it."""
    try:
        if filename.endswith(".zip"):
            with zipfile.ZipFile(sdist) as archive:
                archive.extractall(folder)
        else:
            with tarfile.open(sdist, "r:gz") as tar:
                tar.extractall(folder, filter="data")
        (project,) = folder.iterdir()
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise LbdartError(
            f"{filename} is not a usable source distribution: {error}.",
            "Lock a version of the package that has a wheel, or leave it out with exclude=.",
        ) from error
    return project


def _only_wheel(output: Path, what: str) -> Path:
    built = list(output.glob("*.whl"))
    if len(built) != 1:
        raise LbdartError(
            f"The build of {what} left {len(built)} wheels.",
            "See what its build backend says: it has to make one.",
        )
    return built[0]


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
