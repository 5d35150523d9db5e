"""What is found of compiled files in a package."""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from .elf import Elf


@dataclass(frozen=True, slots=True)
class NativeFile:
    """One compiled file of a package.

    :param path: its path below the directory of packages.
    :param elf: what it needs; None when it cannot be read.
    :param problem: why it cannot be read; empty when it can.
    :param module: the name by which Python would import it; empty when it is not a module.
    :param tag: the interpreter's tag between the module's name and ``.so``.
    :param fallback: whether the package also has this module in Python.
    """

    path: str
    elf: Elf | None
    problem: str = ""
    module: str = ""
    tag: str = ""
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class NativeScan:
    """The compiled files of one package.

    :param package: the package's name.
    :param version: the package's version.
    :param tags: the tags in the wheel's WHEEL file.
    """

    package: str
    version: str = ""
    tags: tuple[str, ...] = ()
    files: tuple[NativeFile, ...] = ()

    def among(self, names: Collection[str]) -> NativeScan:
        """Return the scan of what is left of the package.

        :param names: the paths of the files that are left.
        """
        left = (file for file in self.files if file.path in names)
        return replace(
            self,
            files=tuple(replace(file, fallback=has_fallback(file.path, file.module, names)) for file in left),
        )


def scan_from_json(noted: dict[str, Any]) -> NativeScan:
    """Return the scan from its JSON form.

    :param noted: the result of :func:`dataclasses.asdict`.
    """
    return NativeScan(
        str(noted["package"]),
        str(noted["version"]),
        tuple(noted["tags"]),
        tuple(_file_from_json(**file) for file in noted["files"]),
    )


def _file_from_json(elf: dict[str, Any] | None, **file: Any) -> NativeFile:
    if elf is None:
        return NativeFile(elf=None, **file)
    listed = {name: tuple(elf[name]) for name in ("needed", "search")}
    versions = tuple((library, version) for library, version in elf["versions"])
    return NativeFile(elf=Elf(**{**elf, **listed, "versions": versions}), **file)


def has_fallback(path: str, module: str, names: Collection[str]) -> bool:
    """Tell whether the module of a compiled file is also there in Python."""
    beside = posixpath.join(posixpath.dirname(path), module)
    return bool(module) and any(name in names for name in (f"{beside}.py", f"{beside}/__init__.py"))
