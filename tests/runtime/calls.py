"""The calls to AWS of each event, and how long they take where AWS answers in realistic times."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Final

from tests.runtime.faults import BUILDS, Case, Fault, faulted, prepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runtime.conftest import World

#: Seconds in one Region: what a function with 512 MB sees for small objects, and for a layer of 76 MB.
SECONDS: Final = {
    "ListLayerVersions": 0.08,
    "GetLayerVersion": 0.08,
    "PublishLayerVersion": 4.0,
    "DeleteLayerVersion": 0.08,
    "HeadObject": 0.02,
    "GetObject": 0.03,
    "PutObject": 0.04,
    "CopyObject": 1.0,
    "DeleteObject": 0.03,
    "ListObjectVersions": 0.05,
    "GetBucketEncryption": 0.03,
}


def _update(world: World, kind: str, *, past: int, to: int, **changes: str) -> Case:
    """A resource that was deployed so often, and an update to one of its builds or to the next one."""
    case = prepared(world, kind, "Update", past, **changes)
    case.event = case.request("Update", BUILDS[to], BUILDS[past - 1])
    return case


#: What happens -> the resource with the event.
EVENTS: Final[dict[str, Callable[[World, str], Case]]] = {
    "first deployment": lambda world, kind: prepared(world, kind, "Create", 0),
    "unchanged": lambda world, kind: _update(world, kind, past=1, to=0),
    "changed": lambda world, kind: _update(world, kind, past=1, to=1),
    "rolled back": lambda world, kind: _update(world, kind, past=2, to=0),
    "deleted, RETAIN": lambda world, kind: prepared(world, kind, "Delete", 1),
    "deleted, DESTROY": lambda world, kind: prepared(world, kind, "Delete", 1, RemovalPolicy="destroy"),
}
#: The same for a layer with ``keep_versions=1``.
KEEPING: Final[dict[str, Callable[[World, str], Case]]] = {
    "unchanged, keep_versions": lambda world, kind: _update(world, kind, past=1, to=0, KeepVersions="1"),
    "changed, nothing to prune": lambda world, kind: _update(world, kind, past=1, to=1, KeepVersions="1"),
    "changed, prunes a version": lambda world, kind: _update(world, kind, past=2, to=2, KeepVersions="1"),
}


def calls_of(case: Case) -> list[str]:
    """Return the calls that an event makes."""
    undisturbed = Fault(-1, "", "")
    with contextlib.redirect_stdout(io.StringIO()):
        answer = faulted(case, undisturbed)
    assert answer
    assert answer["Status"] == "SUCCESS", answer
    return undisturbed.operations


def seconds_of(calls: list[str]) -> float:
    """Return the sum of the times of calls."""
    return sum(SECONDS[call] for call in calls)
