"""Reads a lock as an inventory: all that it locks, for every target, group and extra.

This needs neither the project of the lock nor its tool, so that a file out of a git history can be read.
Every lock in TOML has its packages in one array of tables; a requirements file has them in its lines.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)

from ..errors import LbdartError
from ..locking.lock import read_as_lock
from ..project.toml import decoded
from .inventory import Found, Inventory, gathered, printable

#: The arrays of packages: of uv, Poetry and PDM, and of the standard (PEP 751).
_ARRAYS: Final = ("package", "packages")
#: The keys of a package's table that are about other packages, or about where its files are.
_NO_PINS: Final = ("dependencies", "dev-dependencies", "metadata", "optional-dependencies", "url")
#: A hash or a commit.
_PIN: Final = re.compile(r"\b[0-9a-f]{40,128}\b")
_HASH: Final = re.compile(r"--hash[\s=]+\w+:([0-9a-fA-F]{40,128})")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_INCLUDE: Final = re.compile(r"(?:-r|--requirement\b)[\s=]*(.+)")
_EDITABLE: Final = re.compile(r"(?:-e|--editable)[\s=]+")
#: The options behind a requirement.
_OPTIONS: Final = re.compile(r"\s--?[A-Za-z].*")


def lock_inventory(path: Path) -> Inventory:
    """Return what a lock or a requirements file names.

    Its content tells which it is, so that it may have any name.

    :raises LbdartError: when it is neither, or cannot be read.
    """
    text = _text(path)
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError):
        return Inventory(path.name, "lock", gathered(_requirements(path, text)))
    with read_as_lock(path):
        arrays = [tables[key] for key in _ARRAYS if isinstance(tables.get(key), list)]
        if not arrays and text.strip() and not _is_empty_lock(tables):
            raise _no_lock(path, "it has no packages")
        return Inventory(path.name, "lock", gathered(_locked(table) for array in arrays for table in array))


def _is_empty_lock(tables: Mapping[str, Any]) -> bool:
    """Tell whether tables are of a lock without packages, as uv writes one, or of comments alone."""
    return not tables or "version" in tables or "lock-version" in tables


def _locked(table: Mapping[str, Any]) -> Found:
    pins = [pin for text in _texts(table) for pin in _PIN.findall(text)]
    return canonicalize_name(printable(table["name"])), printable(str(table.get("version", ""))), pins


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for key, inner in value.items() if key not in _NO_PINS for text in _texts(inner))
    elif isinstance(value, list):
        yield from (text for inner in value for text in _texts(inner))


def _requirements(path: Path, text: str, seen: frozenset[Path] = frozenset()) -> Iterator[Found]:
    seen |= {path.resolve()}
    for line in _lines(text):
        if (include := _INCLUDE.fullmatch(line)) is not None:
            included = path.parent / include[1].strip()
            if included.resolve() not in seen:
                yield from _requirements(included, _text(included), seen)
        elif (found := _required(path, line)) is not None:
            yield found


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a requirements file that say something, continued lines as one."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        if stripped := _COMMENT.sub("", line).strip():
            yield stripped


def _required(path: Path, line: str) -> Found | None:
    """Return what a line requires; None for an option, or a path without a name."""
    editable = _EDITABLE.match(line)
    if line.startswith("-") and editable is None:
        return None
    written = _OPTIONS.sub("", line[editable.end() :] if editable else line).strip()
    try:
        requirement = Requirement(written)
    except InvalidRequirement as error:
        if editable or re.match(r"[./~]|\w:[\\/]|(?:\w+\+)?\w+://", written):
            return _at(written)
        raise _no_lock(path, f"its line {printable(line)!r} is no requirement") from error
    pins = [pin.lower() for pin in _HASH.findall(line)]
    if requirement.url:
        named = _at(requirement.url)
        return canonicalize_name(requirement.name), named[1] if named else "", [*pins, requirement.url]
    exact = [spec.version for spec in requirement.specifier if spec.operator in ("==", "===")]
    return canonicalize_name(requirement.name), exact[0] if exact else "", pins


def _at(location: str) -> Found | None:
    """Return the package at a path or a URL, if the name of a wheel or a fragment tells which it is."""
    path, _, fragment = location.partition("#")
    try:
        name, version, _, _ = parse_wheel_filename(path.replace("\\", "/").rpartition("/")[2])
    except InvalidWheelFilename:
        egg = re.search(r"(?:^|&)egg=([\w.-]+)", fragment)
        return (canonicalize_name(egg[1]), "", [location]) if egg else None
    return name, str(version), [location]


def _text(path: Path) -> str:
    try:
        return decoded(path.read_bytes())
    except OSError as error:
        raise LbdartError(
            f"{path} cannot be read: {error.strerror or error}.", "Check the path, and that you may read it."
        ) from error


def _no_lock(path: Path, why: str) -> LbdartError:
    return LbdartError(
        f"{path} is no lock: {why}.",
        "Pass uv.lock, poetry.lock, pdm.lock, pylock.toml, requirements.txt, a zip or a bill of materials.",
    )
