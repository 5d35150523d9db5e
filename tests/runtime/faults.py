"""Each AWS call of each request is refused, throttled, cut off and killed; the calls are found by recording.

A call can be refused or throttled (it had no effect), get lost (it took effect, its answer did not come) or
be the last thing that the process does, before or after it takes effect. Then CloudFormation does what it
does: it sends the event again, goes back to what was there before, goes on to another build, or deletes what
it could not create. Afterwards each build key has exactly one version, with its manifest and SBOM, and
nothing that was there before is gone.

    python -m tests.runtime.faults

prints what was tried and what was lost. The tests take a sample of it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from lbdart_cdk.core.publishing import claim as claim_module
from lbdart_cdk.core.publishing import publish as publish_module
from lbdart_cdk.core.publishing import s3 as s3_module
from lbdart_cdk.core.publishing.claim import PublishClaim
from runtime import handler
from runtime.clients import LEASE_SECONDS
from tests.runtime.conftest import CloudFormation, World

KINDS = ["layer", "source"]
FAULTS = [
    ("before-call", "refused"),
    ("before-call", "throttled"),
    ("before-call", "killed"),
    ("after-call", "killed"),
    ("after-call", "lost"),
]
BUILDS = ["build-0", "build-1", "build-2", "build-3"]


class KilledError(BaseException):
    """The process is no more: nothing of it catches this, and nothing more of it reaches AWS."""


@dataclass
class Fault:
    """Something that happens at one call of a request."""

    number: int
    when: str
    how: str
    operations: list[str] = field(default_factory=list)
    happened: bool = False
    dead: bool = False

    def hooked(self, world: World) -> Callable[[], None]:
        remove_before = world.on("before-call.*", self._before)
        remove_after = world.on("after-call.*", self._after)

        def remove() -> None:
            remove_before()
            remove_after()

        return remove

    def _before(self, model: Any, **_: object) -> None:
        if self.dead:
            raise KilledError
        self.operations.append(model.name)
        if self.when == "before-call":
            self._happen()

    def _after(self, **_: object) -> None:
        if self.when == "after-call":
            self._happen()

    def _happen(self) -> None:
        if len(self.operations) - 1 != self.number:
            return
        self.happened = True
        operation = self.operations[-1]
        if self.how == "killed":
            self.dead = True
            raise KilledError
        if self.how == "lost":
            raise ReadTimeoutError(endpoint_url=operation)
        code, status = ("TooManyRequestsException", 429) if self.how == "throttled" else ("AccessDenied", 403)
        response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(response, operation)


class Clock:
    """The clock of S3, which goes on when somebody waits: a dead process is waited for in no time."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._later = 0.0
        self._claimed: dict[s3_module.S3Path, float] = {}
        self.waiting: Callable[[], None] | None = None
        """What happens instead while somebody waits."""
        made, answered_at, write = s3_module.S3Object, s3_module.answered_at, PublishClaim._write

        def look(**given: Any) -> s3_module.S3Object:
            passed = self._later - self._claimed.get(given["path"], 0.0)
            return made(**given | {"age": given["age"] + passed})

        def claim(claim: PublishClaim, *arguments: Any, **options: Any) -> bool:
            is_written = write(claim, *arguments, **options)
            if is_written:
                self._claimed[claim.path] = self._later
            return is_written

        patch.setattr(claim_module, "sleep", self.sleep)
        patch.setattr(s3_module, "S3Object", look)
        patch.setattr(PublishClaim, "_write", claim)
        patch.setattr(
            claim_module, "answered_at", lambda answer: answered_at(answer) + timedelta(seconds=self._later)
        )

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        if self.waiting:
            self.waiting()
        else:
            self._later += seconds


@dataclass
class Tally:
    """What was tried, and what came of it."""

    faults: int = 0
    lost: int = 0
    duplicated: int = 0

    def count(self, case: Case, *expected: str) -> None:
        """Look for what must be there: each of the builds once, with its records."""
        self.faults += 1
        if case.kind == "source":
            here = case.world.keys(case.name)
            keys = [case.properties(build)["SourceSha256"] for build in expected]
            self.lost += sum(f"source/1.0/{key}/source.zip" not in here for key in keys)
            return
        published = case.world.versions(case.name)
        times = Counter(published.values())
        self.duplicated += sum(number - 1 for number in times.values())
        for build in expected:
            properties = case.properties(build)
            having = [number for number, key in published.items() if key == properties["BuildKey"]]
            folder = f"layer/{min(having, default=0):06d}/"
            recorded = {f"{folder}uv.lock", f"{folder}sbom.cdx.json"} <= case.world.keys(case.name)
            self.lost += not (having and recorded)


@dataclass
class Case:
    """A resource with a past, and the request that a fault strikes."""

    world: World
    kind: str
    name: str
    changes: dict[str, Any]
    event: dict[str, Any] = field(default_factory=dict)

    def properties(self, build: str) -> dict[str, Any]:
        """The resource's properties with a build."""
        made: dict[str, Any] = getattr(self.world, self.kind)(self.name, build, **self.changes)
        return made

    def request(self, request_type: str, build: str, before: str = "") -> dict[str, Any]:
        """An event of this resource."""
        more: dict[str, Any] = {"LogicalResourceId": self.name.replace("-", "")}
        if request_type != "Create":
            place = f"s3://artifacts/{self.name}"
            more["PhysicalResourceId"] = f"{self.name} {place}" if self.kind == "layer" else place
        if before:
            more["OldResourceProperties"] = self.properties(before)
        return self.world.event(request_type, self.properties(build), **more)

    def check(self, answer: dict[str, Any], build: str) -> None:
        """The answer is a success, and what it names exists and is right."""
        getattr(self.world, f"check_{self.kind}")(answer, self.properties(build))

    @property
    def state(self) -> tuple[object, object]:
        """Versions and history."""
        history = {key for key in self.world.keys(self.name) if "/0" in key or "source/" in key}
        return self.world.versions(self.name), history


_names = itertools.count(1)


def prepared(world: World, kind: str, request_type: str, past: int, **changes: Any) -> Case:
    """A resource that was deployed so often, and the request that comes next."""
    case = Case(world, kind, f"{kind}-{request_type}-{next(_names)}", changes)
    for build, before in zip(BUILDS[:past], ["", *BUILDS], strict=False):
        properties = case.request("Update" if before else "Create", build, before)
        properties["ResourceProperties"].pop("KeepVersions", None)  # to be taken up by what is tested
        case.check(world.send(properties), build)
    before = BUILDS[past - 1] if past else ""
    case.event = case.request(request_type, before if request_type == "Delete" else BUILDS[past], before)
    return case


def faulted(case: Case, fault: Fault) -> dict[str, Any] | None:
    """Send the event with a fault on its way; the answer, if the process lived to give one."""
    remove = fault.hooked(case.world)
    try:
        return case.world.send(case.event)
    except KilledError:
        return None
    finally:
        remove()


#: None tries everything, as `make faults` does. `make test` takes a sample: each call of a request is struck
#: in one way, the ways in turn and from this one on, and two requests at once meet at every other call. Each
#: scenario begins with another way, so that together they strike the calls in all of them.
first: int | None = None


def ways_of(number: int) -> list[tuple[str, str]]:
    """How a call is struck."""
    return FAULTS if first is None else [FAULTS[(first + number) % len(FAULTS)]]


def each_fault(prepare: Callable[[], Case]) -> Iterator[tuple[Case, Fault, dict[str, Any] | None]]:
    """Record the calls of the request, then let each fail in each way, each time of a new resource."""
    undisturbed = Fault(-1, "", "")
    faulted(prepare(), undisturbed)
    assert len(undisturbed.operations) > 1
    for number in range(len(undisturbed.operations)):
        for when, how in ways_of(number):
            case, fault = prepare(), Fault(number, when, how)
            answer = faulted(case, fault)
            assert fault.happened
            yield case, fault, answer
            case.world.empty()


def create_again(world: World, clock: Clock, kind: str) -> Tally:
    """A creation is sent again."""
    tally = Tally()
    for case, _, answer in each_fault(lambda: prepared(world, kind, "Create", 0)):
        if answer and answer["Status"] == "SUCCESS":
            case.check(answer, BUILDS[0])
        case.check(world.send(case.event), BUILDS[0])
        tally.count(case, BUILDS[0])
    return tally


def create_deleted(world: World, clock: Clock, kind: str) -> Tally:
    """A creation is rolled back, and the stack made again."""
    tally = Tally()
    for case, fault, answer in each_fault(lambda: prepared(world, kind, "Create", 0)):
        physical_id = answer["PhysicalResourceId"] if answer else f"app-{case.name}-1A2B3C"
        delete = case.event | {"RequestType": "Delete", "PhysicalResourceId": physical_id}
        state = case.state
        assert world.send(delete)["Status"] == "SUCCESS", fault
        assert case.state == state
        case.check(world.send(case.event | {"StackId": "arn:another"}), BUILDS[0])
        tally.count(case, BUILDS[0])
    return tally


def update_again(world: World, clock: Clock, kind: str) -> Tally:
    """An update is sent again."""
    tally = Tally()
    for case, _, _ in each_fault(lambda: prepared(world, kind, "Update", 1)):
        case.check(world.send(case.event), BUILDS[1])
        tally.count(case, *BUILDS[:2])
    return tally


def update_rolled_back(world: World, clock: Clock, kind: str) -> Tally:
    """An update is rolled back, and tried again later."""
    tally = Tally()
    for case, fault, _ in each_fault(lambda: prepared(world, kind, "Update", 1)):
        answer = world.send(case.request("Update", BUILDS[0], BUILDS[1]))
        case.check(answer, BUILDS[0])
        assert answer["PhysicalResourceId"] == case.event["PhysicalResourceId"], fault
        if kind == "layer":
            assert answer["Data"]["LayerVersion"] == "1", fault
        case.check(world.send(case.event), BUILDS[1])
        tally.count(case, *BUILDS[:2])
    return tally


def update_given_up(world: World, clock: Clock, kind: str) -> Tally:
    """An update is rolled back, and the next one is to another build; then the first event comes late."""
    tally = Tally()
    for case, _, _ in each_fault(lambda: prepared(world, kind, "Update", 1)):
        case.check(world.send(case.request("Update", BUILDS[0], BUILDS[1])), BUILDS[0])
        answer = world.send(case.request("Update", BUILDS[2], BUILDS[0]))
        case.check(answer, BUILDS[2])
        world.send(case.event)
        case.check(answer, BUILDS[2])
        tally.count(case, *BUILDS[:3])
    return tally


def delete_again(world: World, clock: Clock, kind: str) -> Tally:
    """A deletion of what chose to be destroyed is sent again, and reaches nothing of the next stack."""
    tally = Tally()
    for case, fault, _ in each_fault(lambda: prepared(world, kind, "Delete", 2, RemovalPolicy="destroy")):
        assert world.send(case.event)["Status"] == "SUCCESS", fault
        assert (world.versions(case.name), world.keys(case.name)) == ({}, set())
        answer = world.send(case.request("Create", BUILDS[1]) | {"StackId": "arn:next"})
        case.check(answer, BUILDS[1])
        world.send(case.event)
        case.check(answer, BUILDS[1])
        tally.count(case, BUILDS[1])
    return tally


def delete_retained(world: World, clock: Clock, kind: str) -> Tally:
    """A deletion of what is retained makes no call, so nothing can go wrong; it comes twice."""
    case = prepared(world, kind, "Delete", 2)
    tally, state = Tally(), case.state
    for _ in range(2):
        undisturbed = Fault(-1, "", "")
        answer = faulted(case, undisturbed)
        assert answer
        assert (answer["Status"], undisturbed.operations, case.state) == ("SUCCESS", [], state)
    tally.count(case, *BUILDS[:2])
    return tally


def update_prunes(world: World, clock: Clock, kind: str) -> Tally:
    """An update prunes; it is sent again and rolled back, and the event before it comes late."""
    tally = Tally()
    for case, _, _ in each_fault(lambda: prepared(world, kind, "Update", 2, KeepVersions="1")):
        case.check(world.send(case.event), BUILDS[2])
        clock.sleep(LEASE_SECONDS)  # a claim of the dead has run out
        case.check(world.send(case.event), BUILDS[2])
        assert set(world.versions(case.name)) == {2, 3}
        assert {key for key in world.keys(case.name) if "/0" in key} == {
            f"layer/{number:06d}/{name}" for number in (2, 3) for name in ("uv.lock", "sbom.cdx.json")
        }
        answer = world.send(case.request("Update", BUILDS[1], BUILDS[2]))
        case.check(answer, BUILDS[1])
        world.send(case.request("Update", BUILDS[2], BUILDS[1]))
        case.check(answer, BUILDS[1])
        tally.count(case, *BUILDS[1:3])
    return tally


class Overtaken:
    """Runs two handlers of one event: the first pauses before one of its calls while the second goes ahead.

    The first goes on when the second is done or waits for it.
    """

    def __init__(self, world: World, pause_at: int) -> None:
        self.operations: list[str] = []
        self._world = world
        self._pause_at = pause_at
        self._paused = threading.Event()
        self.go_on = threading.Event()

    def run(self, event: dict[str, Any]) -> None:
        remove = self._world.on("before-call.*", self._call)
        self._first = threading.Thread(target=self._world.handle, args=[event])
        self._first.start()
        assert self._paused.wait(10)
        self._world.handle(event)
        self.go_on.set()
        self._first.join(10)
        remove()

    def let_first_go_on(self) -> None:
        """Give the first the real time that it needs; a claim holds for virtual time."""
        self.go_on.set()
        if threading.current_thread() is not self._first:
            self._first.join(5)

    def _call(self, model: Any, **_: object) -> None:
        if threading.current_thread() is self._first:
            self.operations.append(model.name)
            if len(self.operations) - 1 == self._pause_at:
                self._paused.set()
                assert self.go_on.wait(10)


def at_once(world: World, clock: Clock, prepare: Callable[[], Case], first_is_given_up: bool) -> Tally:
    """The event comes again at each moment of the first; one waits for the other, or for its lease."""
    tally, undisturbed = Tally(), Fault(-1, "", "")
    faulted(prepare(), undisturbed)
    for number, operation in enumerate(undisturbed.operations):
        if first is not None and (first + number) % 2:
            continue
        world.empty()
        case, race = prepare(), Overtaken(world, number)
        build = BUILDS[1 if case.event["RequestType"] == "Update" else 0]

        world.cloudformation.answers.clear()
        clock.waiting = None if first_is_given_up else race.let_first_go_on
        race.run(case.event)
        clock.waiting = None
        answers = list(world.cloudformation.answers)
        assert len(answers) == 2
        if first_is_given_up and operation == "PublishLayerVersion":
            # What is left, as lbdart_cdk.core.publishing.claim says: the first renewed its claim, stopped for
            # longer than that holds, and only then sent its request.
            continue
        for answer in answers:
            if answer["Status"] == "FAILED":
                assert first_is_given_up
                assert "Another deployment" in answer["Reason"]
            else:
                case.check(answer, build)
        assert any(answer["Status"] == "SUCCESS" for answer in answers)
        case.check(world.send(case.event), build)
        tally.count(case, *BUILDS[: BUILDS.index(build) + 1])
    return tally


def create_at_once(world: World, clock: Clock, kind: str) -> Tally:
    """Two creations at once."""
    return at_once(world, clock, lambda: prepared(world, kind, "Create", 0), False)


def create_overtaken(world: World, clock: Clock, kind: str) -> Tally:
    """Two creations at once, of which the first sleeps until it is given up."""
    return at_once(world, clock, lambda: prepared(world, kind, "Create", 0), True)


def update_at_once(world: World, clock: Clock, kind: str) -> Tally:
    """Two updates at once."""
    return at_once(world, clock, lambda: prepared(world, kind, "Update", 1), False)


def update_overtaken(world: World, clock: Clock, kind: str) -> Tally:
    """Two updates at once, of which the first sleeps until it is given up."""
    return at_once(world, clock, lambda: prepared(world, kind, "Update", 1), True)


Scenario = Callable[[World, Clock, str], Tally]
BOTH: dict[str, Scenario] = {
    "Create, sent again": create_again,
    "Create, rolled back": create_deleted,
    "Update, sent again": update_again,
    "Update, rolled back": update_rolled_back,
    "Update, given up, comes late": update_given_up,
    "Delete, sent again": delete_again,
    "Delete, retained": delete_retained,
    "Create, twice at once": create_at_once,
    "Create, overtaken": create_overtaken,
    "Update, twice at once": update_at_once,
    "Update, overtaken": update_overtaken,
}
SCENARIOS: dict[tuple[str, str], Scenario] = {
    **{(kind, name): scenario for kind in KINDS for name, scenario in BOTH.items()},
    ("layer", "Update that prunes"): update_prunes,
}


@contextlib.contextmanager
def fresh_world() -> Iterator[tuple[World, Clock]]:
    """An AWS of its own, with a clock, outside of pytest."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setattr(publish_module, "sleep", lambda _: None)
        cloudformation = CloudFormation()
        world = World(handler._clients(), cloudformation)
        yield world, Clock(patch)
        world.close()
        cloudformation.close()


def main() -> None:
    """Print the table."""
    line = "{:8} {:30} {:>8} {:>15} {:>12}"
    print(line.format("resource", "request, and what follows", "faults", "versions lost", "duplicated"))
    total = Tally()
    for (kind, name), scenario in SCENARIOS.items():
        with fresh_world() as (world, clock), contextlib.redirect_stdout(io.StringIO()):
            tally = scenario(world, clock, kind)
        print(line.format(kind, name, tally.faults, tally.lost, tally.duplicated), flush=True)
        total.faults += tally.faults
        total.lost += tally.lost
        total.duplicated += tally.duplicated
    print(line.format("all", "", total.faults, total.lost, total.duplicated))
    if total.lost or total.duplicated:
        sys.exit(1)


if __name__ == "__main__":
    main()
