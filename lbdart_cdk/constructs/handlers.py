"""Checks that a function's handler is in its code: Lambda says so only when the function runs."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.errors import InvalidError
from ..core.project.project import Project

#: How many modules a message shows.
_SHOWN = 5


def refuse_missing_handler(
    handler: str, project: Project, archives: Sequence[tuple[Path, str]], *, is_package: bool
) -> None:
    """Refuse a handler whose module is in none of a function's zips.

    :param handler: the module, with dots or slashes, and behind the last dot the name in it (*Define Lambda
        function handler in Python*).
    :param project: the project that the code is of.
    :param archives: the code, and then the layers: each zip with the folder in it that modules are in.
    :param is_package: whether the code is what the project is built to.
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
    names = _names_in(code)
    file = _file_of(project.root, path)
    if file is not None and not _has_module(names, path.removeprefix("src/")):
        raise _left_out(handler, file, project, is_package=is_package)
    modules = sorted(_modules(names, folder))
    more = f" and {len(modules) - _SHOWN} more" if len(modules) > _SHOWN else ""
    raise InvalidError(
        f"The handler {handler!r} is in the module {module}, which {project.name} does not have.",
        f"Name one of its modules: {', '.join(modules[:_SHOWN])}{more}.",
    )


def _left_out(handler: str, file: str, project: Project, *, is_package: bool) -> InvalidError:
    if is_package:
        return InvalidError(
            f"The handler {handler!r} is in {file}, which the build of {project.name} leaves out.",
            "Name its package in the settings of the build backend, or check exclude_code=.",
        )
    return InvalidError(
        f"The handler {handler!r} is in {file}, which is left out of the code.",
        "Add it with include=, or check exclude_code=.",
    )


def _file_of(root: Path, path: str) -> str | None:
    """Return where a module lies in a project's directory, relative to it; None when it is not there."""
    places = (f"{folder}{path}{end}" for folder in ("src/", "") for end in (".py", "/__init__.py"))
    return next((place for place in places if (root / place).is_file()), None)


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
