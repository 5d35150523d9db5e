"""Run the user's own ``git`` in a repository that is only read.

Sources: *git*, *git-config* and *gitrepository-layout*.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: Seconds; long enough for the status of a large repository on a slow disk.
_TIMEOUT: Final = 120
#: Variables that point git to another repository; they are set when synth runs inside a git hook.
_REPOSITORY_VARIABLES: Final = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
}
#: Settings with which git writes nothing and starts no program that the repository names. With
#: ``safe.directory``, it reads the repository of another user, as in a container of CI.
READ_ONLY: Final = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.sparseCheckout": "false",
    "core.splitIndex": "false",
    "core.untrackedCache": "false",
    "gc.auto": "0",
    "safe.directory": "*",
}


def environment() -> dict[str, str]:
    """Return this process's environment without the variables that name a repository."""
    return {name: value for name, value in os.environ.items() if name not in _REPOSITORY_VARIABLES}


def with_settings(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with which git has further settings (``GIT_CONFIG_COUNT``)."""
    count = environment.get("GIT_CONFIG_COUNT", "")
    start = int(count) if count.isdecimal() else 0
    variables = {"GIT_CONFIG_COUNT": str(start + len(settings))}
    for number, (name, value) in enumerate(settings.items(), start):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return {**environment, **variables}


def read(directory: Path, *arguments: str, stdin: bytes = b"", **variables: str) -> str | None:
    """Return what a git command prints about a directory; None when it fails or git is not installed.

    :param stdin: the command's input.
    :param variables: further environment variables.
    """
    executable = shutil.which("git")
    if executable is None:
        return None
    reading = with_settings(environment(), READ_ONLY) | {"GIT_OPTIONAL_LOCKS": "0"} | variables
    try:
        result = subprocess.run(
            [executable, *arguments],
            cwd=directory,
            env=reading,
            input=stdin,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # File names are bytes, so as in os.fsdecode() no byte is lost.
    return os.fsdecode(result.stdout) if result.returncode == 0 else None


def names(listing: str | None) -> list[str]:
    """Return the names in the output of a git command with ``-z``."""
    return [name for name in (listing or "").split("\0") if name]
