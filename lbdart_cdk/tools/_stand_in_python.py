"""A stand-in for a Python that is not on this machine, for a tool that asks a Python only for its version."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

#: Answers uv's question as the running Python does, but for the version.
_ANSWER: Final = """
import json, subprocess, sys
version, *question = sys.argv[1:]
asked = subprocess.run([sys.executable, *question], stdout=subprocess.PIPE, check=True)
answer = json.loads(asked.stdout)
answer["markers"] |= {
    "implementation_version": version,
    "python_full_version": version,
    "python_version": ".".join(version.split(".")[:2]),
}
print(json.dumps(answer))
"""


def stand_in_python(folder: Path, version: str) -> Path:
    """Write a program that uv takes for a Python of this version, and return its path.

    uv reads a lock only with a Python that ``requires-python`` admits, though it uses no more of it than its
    version. Nothing may be built with the program: it is still the running Python.
    """
    program = folder / "python"
    command = (sys.executable, "-I", "-c", _ANSWER, version)
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', "utf-8", newline="\n")
    program.chmod(0o755)
    return program
