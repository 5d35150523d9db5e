"""Which Python of this machine runs a Lambda runtime."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["find_interpreter"]


@functools.cache
def find_interpreter(runtime: str) -> tuple[str, str | None]:
    """The interpreter for a runtime such as ``python3.13``.

    :return: its path, and a sentence for the function's log when it is not the version asked for
    """
    wanted = runtime.removeprefix("python")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = getattr(sys, "_base_executable", sys.executable)  # outside the virtual environment
    if wanted == here:
        return own, None
    for candidate in _candidates(wanted):
        if found := _real_path(candidate, wanted):
            return found, None
    return own, f"There is no Python {wanted} on this machine: {runtime} runs on Python {here}."


def _candidates(version: str) -> Iterator[str]:
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    for pattern in (
        f".pyenv/versions/{version}.*/bin/python",
        f".local/share/uv/python/cpython-{version}.*/bin/python",
    ):
        yield from map(str, sorted(Path.home().glob(pattern), reverse=True))


def _real_path(candidate: str, version: str) -> str | None:
    # Asked, not trusted: a pyenv shim exists for versions that it then refuses to run.
    code = (
        "import sys; print('%d.%d' % sys.version_info[:2], getattr(sys, '_base_executable', sys.executable))"
    )
    try:
        answer = subprocess.run(
            [candidate, "-S", "-c", code], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found, _, path = answer.strip().partition(" ")
    return path if found == version else None
