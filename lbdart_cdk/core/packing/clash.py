"""Decide what happens when two packages bring the same path.

Installers silently keep the file of the last package. Here a module that two packages bring with different
contents is an error, because one package would run with the other's code. Files that nobody imports at run
time (documentation, tests, licences at the top level) and declarations of one namespace package are common
and harmless: the later package wins.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from ..archive.entry import Entry
from ..errors import BuildWarning, LbdartError

#: Top-level folders whose modules are not meant for import; a misconfigured build backend packs them.
_NOT_IMPORTED: Final = {"benchmarks", "doc", "docs", "example", "examples", "test", "tests"}
_MAX_DECLARATION: Final = 4096  # bytes; a longer ``__init__.py`` does more than declare a namespace
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Clash:
    """A path that two bundles bring with different contents.

    :param earlier: the name of the first bundle.
    :param later: the name of the second bundle, which would win.
    """

    path: str
    earlier: str
    earlier_entry: Entry
    later: str
    later_entry: Entry


def settle(clashes: Collection[Clash]) -> tuple[BuildWarning, ...]:
    """Refuse harmful clashes, and return an information about each pair of packages with harmless ones.

    :raises LbdartError: when two packages bring a module with different contents.
    """
    remaining = [clash for clash in clashes if not _declares_one_namespace(clash)]
    harmful = [clash for clash in remaining if _is_imported(clash.path)]
    if harmful:
        first = harmful[0]
        modules = _shortened(clash.path for clash in harmful if _pair(clash) == _pair(first))
        raise LbdartError(
            f"{first.earlier} and {first.later} both bring {modules}, with different contents.",
            "Leave one of the two packages out with exclude=, lock versions that do not clash, or say whose "
            f'files to take: prefer=["{first.earlier}"] or prefer=["{first.later}"].',
        )
    return tuple(replace(warning, is_info=True) for warning in warn_of(remaining))


def warn_of(clashes: Iterable[Clash]) -> tuple[BuildWarning, ...]:
    """Return a warning about each pair of bundles, with the paths that come from the later one."""
    pairs: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for clash in clashes:
        pairs[_pair(clash)].append(clash.path)
    return tuple(
        BuildWarning(
            f"lbdart_cdk:clash:{earlier}:{later}",
            f"{earlier} and {later} both bring {_shortened(paths)}; "
            f"the zip takes {'it' if len(paths) == 1 else 'them'} from {later}.",
        )
        for (earlier, later), paths in pairs.items()
    )


def _pair(clash: Clash) -> tuple[str, str]:
    return clash.earlier, clash.later


def _shortened(paths: Iterable[str]) -> str:
    listed = list(paths)
    shown = ", ".join(listed[:_SHOWN])
    return shown + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def _is_imported(path: str) -> bool:
    top, _, below = path.partition("/")
    name = path.rpartition("/")[2]
    return (name.endswith((".py", ".pyc", ".so")) or ".so." in name) and not (below and top in _NOT_IMPORTED)


def _declares_one_namespace(clash: Clash) -> bool:
    return clash.path.endswith("__init__.py") and all(
        entry.size <= _MAX_DECLARATION and declares_namespace(entry.read())
        for entry in (clash.earlier_entry, clash.later_entry)
    )


def declares_namespace(source: bytes) -> bool:
    """Tell whether an ``__init__.py`` is empty or only declares a namespace package.

    Knows the ways of *Packaging namespace packages* (Python Packaging User Guide): pkgutil, pkg_resources, or
    a ``try`` that falls back from one to the other.
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
            declares = _name_of(function) == "extend_path"
        case ast.Expr(ast.Call(function)):
            declares = _name_of(function) == "declare_namespace"
        case ast.Try(body, handlers, orelse, finalbody):
            nested = [*body, *(inner for handler in handlers for inner in handler.body), *orelse, *finalbody]
            declares = all(map(_declares, nested))
        case _:
            declares = False
    return declares


def _name_of(function: ast.expr) -> str:
    match function:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""
