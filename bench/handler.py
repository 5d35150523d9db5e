"""The handler of the custom resources: its calls, what they take on a realistic AWS, and its start."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.measure import in_rounds, run
from tests.runtime.calls import EVENTS, KEEPING, calls_of, seconds_of
from tests.runtime.faults import fresh_world

_GOALS: Final = {"first deployment": 8, "unchanged": 3}
_ROOT: Final = Path(__file__).parents[1]
#: What Lambda does before the first event, and what it cannot do without.
_START: Final = "import runtime.handler; runtime.handler._clients()"
_BARE: Final = "import boto3; boto3.client('s3'); boto3.client('lambda')"


def measured() -> Iterator[str]:
    """Yield the calls of each event, and the time to start against that of the AWS SDK alone."""
    yield "a layer's event                 calls   all of them take"
    for happens, prepare in (EVENTS | KEEPING).items():
        with fresh_world() as (world, _), contextlib.redirect_stdout(io.StringIO()):
            calls = calls_of(prepare(world, "layer"))
        goal = f"   (goal: at most {_GOALS[happens]} calls)" if happens in _GOALS else ""
        yield f"  {happens:30}{len(calls):5}{seconds_of(calls):10.2f} s{goal}"

    def started(program: str) -> float:
        region = {"AWS_DEFAULT_REGION": "us-east-1"}
        return run([sys.executable, "-c", program], cwd=_ROOT, env=region).seconds

    started(_START)
    times = in_rounds(*(lambda program=program: started(program) for program in (_START, _BARE, "pass")))
    ratios = sorted((ours - bare) / (sdk - bare) for ours, sdk, bare in times)
    yield f"cold start, times boto3 with its clients  {ratios[len(ratios) // 2]:.2f}"
