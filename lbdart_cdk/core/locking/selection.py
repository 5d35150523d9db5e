"""From a lock the one file of each package that loads on a target, less what is left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.markers import Environment
from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    PylockSelectError,
)
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename

from ..errors import LbdartError, in_one_line
from ..project.target import Target
from .commit import Commit
from .exclusion import without_excluded
from .lock import Lock, Requirements

_SHA256 = re.compile("[0-9a-fA-F]{64}")
#: What an archive of a project is packed with, as installers take it.
_ARCHIVE_SUFFIXES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar")


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A wheel, or what to build one of, that the lock names.

    ``source`` is a URL or a path, ``size`` is in bytes, if known. The project in a source distribution
    lies in its ``subdirectory``.
    """

    package: NormalizedName
    filename: str
    source: str | Path
    sha256: str
    size: int | None = None
    subdirectory: str = ""


@dataclass(frozen=True, slots=True)
class LockedCommit:
    """A package that is a directory of a git repository, to be built to a wheel."""

    package: NormalizedName
    commit: Commit
    subdirectory: str = ""
    version: str | None = None


@dataclass(frozen=True, slots=True)
class LocalPackage:
    """A package that is a directory of the user's, to be built to a wheel."""

    package: NormalizedName
    directory: Path


@dataclass(frozen=True, slots=True)
class Selection:
    """What a layer is made of, and the names of the packages that were left out.

    ``sdists`` are source distributions of packages that have no wheel, to be built to one; ``compiling``
    are those of them that have wheels for other machines, which shows that they compile.
    """

    wheels: tuple[LockedFile, ...]
    sdists: tuple[LockedFile, ...] = ()
    commits: tuple[LockedCommit, ...] = ()
    compiling: frozenset[NormalizedName] = frozenset()
    local: tuple[LocalPackage, ...] = ()
    left_out: tuple[NormalizedName, ...] = ()

    @property
    def has_sources(self) -> bool:
        """Whether something is to be built."""
        return bool(self.sdists or self.commits or self.local)

    @property
    def packages(self) -> tuple[NormalizedName, ...]:
        """The names of the packages, sorted."""
        parts = (self.wheels, self.sdists, self.commits, self.local)
        return tuple(sorted(name for part in parts for name in (one.package for one in part)))


def select(
    lock: Lock,
    target: Target,
    exclude: Collection[str] = (),
    *,
    requires: Mapping[str, Requirements] | None = None,
    may_compile: bool = False,
) -> Selection:
    """Choose the one file of each package that loads on the target.

    :param exclude: names of packages, in addition to :data:`~.exclusion.DEFAULT_EXCLUDE`.
    :param requires: who requires whom, for a lock that does not know it.
    :param may_compile: whether to choose the source distribution of a package that has wheels for other
        machines only.
    :raises LbdartError: for packages that have no wheel for the target (all of them in one message), for a
        lock that does not cover the target, and for extras and groups that it does not have.
    """
    environment = target.environment()
    pylock = lock.pylock
    extras = _those_there(lock, "extras", lock.extras, pylock.extras or ())
    # The default groups are what a lock calls the project's own dependencies.
    groups = [
        *(pylock.default_groups or ()),
        *_those_there(lock, "groups", lock.groups, pylock.dependency_groups or ()),
    ]
    known = lock.requires if requires is None else requires
    kept, left_out = without_excluded(pylock.packages, known, target, exclude)
    try:
        chosen = list(
            replace(pylock, packages=kept).select(
                environment=environment,
                tags=target.tags(),
                extras=extras,
                dependency_groups=groups,
            )
        )
    except PylockSelectError as error:
        applying = [one for one in kept if _applies(one, environment, extras, groups)]
        _refuse_packages_without_wheel(applying, target, may_compile)
        limits = pylock.environments or ()
        there = dict[str, str | AbstractSet[str]](**environment)
        is_limited = limits and not any(limit.evaluate(there) for limit in limits)
        again = "with `environments` that admit it" if is_limited else "for this Python"
        raise LbdartError(
            f"The lock does not cover {target}: {in_one_line(error)}.",
            f"Lock again {again}, or choose another runtime.",
        ) from error
    _refuse_packages_without_wheel([package for package, _ in chosen], target, may_compile)
    files, commits, local = [], [], []
    for package, file in chosen:
        if isinstance(file, PackageDirectory):
            local.append(
                LocalPackage(package.name, (lock.base / file.path / (file.subdirectory or "")).resolve())
            )
        elif isinstance(file, PackageVcs):
            commits.append(_locked_commit(package, file, lock.base))
        else:
            files.append(_locked_file(package, file, lock.base))
    files.sort(key=lambda file: file.package)
    return Selection(
        wheels=tuple(file for file in files if file.filename.endswith(".whl")),
        sdists=tuple(file for file in files if not file.filename.endswith(".whl")),
        commits=tuple(sorted(commits, key=lambda one: one.package)),
        compiling=frozenset(
            package.name
            for package, file in chosen
            if isinstance(file, PackageSdist) and not _has_pure_wheels_only(package)
        ),
        local=tuple(sorted(local, key=lambda one: one.package)),
        left_out=left_out,
    )


def _those_there(lock: Lock, what: str, asked: Collection[str], there: Collection[str]) -> list[str]:
    """Return the names asked for as the lock spells them."""
    spelled = {canonicalize_name(name): name for name in there}
    unknown = [name for name in asked if canonicalize_name(name) not in spelled]
    if unknown:
        raise LbdartError(
            f"{lock.origin} has no {what} named {', '.join(unknown)}.",
            f"The {what} it has are: {', '.join(sorted(there)) or 'none'}.",
        )
    return [spelled[canonicalize_name(name)] for name in asked]


def _applies(
    package: Package, environment: Environment, extras: Collection[str], groups: Collection[str]
) -> bool:
    if package.marker is None:
        return True
    chosen = {"extras": frozenset(extras), "dependency_groups": frozenset(groups)}
    return package.marker.evaluate(
        dict[str, str | AbstractSet[str]](**environment) | chosen, context="lock_file"
    )


def _refuse_packages_without_wheel(
    packages: Collection[Package],
    target: Target,
    may_compile: bool,
) -> None:
    loadable = set(target.tags())
    missing = [
        package
        for package in packages
        if package.directory is None
        and package.vcs is None
        and not any(loadable & _tags(package, wheel) for wheel in _wheel_names(package))
        and not (_has_source(package) and (may_compile or _has_pure_wheels_only(package)))
    ]
    if missing:
        named = [
            f"{package.name} {package.version or ''}".rstrip() + f" ({_describe_wheels(package, target)})"
            for package in missing
        ]
        build = "build it from its source with build_in_container=True, "
        raise LbdartError(
            f"No wheel loads on {target} for {'; '.join(named)}.",
            "Choose a runtime or architecture that one of these wheels is for, lock a version of the package "
            f"that has a wheel for this one, {build if all(map(_has_source, missing)) else ''}"
            "or leave the package out with exclude=.",
        )


def _has_source(package: Package) -> bool:
    return package.sdist is not None or (
        package.archive is not None and _archive_name(package.archive).endswith(_ARCHIVE_SUFFIXES)
    )


def _has_pure_wheels_only(package: Package) -> bool:
    """Tell whether no wheel of a package shows that it is compiled."""
    return all(tag.platform == "any" for name in _wheel_names(package) for tag in _tags(package, name))


def _wheel_names(package: Package) -> list[str]:
    """Return the file names of the wheels that the lock offers for a package."""
    if package.archive is not None:
        name = _archive_name(package.archive)
        return [name] if name.endswith(".whl") else []
    return [wheel.filename for wheel in package.wheels or ()]


def _archive_name(archive: PackageArchive) -> str:
    path = urlsplit(archive.url).path if archive.url is not None else archive.path or ""
    return unquote(path.rsplit("/", 1)[-1])


def _tags(package: Package, wheel: str) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(wheel)[-1]
    except InvalidWheelFilename as error:
        raise LbdartError(
            f"The lock names a file for {package.name} that is no wheel: {wheel}.",
            "Make the lock again with the tool it comes from.",
        ) from error


def _describe_wheels(package: Package, target: Target) -> str:
    """Name the wheels there are by the telling part of their names, the nearest first, and not hundreds."""
    tags = sorted({name.removesuffix(".whl").split("-", 2)[-1] for name in _wheel_names(package)})
    if not tags:
        return "it has no wheel and no source distribution that is understood"
    python = f"cp{target.python[0]}{target.python[1]}"
    tags.sort(key=lambda tag: (python not in tag, target.machine not in tag, "linux" not in tag))
    shown = ", ".join(tags[:4])
    return f"its wheels are {shown}" + (f" and {len(tags) - 4} more" if len(tags) > 4 else "")


def _locked_commit(package: Package, vcs: PackageVcs, base: Path) -> LockedCommit:
    if vcs.type != "git":
        raise LbdartError(
            f"{package.name} comes from a repository of the kind {vcs.type}, and only git is known here.",
            "Depend on a released version of it, or leave it out with exclude=.",
        )
    url = vcs.url if vcs.url is not None else (base / (vcs.path or "")).resolve().as_uri()
    version = str(package.version) if package.version is not None else None
    commit = Commit(package.name, url, vcs.commit_id)
    return LockedCommit(package.name, commit, vcs.subdirectory or "", version)


def _locked_file(
    package: Package, file: PackageArchive | PackageWheel | PackageSdist, base: Path
) -> LockedFile:
    if isinstance(file, PackageArchive):
        filename, subdirectory = _archive_name(file), file.subdirectory or ""
    else:
        filename, subdirectory = file.filename, ""
    sha256 = file.hashes.get("sha256")
    if sha256 is None or not _SHA256.fullmatch(sha256):
        raise LbdartError(
            f"The lock has no sha256 for {filename}.", "Make the lock again, from an index that gives hashes."
        )
    source = file.url if file.url is not None else base / (file.path or "")
    return LockedFile(package.name, filename, source, sha256.lower(), file.size, subdirectory)
