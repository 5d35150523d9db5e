"""Checks that a function's handler is in its code: Lambda says so only when the function runs."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.errors import InvalidError

#: How many modules a message shows.
_SHOWN = 5


def refuse_missing_handler(handler: str, project: str, archives: Sequence[tuple[Path, str]]) -> None:
    """Refuse a handler whose module is in none of a function's zips.

    :param handler: the module, with dots or slashes, and behind the last dot the name in it (*Define Lambda
        function handler in Python*).
    :param project: names the project in the message.
    :param archives: the code, and then the layers: each zip with the folder in it that modules are in.
    :raises InvalidError: when there is no such module.
    """
    module, _, name = handler.rpartition(".")
    if not module or not name:
        raise InvalidError(
            f"The handler {handler!r} does not name a module and a function in it.",
            'Write it like "orders.app.handler": the function handler of the module orders.app.',
        )
    path = module.replace(".", "/")
    for archive, folder in archives:
        if _has_module(_names_in(archive), f"{folder}{path}"):
            return
    code, folder = archives[0]
    modules = sorted(_modules(_names_in(code), folder))
    more = f" and {len(modules) - _SHOWN} more" if len(modules) > _SHOWN else ""
    raise InvalidError(
        f"The handler {handler!r} is in the module {module}, which {project} does not have.",
        f"Name one of its modules: {', '.join(modules[:_SHOWN])}{more}.",
    )


def _names_in(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


def _has_module(names: Iterable[str], path: str) -> bool:
    """Tell whether names have a module: a file of Python, a package or a compiled file."""
    sources = {f"{path}.py", f"{path}/__init__.py", f"{path}.pyc"}
    return any(name in sources or (name.startswith(f"{path}.") and name.endswith(".so")) for name in names)


def _modules(names: Iterable[str], folder: str) -> list[str]:
    """Return the names of the modules in a zip, as a handler has them."""
    return [
        name.removeprefix(folder).removesuffix(".py").replace("/", ".")
        for name in names
        if name.endswith(".py") and not name.endswith("__init__.py")
    ]
