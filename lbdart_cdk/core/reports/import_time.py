"""Measures how long a zip's packages take to import, each in a fresh interpreter.

This runs the code in the zip, without the packages and the environment of this machine.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.tags import Tag, parse_tag

from ..archive.entry import Entry
from ..archive.reader import usable
from ..errors import LbdartError
from ..process import captured, reason
from ..wheels.metadata import dist_info
from .inventory import Inventory, Package, printable

#: Seconds for one package.
TIME_LIMIT: Final = 30.0
#: Imports modules, and prints the seconds that it took. The last line is the answer, for a package may print.
_MEASURE: Final = """
import importlib, json, sys, time
*places, names = sys.argv[1:]
sys.path[:0] = places
start = time.perf_counter()
for name in json.loads(names):
    importlib.import_module(name)
print(f"\\n{time.perf_counter() - start}", flush=True)
import os
os._exit(0)
"""
_MODULE: Final = re.compile(r"(?P<name>[^\W\d]\w*)(?:\.py|\.pyc|(?:\.[\w-]+)?\.so)")
_VERSION: Final = re.compile(r"cp3(\d+)")


@dataclass(frozen=True, slots=True)
class ImportTime:
    """How long the modules of a package take to import, with all that they import.

    :param modules: their names; none for a package without modules.
    :param seconds: None when they cannot be imported.
    :param failure: why they cannot be.
    """

    modules: tuple[str, ...]
    seconds: float | None = None
    failure: str = ""


def import_times(
    inventory: Inventory, interpreter: str, folder: Path, limit: float = TIME_LIMIT
) -> dict[str, ImportTime]:
    """Return the import time of each package of a zip, by its name.

    :param interpreter: the path of the Python to run.
    :param folder: an empty directory to unpack the zip to.
    :param limit: seconds for one package.
    :raises LbdartError: when the zip cannot be unpacked.
    """
    _unpack(inventory, folder)
    places = [str(place) for place in _places(folder)]
    return {
        package.name: _measured(modules_of(package), interpreter, places, folder, limit)
        for package in inventory.packages
    }


def find_runner(inventory: Inventory, python: tuple[int, int] | None, folder: Path) -> str:
    """Return the path of an interpreter of this machine that can import a zip's packages.

    :param python: the version of the target. Default: what the compiled packages of the zip are for, or the
        running one if none is compiled.
    :param folder: a directory without any project.
    :raises LbdartError: when there is none.
    """
    from ..packing.interpreter import find_interpreter

    pythons, machines = _compiled_for(inventory)
    here = platform.machine() if sys.platform == "linux" else ""
    if machines - {here}:
        raise LbdartError(
            f"Import times cannot be measured here: {inventory.what} has compiled files for Linux on "
            f"{' and '.join(sorted(machines))}.",
            "Run this on such a machine.",
        )
    if len(pythons) > 1 and python is None:
        raise LbdartError(
            f"Import times cannot be measured: {inventory.what} has compiled files for several Pythons, "
            f"{' and '.join(f'{major}.{minor}' for major, minor in sorted(pythons))}.",
            "Say with --runtime which one to run.",
        )
    version = python or next(iter(pythons), sys.version_info[:2])
    interpreter = find_interpreter(version, folder)
    if interpreter is None:
        raise LbdartError(
            f"Import times cannot be measured here: there is no Python {version[0]}.{version[1]}.",
            f"Install it, for example with `uv python install {version[0]}.{version[1]}`.",
        )
    return interpreter


def _compiled_for(inventory: Inventory) -> tuple[set[tuple[int, int]], set[str]]:
    """Return the versions of Python and the CPUs that the tags of a zip's packages name."""
    pythons: set[tuple[int, int]] = set()
    machines: set[str] = set()
    with usable(inventory.what):
        for tag in (tag for package in inventory.packages for tag in _tags(package)):
            version = _VERSION.fullmatch(tag.interpreter)
            if version is not None and tag.abi == tag.interpreter:
                pythons.add((3, int(version[1])))
            machines |= {name for name in ("x86_64", "aarch64") if tag.platform.endswith(name)}
    return pythons, machines


def _tags(package: Package) -> Iterator[Tag]:
    files = package.files or {}
    for text in dist_info(files[path].renamed(path) for path in files).tags:
        if text.count("-") == 2:
            yield from parse_tag(text)


def _unpack(inventory: Inventory, folder: Path) -> None:
    """Write the files of a zip; no link, for a link may lead out of the directory."""
    with usable(inventory.what):
        for entry in inventory.entries:
            if entry.link:
                continue
            path = folder / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for piece in entry.pieces():
                    file.write(piece)


def _places(folder: Path) -> list[Path]:
    """Return the directories that have packages: those of a layer, and the top of a function's zip."""
    layer = folder / "python"
    return [layer, *sorted(layer.glob("lib/python3.*/site-packages")), folder]


def modules_of(package: Package) -> tuple[str, ...]:
    """Return the modules at the top of a package, which importing it means.

    In a namespace, these are the first packages below it. Private modules count only when there are no
    others, and tests do not.
    """
    names = sorted(set(_importable(package.files or {})))
    shallow = [name for name in names if not any(name.startswith(f"{other}.") for other in names)]
    shown = [name for name in shallow if not _is_aside(name.rpartition(".")[2])]
    return tuple(shown or shallow)


def _is_aside(module: str) -> bool:
    return module.startswith("_") or module in ("test", "tests")


def _importable(files: Mapping[str, Entry]) -> Iterator[str]:
    packages = {path.rpartition("/")[0] for path in files if re.search(r"/__init__\.(py|pyc|.*\.so)$", path)}
    for path in packages:
        if all(part.isidentifier() for part in path.split("/")):
            yield path.replace("/", ".")
    for path in files:
        if "/" not in path and (match := _MODULE.fullmatch(path)) is not None:
            yield match["name"]


def _measured(
    modules: tuple[str, ...], interpreter: str, places: Iterable[str], folder: Path, limit: float
) -> ImportTime:
    if not modules:
        return ImportTime(())
    # -S: the packages of this machine are not those of Lambda. -B: as in Lambda, where a layer is read-only.
    command = [interpreter, "-I", "-S", "-B", "-X", "utf8", "-c", _MEASURE, *places, json.dumps(modules)]
    with tempfile.TemporaryDirectory(dir=folder.parent) as home:
        environment = {"PATH": os.defpath, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}
        try:
            result = captured(command, cwd=Path(home), environment=environment, limit=limit)
        except subprocess.TimeoutExpired:
            return ImportTime(modules, failure=f"not imported within {limit:g} s")
    answer = result.stdout.splitlines()[-1:]
    if result.returncode or not answer:
        why = reason(result.stderr.splitlines(), quoted=2) or f"exit code {result.returncode}"
        return ImportTime(modules, failure=printable(why))
    return ImportTime(modules, float(answer[0]))
