"""Packages that bring the same path: which one is used, and when that must not be left to chance.

Installers let the last one win, silently. Here a module that two packages bring with different contents is
an error, for one of the packages would run with the other's code. What nobody imports at run time
(documentation, tests, licences at the top level) and declarations of one namespace package are common and
harmless: there the later package wins.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from ..archive.entry import Entry
from ..errors import LbdartError

#: Folders at the top level whose modules are there by oversight of a build backend's configuration.
_NOT_IMPORTED: Final = {"benchmarks", "doc", "docs", "example", "examples", "test", "tests"}
_MAX_DECLARATION: Final = 4096  # bytes; a longer ``__init__.py`` does more than declare a namespace
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Clash:
    """A path that two bundles bring with different contents; ``later`` is the one that would win."""

    path: str
    earlier: str
    earlier_entry: Entry
    later: str
    later_entry: Entry


def settle(clashes: Collection[Clash]) -> None:
    """Print a line on stderr for each pair of packages whose clashes do no harm.

    Raises :class:`LbdartError` naming the packages and the modules of the clashes that do.
    """
    open_ones = [clash for clash in clashes if not _declare_one_namespace(clash)]
    harmful = [clash for clash in open_ones if _is_imported(clash.path)]
    if harmful:
        first = harmful[0]
        there = _listed(clash.path for clash in harmful if _pair(clash) == _pair(first))
        raise LbdartError(
            f"{first.earlier} and {first.later} both bring {there}, with different contents.",
            "Leave one of the two packages out with exclude=, or lock versions that do not clash.",
        )
    announce(open_ones)


def announce(clashes: Iterable[Clash]) -> None:
    """Print a line on stderr for each pair of bundles, with the paths that the later one wins."""
    pairs: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for clash in clashes:
        pairs[_pair(clash)].append(clash.path)
    for (earlier, later), paths in pairs.items():
        used = "the one" if len(paths) == 1 else "those"
        print(
            f"Warning: {earlier} and {later} both bring {_listed(paths)}; {used} of {later} "
            f"{'is' if len(paths) == 1 else 'are'} used.",
            file=sys.stderr,
        )


def _pair(clash: Clash) -> tuple[str, str]:
    return clash.earlier, clash.later


def _listed(paths: Iterable[str]) -> str:
    found = list(paths)
    shown = ", ".join(found[:_SHOWN])
    return shown + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _is_imported(path: str) -> bool:
    top, _, below = path.partition("/")
    name = path.rpartition("/")[2]
    return (name.endswith((".py", ".so")) or ".so." in name) and not (below and top in _NOT_IMPORTED)


def _declare_one_namespace(clash: Clash) -> bool:
    return clash.path.endswith("__init__.py") and all(
        entry.size <= _MAX_DECLARATION and declares_namespace(entry.read())
        for entry in (clash.earlier_entry, clash.later_entry)
    )


def declares_namespace(source: bytes) -> bool:
    """Tell whether an ``__init__.py`` does nothing, or nothing but to declare a namespace package.

    These are the ways of *Packaging namespace packages* (Python Packaging User Guide): by pkgutil, by
    pkg_resources, or by one if there is the other.
    """
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_declares(statement) for statement in statements)


def _declares(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(ast.Constant()) | ast.Pass():
            declares = True
        case ast.Import(names) | ast.ImportFrom(module=None, names=names):
            declares = {name.name for name in names} <= {"pkgutil", "pkg_resources"}
        case ast.ImportFrom(module=module):
            declares = module in ("pkgutil", "pkg_resources", "__future__")
        case ast.Assign(targets=[ast.Name("__path__")], value=ast.Call(function)):
            declares = _name(function) == "extend_path"
        case ast.Expr(ast.Call(function)):
            declares = _name(function) == "declare_namespace"
        case ast.Try(body, handlers, orelse, finalbody):
            inner = [*body, *(one for handler in handlers for one in handler.body), *orelse, *finalbody]
            declares = all(map(_declares, inner))
        case _:
            declares = False
    return declares


def _name(function: ast.expr) -> str:
    match function:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""
