"""Find an interpreter of this machine that makes the bytecode of a version of Python."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..errors import LbdartError
from ..process import run
from ..wheels.frontend import run_uv, uv_executable

#: An alpha or a beta has bytecode of its own, and so may builds for debugging or without the GIL.
_PROBE: Final = """
import sys
release = sys.version_info.releaselevel in ("candidate", "final")
usable = sys.implementation.name == "cpython" and release and not getattr(sys, "abiflags", "").strip("m")
print("%d.%d" % sys.version_info[:2], usable, sys.executable, sep="\\n")
"""


def find_interpreter(version: tuple[int, int], folder: Path) -> str | None:
    """Return the path of a CPython of this version: this one, one of uv's, on PATH, or of pyenv's.

    :param folder: a directory without any project, to run candidates in.
    """
    found = (_interpreter(path, version, folder) for path in _candidates(version, folder))
    return next((path for path in found if path is not None), None)


def _candidates(version: tuple[int, int], folder: Path) -> Iterator[str]:
    name = f"{version[0]}.{version[1]}"
    if sys.version_info[:2] == version and sys.executable:
        yield sys.executable
    if uv_executable() is not None:
        environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
        options = ("--no-project", "--system", "--no-config")
        found = run_uv("python", "find", *options, f"cpython@{name}", cwd=folder, environment=environment)
        if not found.returncode:
            yield found.stdout.strip()
    for program in (f"python{name}", "python3", "python"):
        if (path := shutil.which(program)) is not None:
            yield path
    # What pyenv has on PATH runs only the versions that are selected.
    if (pyenv := shutil.which("pyenv")) is not None:
        found = run((pyenv, "whence", "--path", f"python{name}"), cwd=folder, environment=os.environ)
        yield from reversed(found.stdout.splitlines())


def _interpreter(path: str, version: tuple[int, int], folder: Path) -> str | None:
    """Return the interpreter that a program is or starts, if it makes the bytecode of this version."""
    try:
        result = run((path, "-S", "-s", "-E", "-c", _PROBE), cwd=folder, environment=os.environ)
    except LbdartError:
        return None
    lines = result.stdout.splitlines()
    if result.returncode or lines[:2] != [f"{version[0]}.{version[1]}", "True"]:
        return None
    return lines[2]
