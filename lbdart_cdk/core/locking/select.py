"""Select from a lock, for each package of a layer, the one file that loads on the target."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import replace
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
from packaging.utils import (
    BuildTag,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import Version

from ..errors import LbdartError, in_one_line
from ..project.target import Target
from .commit import Commit
from .exclusion import choose
from .lock import Lock, Requires
from .selection import LocalPackage, LockedCommit, LockedFile, Selection

_SHA256 = re.compile("[0-9a-fA-F]{64}")
#: The file name suffixes of source archives that installers accept.
_ARCHIVE_SUFFIXES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar")
#: In the file name of a wheel with a build tag.
_DASHES_WITH_BUILD = 5


def select(
    lock: Lock,
    target: Target,
    exclude: Collection[str] = (),
    *,
    keep: Collection[str] = (),
    requires: Requires | None = None,
    may_compile: bool = False,
) -> Selection:
    """Choose for each package the one file that loads on the target.

    :param exclude: names of packages to leave out, in addition to :data:`~.exclusion.DEFAULT_EXCLUDE`.
    :param keep: names of that list to keep, with what they require.
    :param requires: what each package requires, for a lock that does not know it.
    :param may_compile: whether to choose the source distribution of a package that has wheels for other
        machines only.
    :raises LbdartError: when packages have no wheel for the target (one message names them all), when the
        lock does not cover the target, and when it does not have an extra or group.
    """
    environment = target.environment()
    pylock = lock.pylock
    extras = _as_spelled(lock, "extras", lock.extras, pylock.extras or ())
    # In a lock, the default groups are the project's own dependencies.
    groups = [
        *(pylock.default_groups or ()),
        *_as_spelled(lock, "groups", lock.groups, pylock.dependency_groups or ()),
    ]
    known = lock.requires if requires is None else requires
    applicable = [package for package in pylock.packages if _applies(package, environment, extras, groups)]
    choice = choose(applicable, known, lock, target, exclude=exclude, keep=keep)
    kept = [package for package in applicable if package.name in choice.kept]
    try:
        chosen = list(
            replace(pylock, packages=[_newest_build_first(package) for package in kept]).select(
                environment=environment,
                tags=target.tags(),
                extras=extras,
                dependency_groups=groups,
            )
        )
    except PylockSelectError as error:
        _refuse_packages_without_wheel(kept, target, may_compile)
        limits = pylock.environments or ()
        values = dict[str, str | AbstractSet[str]](**environment)
        is_limited = limits and not any(limit.evaluate(values) for limit in limits)
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
        commits=tuple(sorted(commits, key=lambda commit: commit.package)),
        compiling=frozenset(
            package.name
            for package, file in chosen
            if isinstance(file, PackageSdist) and not _has_pure_wheels_only(package)
        ),
        local=tuple(sorted(local, key=lambda local_package: local_package.package)),
        excluded=tuple(sorted(choice.excluded)),
        dropped=tuple(sorted(choice.dropped)),
        warnings=choice.warnings,
    )


def _as_spelled(lock: Lock, kind: str, names: Collection[str], available: Collection[str]) -> list[str]:
    """Return names of extras or groups as the lock spells them."""
    spelled = {canonicalize_name(name): name for name in available}
    unknown = [name for name in names if canonicalize_name(name) not in spelled]
    if unknown:
        raise LbdartError(
            f"{lock.origin} has no {kind} named {', '.join(unknown)}.",
            f"Its {kind} are: {', '.join(sorted(available)) or 'none'}.",
        )
    return [spelled[canonicalize_name(name)] for name in names]


def _newest_build_first(package: Package) -> Package:
    """Sort the wheels of a package by their build tags (PEP 427), as the first of equal tags is selected.

    As with pip and uv, the build decides only between wheels whose other tags are equally good.
    """
    wheels = package.wheels or ()
    if not any(wheel.filename.count("-") == _DASHES_WITH_BUILD for wheel in wheels):
        return package
    build = {wheel.filename: _parsed(package, wheel.filename)[2] for wheel in wheels}
    return replace(package, wheels=sorted(wheels, key=lambda wheel: build[wheel.filename], reverse=True))


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
        described = [
            f"{package.name} {package.version or ''}".rstrip() + f" ({_describe_wheels(package, target)})"
            for package in missing
        ]
        build = "build it from its source with build_in_container=True, "
        raise LbdartError(
            f"No wheel loads on {target} for {'; '.join(described)}.",
            "Choose a runtime or architecture that one of these wheels is for, lock a version of the package "
            f"that has a wheel for this one, {build if all(map(_has_source, missing)) else ''}"
            "or leave the package out with exclude=.",
        )


def _has_source(package: Package) -> bool:
    return package.sdist is not None or (
        package.archive is not None and _archive_name(package.archive).endswith(_ARCHIVE_SUFFIXES)
    )


def _has_pure_wheels_only(package: Package) -> bool:
    """Tell whether all wheels of a package are pure Python, so that building it needs no compiler."""
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
    return _parsed(package, wheel)[-1]


def _parsed(package: Package, wheel: str) -> tuple[NormalizedName, Version, BuildTag, frozenset[Tag]]:
    try:
        return parse_wheel_filename(wheel)
    except InvalidWheelFilename as error:
        raise LbdartError(
            f"The lock names a wheel for {package.name} whose file name is invalid: {wheel}.",
            "Make the lock again with the tool it comes from.",
        ) from error


def _describe_wheels(package: Package, target: Target) -> str:
    """Describe a package's wheels by their tags: at most four, those nearest to the target first."""
    tags = sorted({name.removesuffix(".whl").split("-", 2)[-1] for name in _wheel_names(package)})
    if not tags:
        return "it has no wheel and no source distribution in a known format"
    python = f"cp{target.python[0]}{target.python[1]}"
    tags.sort(key=lambda tag: (python not in tag, target.machine not in tag, "linux" not in tag))
    shown = ", ".join(tags[:4])
    return f"its wheels are {shown}" + (f" and {len(tags) - 4} more" if len(tags) > 4 else "")


def _locked_commit(package: Package, vcs: PackageVcs, base: Path) -> LockedCommit:
    if vcs.type != "git":
        raise LbdartError(
            f"{package.name} comes from a repository of type {vcs.type}, and only git is supported.",
            "Depend on a released version of it, or leave it out with exclude=.",
        )
    url = vcs.url if vcs.url is not None else (base / (vcs.path or "")).resolve().as_uri()
    return LockedCommit(package.name, Commit(package.name, url, vcs.commit_id), vcs.subdirectory or "")


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
            f"The lock has no sha256 for {filename}.", "Lock again with an index that provides sha256 hashes."
        )
    source = file.url if file.url is not None else base / (file.path or "")
    return LockedFile(package.name, filename, source, sha256.lower(), file.size, subdirectory)
