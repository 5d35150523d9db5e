"""Read which packages installers left in a directory, and which files are whose.

Sources: *Recording installed projects* (PyPA) for RECORD; *The Internal Structure of Python Eggs*
(setuptools) for ``.egg-info``, which an install without a wheel leaves; *Packaging your layer content* (AWS
Lambda Developer Guide) for the two places of a layer in which Python finds packages.
"""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.utils import NormalizedName, canonicalize_name

from ..project.tree import walk
from ..wheels.metadata import installed_info
from ..windows import relative_or_absolute

#: Where the packages of a layer are, below its ``python`` directory.
_PLACES: Final = ("", "lib/python3.*/site-packages/")
#: ``pip install --target`` installs into a prefix and moves the files, but leaves the paths in RECORD.
_PREFIX: Final = f"..{os.sep}..{os.sep}"


@dataclass(frozen=True, slots=True)
class Installed:
    """A package in a directory.

    :param requires: what it requires, written as in a lock.
    :param files: the paths of its files, relative to the directory and with ``/``; some may not be there.
    :param is_listed: whether a list of its files is there. If not, ``files`` has only its metadata.
    """

    requires: tuple[str, ...]
    files: frozenset[str]
    is_listed: bool


def installed_in(root: Path) -> dict[NormalizedName, Installed]:
    """Return the packages in a directory, by name. An update may leave the metadata of two versions."""
    packages: dict[NormalizedName, Installed] = {}
    for metadata in _metadata_in(root.resolve()):
        info = installed_info(metadata)
        name, package = canonicalize_name(info.name), _installed(root.resolve(), metadata, info.requires)
        packages[name] = _both(packages[name], package) if name in packages else package
    return packages


def copied_in(
    root: Path, packages: Mapping[NormalizedName, Installed], names: Collection[str]
) -> dict[NormalizedName, Installed]:
    """Return the modules with exactly one of the names, of which no package in the directory has a file.

    A script may copy a package, or delete its metadata. Then only the name says what it is.

    :param packages: the packages in the directory.
    :param names: names of packages, or of their modules.
    """
    listed = {file.partition("/")[0] for package in packages.values() for file in package.files}
    found: defaultdict[NormalizedName, set[str]] = defaultdict(set)
    for name in names:
        module = name.replace("-", "_")
        if module.isidentifier() and package_name(name) not in packages:
            for path in (root / module, root / f"{module}.py"):
                if path.exists() and path.name not in listed:
                    below = (Path(entry.path) for entry in (walk(path) if path.is_dir() else ()))
                    found[package_name(name)] |= {
                        file.relative_to(root).as_posix() for file in (path, *below)
                    }
    return {name: Installed((), frozenset(files), is_listed=True) for name, files in found.items()}


def package_name(name: str) -> NormalizedName:
    """Return the name of a package, as which a list may also have the module ``_pytest``.

    A package's name starts with a letter or a digit (*Names and normalization*, PyPA).
    """
    return canonicalize_name(name.lstrip("_"))


def own_files(
    packages: Mapping[NormalizedName, Installed], names: Collection[NormalizedName]
) -> dict[NormalizedName, frozenset[str]]:
    """Return the files of the named packages, without those that any other package lists, too."""
    others = (package.files for name, package in packages.items() if name not in names)
    shared = frozenset[str]().union(*others)
    return {name: package.files - shared for name, package in packages.items() if name in names}


def _both(one: Installed, other: Installed) -> Installed:
    return Installed(
        (*one.requires, *other.requires), one.files | other.files, one.is_listed and other.is_listed
    )


def _metadata_in(root: Path) -> Iterator[Path]:
    for place in _PLACES:
        for suffix in (".dist-info", ".egg-info"):
            yield from sorted(root.glob(f"{place}*{suffix}"))


def _installed(root: Path, metadata: Path, requires: tuple[str, ...]) -> Installed:
    if metadata.suffix == ".dist-info":
        listed = _inside(root, metadata.parent, metadata.parent, _record(metadata / "RECORD"))
    else:
        lines = _text(metadata / "installed-files.txt").splitlines()
        listed = _inside(root, metadata.parent, metadata, lines)
    files = frozenset(listed)
    of_metadata = {path.relative_to(root).as_posix() for path in (metadata, *metadata.rglob("*"))}
    return Installed(requires, files | of_metadata, is_listed=bool(files))


def _record(path: Path) -> list[str]:
    try:
        return [row[0] for row in csv.reader(io.StringIO(_text(path), newline=""), strict=True) if row]
    except csv.Error:
        return []  # half a list would leave half a package


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _inside(root: Path, site: Path, start: Path, lines: Iterable[str]) -> Iterator[str]:
    """Yield the listed paths that are below a directory, relative to it.

    A list may be hostile, so its paths are only compared: nothing is opened.

    :param site: the directory that the package was installed into.
    :param start: the directory that relative paths in the list start from.
    """
    top = f"{root}{os.sep}"
    for line in filter(None, lines):
        path = os.path.normpath(start / line)
        if os.path.splitdrive(path)[0] != root.drive:
            continue
        if not path.startswith(top) and not Path(line).is_absolute():
            path = os.path.normpath(root / str(relative_or_absolute(Path(path), site)).removeprefix(_PREFIX))
        if path.startswith(top):
            yield path.removeprefix(top).replace(os.sep, "/")
