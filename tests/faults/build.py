"""Kill a build at random moments, and see that the next one is right: ``python -m tests.faults.build``.

Each round starts a real process that fetches from a loopback index, builds and packs in the store that all
rounds share, kills its process group after a random part of the time that a whole build takes, and looks at
what is left: every wheel in the store has the hash it is named by, every finished zip is the one that an
undisturbed build makes, and so is the result of the next build.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lbdart_cdk.core.store.store import Store
from tests.support.index import Index
from tests.support.wheels import sha256

from .work import TIMEOUT, Job, finished, scene, start


@dataclass
class Report:
    """What the rounds found; ``moments`` says how far the killed builds had come."""

    rounds: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    damaged: int = 0
    most_left: int = 0
    left_at_end: int = 0

    def __str__(self) -> str:
        lines = [f"builds killed with SIGKILL              {self.rounds:5}"]
        lines += [f"  {moment:38}{count:5}" for moment, count in sorted(self.moments.items())]
        lines += [
            f"files in the store that are not whole   {self.damaged:5}",
            f"next builds that were not right         {self.wrong:5}",
            f"scratch folders left, at the most       {self.most_left:5}",
            f"scratch folders left at the end         {self.left_at_end:5}",
        ]
        return "\n".join(lines)


def kill_builds(folder: Path, rounds: int, seed: int) -> Report:
    """Run the rounds in ``folder``; the moments follow from ``seed`` and from how quick the machine is."""
    chance = random.Random(seed)
    (folder / "index").mkdir()
    report = Report()
    with Index(folder / "index") as index:
        job = scene(folder, index)
        expected, seconds = _undisturbed(job)
        for _ in range(rounds):
            # Half of the rounds go on with what the last one left; the others start with nothing.
            if chance.random() < 0.5:
                shutil.rmtree(job.cache / "v1", ignore_errors=True)
            else:
                shutil.rmtree(job.cache / "v1" / "archives", ignore_errors=True)
            _kill_one(job, chance.random() * seconds)
            report.rounds += 1
            report.moments[_how_far(job)] += 1
            report.damaged += _damaged(job, expected)
            report.most_left = max(report.most_left, len(_left(job)))
            _age(job)
            if chance.random() < 0.3:
                report.wrong += finished(start(job), job) != "" or _result(job) != expected
        report.wrong += sha256(job.build()) != expected
        with Store(job.cache).scratch():
            report.left_at_end = len(_left(job)) - 2  # its own folder and the lock of that
    return report


def _undisturbed(job: Job) -> tuple[str, float]:
    """Return the hash of the right zip, and the seconds that a whole build takes."""
    shortest = TIMEOUT
    for _ in range(4):  # the first one starts the fork server
        shutil.rmtree(job.cache, ignore_errors=True)
        began = time.monotonic()
        assert not finished(start(job), job)
        shortest = min(shortest, time.monotonic() - began)
    return sha256(job.build()), shortest


def _kill_one(job: Job, delay: float) -> None:
    process = start(job)
    process.join(delay)
    assert process.pid is not None
    # It may have ended, or not yet be at the head of a group of its own.
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()


def _how_far(job: Job) -> str:
    wheels = len(list((job.cache / "v1").glob("wheels/*/*.whl")))
    archives = len(list((job.cache / "v1").glob("archives/*/*.zip")))
    if archives == 2:
        return "after the layer was packed"
    if archives == 1:
        return "while the layer was packed"
    if wheels == 8:
        return "while wheels were checked or built"
    return "while wheels were fetched" if wheels else "before the first wheel was there"


def _damaged(job: Job, expected: str) -> int:
    wheels = (job.cache / "v1").glob("wheels/*/*.whl")
    damaged = sum(sha256(wheel) != wheel.parent.name + wheel.stem for wheel in wheels)
    layer = job.artifact()
    return damaged + (layer.store.kept_archive(layer.build_key) is not None and _result(job) != expected)


def _result(job: Job) -> str:
    layer = job.artifact()
    return sha256(layer.store.archive(layer.build_key))


def _left(job: Job) -> list[Path]:
    return list((job.cache / "tmp").glob("*"))


def _age(job: Job) -> None:
    """Let two minutes pass for what was left behind."""
    then = time.time() - 120
    for folder in _left(job):
        os.utime(folder, (then, then))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = kill_builds(Path(folder), arguments.rounds, arguments.seed)
    print(report)
    raise SystemExit(bool(report.wrong or report.damaged or report.left_at_end))


if __name__ == "__main__":
    main()
