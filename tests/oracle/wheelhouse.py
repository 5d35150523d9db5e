"""The build backends that the projects use, downloaded once from the index that pip is set up with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from filelock import FileLock

_BACKENDS: Final = (
    *("editables", "flit_core", "hatch-vcs", "hatchling", "packaging", "pdm-backend", "poetry-core"),
    *("poetry-dynamic-versioning", "setuptools", "setuptools-scm", "uv_build"),
)


class UnreachableError(Exception):
    """The index cannot be reached, or it lacks a backend."""


def wheelhouse(folder: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return a folder with the wheels of the backends and of what they need; several processes may ask.

    :raises UnreachableError: when pip cannot download them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    complete = folder / "complete"
    with FileLock(folder / "lock"):
        if not complete.is_file():
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:"]
            command += ["--dest", str(folder / "wheels"), *_BACKENDS]
            ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise UnreachableError(ended.stderr.strip())
            complete.touch()
    return folder / "wheels"
