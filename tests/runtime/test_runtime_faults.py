"""Every AWS call of every request is refused, cut off and overtaken; the calls are found by the test.

A call can be refused (it had no effect), get lost (it took effect, its answer did not come) or be the last
thing that the process does, before or after it takes effect. Then CloudFormation does what it does: it sends
the event again, goes back to what was there before, or deletes what it could not create.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lbdart_cdk.core import s3 as s3_module
from lbdart_cdk.core.layer import claim as claim_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.runtime.conftest import World

KINDS = ["layer", "source"]
FAULTS = [
    ("before-call", "refused"),
    ("before-call", "killed"),
    ("after-call", "killed"),
    ("before-call", "throttled"),
    ("after-call", "lost"),
]


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


@dataclass
class Case:
    """One request to a resource, and what was there before."""

    world: World
    kind: str
    name: str
    request_type: str
    event: dict[str, Any]
    before: dict[str, Any] | None = None

    @property
    def state(self) -> tuple[object, object]:
        history = {key for key in self.world.keys(self.name) if "/0" in key or "source/" in key}
        return self.world.versions(self.name), history

    def check(self, answer: dict[str, Any], properties: dict[str, Any]) -> None:
        getattr(self.world, f"check_{self.kind}")(answer, properties)


def cases(world: World, kind: str, request_type: str) -> Iterator[Case]:
    """The same case again and again, each time of another resource."""
    number = 0
    while True:
        number += 1
        name = f"{kind}-{request_type}-{number}"
        logical_id = {"LogicalResourceId": name.replace("-", "")}
        make = getattr(world, kind)
        changes = {"RemovalPolicy": "destroy"} if request_type == "Delete" else {}
        one, two = make(name, "build-1", **changes), make(name, "build-2", **changes)
        event = world.event("Create", one, **logical_id)
        case = Case(world, kind, name, request_type, event)
        if request_type != "Create":
            physical_id = world.send(event)["PhysicalResourceId"]
            existing = {"PhysicalResourceId": physical_id, **logical_id}
            properties = one if request_type == "Delete" else two
            case = Case(
                world, kind, name, request_type, world.event(request_type, properties, **existing), one
            )
        yield case


@pytest.fixture(autouse=True)
def move_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A dead process is waited for on a clock that the tests move on."""
    later = [0.0]
    age = s3_module.S3Object

    def sleep(seconds: float) -> None:
        later[0] += seconds

    def aged(**values: Any) -> s3_module.S3Object:
        return age(**values | {"age": values["age"] + later[0]})

    monkeypatch.setattr(claim_module, "sleep", sleep)
    monkeypatch.setattr(s3_module, "S3Object", aged)
    return sleep


def faulted(case: Case, fault: Fault) -> dict[str, Any] | None:
    """Send the event with a fault on its way; the answer, if the process lived to give one."""
    remove = fault.hooked(case.world)
    try:
        return case.world.send(case.event)
    except KilledError:
        return None
    finally:
        remove()


def each_fault(
    world: World, kind: str, request_type: str, faults: list[tuple[str, str]] = FAULTS
) -> Iterator[tuple[Case, Fault, dict[str, Any] | None]]:
    supply = cases(world, kind, request_type)
    undisturbed = Fault(-1, "", "")
    faulted(next(supply), undisturbed)
    assert len(undisturbed.operations) > 1
    for number in range(len(undisturbed.operations)):
        for when, how in faults:
            case = next(supply)
            fault = Fault(number, when, how)
            answer = faulted(case, fault)
            assert fault.happened
            yield case, fault, answer


@pytest.mark.parametrize("kind", KINDS)
def test_a_creation_that_failed_anywhere_succeeds_when_it_is_sent_again(world: World, kind: str) -> None:
    for case, _, answer in each_fault(world, kind, "Create"):
        properties = case.event["ResourceProperties"]
        if answer and answer["Status"] == "SUCCESS":
            case.check(answer, properties)
        case.check(case.world.send(case.event), properties)


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_that_failed_anywhere_can_be_rolled_back_and_tried_again(world: World, kind: str) -> None:
    for case, fault, _ in each_fault(world, kind, "Update"):
        assert case.before
        rollback = case.event | {"ResourceProperties": case.before, "RequestId": "rollback"}
        answer = case.world.send(rollback)
        case.check(answer, case.before)
        assert answer["PhysicalResourceId"] == case.event["PhysicalResourceId"], fault
        if kind == "layer":
            assert answer["Data"]["LayerVersion"] == "1", fault
        case.check(case.world.send(case.event), case.event["ResourceProperties"])
        case.check(answer, case.before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_creation_that_failed_anywhere_can_be_deleted_and_made_again(world: World, kind: str) -> None:
    for case, fault, answer in each_fault(world, kind, "Create", FAULTS[:3]):
        physical_id = answer["PhysicalResourceId"] if answer else f"app-{case.name}-1A2B3C"
        delete = case.event | {"RequestType": "Delete", "PhysicalResourceId": physical_id}
        state = case.state
        assert case.world.send(delete)["Status"] == "SUCCESS", fault
        assert case.state == state
        again = case.event | {"StackId": "arn:another"}
        case.check(case.world.send(again), case.event["ResourceProperties"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_deletion_that_failed_anywhere_succeeds_when_it_is_sent_again(world: World, kind: str) -> None:
    for case, fault, _ in each_fault(world, kind, "Delete", FAULTS[:3]):
        assert case.world.send(case.event)["Status"] == "SUCCESS", fault
        assert case.world.versions(case.name) == {}
        assert case.world.keys(case.name) == set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_an_event_that_comes_twice_or_late_changes_nothing(
    world: World, kind: str, request_type: str
) -> None:
    case = next(cases(world, kind, request_type))
    first = case.world.send(case.event)
    state = case.state
    assert case.world.send(case.event)["Data"] == first["Data"]
    assert case.state == state
    if case.before and request_type == "Update":
        late = case.event | {"ResourceProperties": case.before}
        case.check(case.world.send(late), case.before)
        assert case.state == state


def test_a_late_deletion_does_not_reach_the_next_stack(world: World) -> None:
    for kind in KINDS:
        case = next(cases(world, kind, "Delete"))
        case.world.send(case.event)
        properties = case.event["ResourceProperties"]
        create = case.event | {"RequestType": "Create", "StackId": "arn:next"}
        answer = case.world.send(create)
        case.world.send(case.event)
        case.check(answer, properties)


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

    def _call(self, model: Any, **_: object) -> None:
        if threading.current_thread() is self._first:
            self.operations.append(model.name)
            if len(self.operations) - 1 == self._pause_at:
                self._paused.set()
                assert self.go_on.wait(10)


@pytest.mark.parametrize("case", list(itertools.product(KINDS, ["Create", "Update"])), ids="-".join)
@pytest.mark.parametrize("first_is_given_up", [False, True])
def test_of_two_deliveries_at_once_one_publishes(
    world: World,
    case: tuple[str, str],
    first_is_given_up: bool,
    move_clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second comes at each moment of the first, and waits for it, or for the end of its lease."""
    supply = cases(world, *case)
    undisturbed = Fault(-1, "", "")
    faulted(next(supply), undisturbed)
    for number, operation in enumerate(undisturbed.operations):
        one = next(supply)
        race = Overtaken(world, number)

        def wait(seconds: float, race: Overtaken = race) -> None:
            if first_is_given_up:
                move_clock(seconds)
            else:
                race.go_on.set()
                threading.Event().wait(0.005)

        monkeypatch.setattr(claim_module, "sleep", wait)
        world.cloudformation.answers.clear()
        race.run(one.event)
        answers = world.cloudformation.answers
        assert len(answers) == 2
        if first_is_given_up and operation == "PublishLayerVersion":
            # What is left, as lbdart_cdk.core.layer.claim says: the first renewed its claim, stopped for
            # longer than that holds, and only then sent its request.
            continue
        for answer in answers:
            if answer["Status"] == "FAILED":
                assert first_is_given_up
                assert "Another deployment" in answer["Reason"]
            else:
                one.check(answer, one.event["ResourceProperties"])
        assert any(answer["Status"] == "SUCCESS" for answer in answers)
        one.check(world.send(one.event), one.event["ResourceProperties"])
