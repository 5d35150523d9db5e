"""Checks that a function's handler is in its code: Lambda says so only when the function runs."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from ..core.errors import InvalidError
from ..core.project.project import Project

#: How many modules a message shows.
_SHOWN: Final = 5
#: By these, a module may have names that its source does not show.
_MAKES_NAMES: Final = re.compile(
    r"import\s*\(?\s*\*|__getattr__|__dict__|\b(?:exec|eval|globals|locals|vars|setattr)\b|sys\.modules"
)
_FUNCTIONS: Final = re.compile(r"^(?:async\s+)?def\s+([a-zA-Z]\w*)", re.MULTILINE)


def refuse_missing_handler(
    handler: str, project: Project, archives: Sequence[tuple[Path, str]], *, is_package: bool
) -> None:
    """Refuse a handler that is in none of a function's zips.

    :param handler: the module, with dots or slashes, and behind the last dot the name in it (*Define Lambda
        function handler in Python*).
    :param project: the project that the code is of.
    :param archives: the code, and then the layers: each zip with the folder in it that modules are in.
    :param is_package: whether the code is what the project is built to.
    :raises InvalidError: when there is no such module, or the name is nowhere in the project's source of it.
    """
    module, _, name = handler.rpartition(".")
    if not module or not name:
        raise InvalidError(
            f"The handler {handler!r} does not name a module and a function in it.",
            'Write it like "orders.app.handler": the function handler of the module orders.app.',
        )
    path = module.replace(".", "/")
    (code, folder), *layers = archives
    with zipfile.ZipFile(code) as archive:
        names = archive.namelist()
        if _has_module(names, f"{folder}{path}"):
            _refuse_missing_name(handler, archive, f"{folder}{path}")
            return
    if any(_has_module(_names_in(layer), f"{below}{path}") for layer, below in layers):
        return
    file = _file_of(project.root, path)
    if file is not None and not _has_module(names, path.removeprefix("src/")):
        raise _left_out(handler, file, project, is_package=is_package)
    modules = sorted(_modules(names, folder))
    more = f" and {len(modules) - _SHOWN} more" if len(modules) > _SHOWN else ""
    raise InvalidError(
        f"The handler {handler!r} is in the module {module}, which {project.name} does not have.",
        f"Name one of its modules: {', '.join(modules[:_SHOWN])}{more}.",
    )


def _refuse_missing_name(handler: str, archive: zipfile.ZipFile, path: str) -> None:
    """Refuse a name that the source of a module does not have, and cannot get from elsewhere."""
    module, _, name = handler.rpartition(".")
    source = _source_in(archive, path)
    if source is None or re.search(rf"\b{re.escape(name)}\b", source) or _MAKES_NAMES.search(source):
        return
    if _has_module(archive.namelist(), f"{path}/{name}"):
        function = _function_in(_source_in(archive, f"{path}/{name}"))
        raise InvalidError(
            f"The handler {handler!r} is a module.", f'Name a function in it, too: "{handler}.{function}".'
        )
    raise InvalidError(
        f"The handler {handler!r} is not in the module {module}.",
        f'Name a function of the module, such as "{module}.{_function_in(source)}".',
    )


def _function_in(source: str | None) -> str:
    """Return the name of a function in the source of a module, as an example."""
    names: list[str] = _FUNCTIONS.findall(source or "")
    return next((name for name in names if "handler" in name), names[-1] if names else "lambda_handler")


def _source_in(archive: zipfile.ZipFile, path: str) -> str | None:
    """Return the source of a module, or None when it is compiled.

    Of a package and a module with the same name, Python takes the package.
    """
    names = archive.NameToInfo
    found = next((name for name in (f"{path}/__init__.py", f"{path}.py") if name in names), None)
    return archive.read(found).decode(errors="replace") if found is not None else None


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
