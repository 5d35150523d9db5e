"""Timing on a noisy machine: interleaved runs, medians, and ratios within a round."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROUNDS: Final = 5
_TIMEOUT: Final = 600  # seconds for one command
#: Python keeps the bytecode of modules, as for a user: else each run would compile them anew.
_ENVIRONMENT: Final = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Run:
    """The measurements of one process.

    :param seconds: wall time.
    :param cpu: seconds of CPU, of the user and the system.
    :param output: its standard output.
    """

    seconds: float
    cpu: float
    output: str


def run(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end.

    :raises subprocess.CalledProcessError: when the command fails.
    """
    started = time.perf_counter()
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env={**_ENVIRONMENT, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, [str(part) for part in command])
    return Run(seconds, usage.ru_utime + usage.ru_stime, output.strip())


def interleave(*measures: Callable[[], float]) -> list[float]:
    """Return the median of each measure over several rounds; a round runs each measure once."""
    return [statistics.median(values) for values in zip(*in_rounds(*measures), strict=True)]


def in_rounds(*measures: Callable[[], float]) -> list[list[float]]:
    """Return the values of all measures by round; values of one round had the same load on the machine."""
    return [[measure() for measure in measures] for _ in range(ROUNDS)]
