"""A ``docker`` on PATH that needs no engine: what it answers are shell scripts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

#: Run what the container would run, here.
HERE = 'exec /bin/sh "$@"'
#: Give the wheels that lie in a folder as those which the container built.
GIVES = """
out=$(printf '%s\\n' "$all" | sed -n 's|^--mount=type=bind,"source=\\(.*\\)",target=/var/wheels$|\\1|p')
cp {0}/*.whl "$out"
"""
_SCRIPT = """#!/bin/sh
all=$(printf '%s\\n' "$@")
printf '%s\\n' "$1" >> {folder}/calls
case "$1" in
  info) {info} ;;
  run)
    while [ "$1" != --entrypoint=/bin/sh ]; do
      case "$1" in --env=*) export "${{1#--env=}}" ;; esac
      shift
    done
    shift 2
    {run}
    ;;
esac
"""


@dataclass(frozen=True)
class FakeDocker:
    """``info`` and ``run`` are shell scripts; ``"$@"`` of ``run`` is what follows the image."""

    folder: Path
    patch: pytest.MonkeyPatch

    def answers(self, *, run: str = HERE, info: str = "echo '[name=seccomp]'") -> FakeDocker:
        self.folder.mkdir(exist_ok=True)
        program = self.folder / "docker"
        program.write_text(_SCRIPT.format(folder=self.folder, info=info, run=run))
        program.chmod(0o755)
        if str(self.folder) not in os.environ["PATH"]:
            self.patch.setenv("PATH", f"{self.folder}{os.pathsep}{os.environ['PATH']}")
        return self

    def is_missing(self) -> None:
        self.patch.setenv("PATH", str(self.folder))

    @property
    def runs(self) -> int:
        """How many containers were started."""
        calls = self.folder / "calls"
        return calls.read_text().split().count("run") if calls.exists() else 0
