"""Timing that can be trusted on a noisy machine: interleaved runs, medians, ratios of one round."""

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


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took: seconds of wall time, bytes of memory at its peak, what it printed."""

    seconds: float
    peak: int
    output: str


def run(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; raises :class:`subprocess.CalledProcessError` when it fails."""
    started = time.perf_counter()
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
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
    return Run(seconds, usage.ru_maxrss * 1024, output.strip())


def interleave(*measures: Callable[[], float]) -> list[float]:
    """Return the median of each measure over rounds in which all of them run in turn."""
    return [statistics.median(values) for values in zip(*in_rounds(*measures), strict=True)]


def in_rounds(*measures: Callable[[], float]) -> list[list[float]]:
    """Return what each measure gave in each round; what is compared within a round had the same machine."""
    return [[measure() for measure in measures] for _ in range(ROUNDS)]
