"""Right after a policy change AWS denies what the role may do: the handler waits, but not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.runtime.conftest import World

KINDS = ["layer", "source"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [1, 30, 50])
def test_a_creation_waits_until_the_policy_has_spread(world: World, kind: str, seconds: float) -> None:
    properties = getattr(world, kind)("name", "build-1")
    denied = world.deny(seconds)
    answer = world.send(world.event("Create", properties))
    getattr(world, f"check_{kind}")(answer, properties)
    assert denied
    assert seconds <= world.waiting.now <= 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_creation_waits_for_nothing(world: World, kind: str) -> None:
    properties = getattr(world, kind)("name", "build-1")
    getattr(world, f"check_{kind}")(world.send(world.event("Create", properties)), properties)
    assert world.waiting.now == 0


@pytest.mark.parametrize(
    "operation",
    ["ListLayerVersions", "HeadObject", "GetObject", "PutObject", "CopyObject", "PublishLayerVersion"],
)
def test_each_call_is_repeated_and_the_version_is_published_once(world: World, operation: str) -> None:
    one, two = world.layer("deps", "build-1"), world.layer("deps", "build-2")
    created = world.send(world.event("Create", one))
    denied = world.deny(20, operation)
    update = world.event("Update", two, PhysicalResourceId=created["PhysicalResourceId"])
    world.check_layer(world.send(update), two)
    assert set(denied) == {operation}
    assert sorted(world.versions("deps")) == [1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_permission_that_is_missing_ends_in_its_error_after_a_minute(world: World, kind: str) -> None:
    denied = world.deny(10_000, "CopyObject")
    answer = world.send(world.event("Create", getattr(world, kind)("name", "build-1")))
    assert answer["Status"] == "FAILED"
    assert "AWS refused CopyObject (Not yet)" in answer["Reason"]
    assert world.waiting.now == 60
    assert 5 < len(denied) < 15


def test_the_minute_is_for_all_calls_of_an_event_and_each_event_has_its_own(world: World) -> None:
    properties = world.layer("deps", "build-1")
    world.deny(10_000)
    for number in (1, 2):
        answer = world.send(world.event("Create", properties))
        assert "AWS refused ListLayerVersions" in answer["Reason"]
        assert world.waiting.now == 60 * number


@pytest.mark.parametrize("kind", KINDS)
def test_a_deletion_waits_too_and_leaves_nothing(world: World, kind: str) -> None:
    properties = getattr(world, kind)("name", "build-1", RemovalPolicy="destroy")
    created = world.send(world.event("Create", properties))
    world.deny(30)
    delete = world.event("Delete", properties, PhysicalResourceId=created["PhysicalResourceId"])
    assert world.send(delete)["Status"] == "SUCCESS"
    assert not world.keys("name")
    assert not world.versions("name")


def test_a_deletion_that_may_not_look_at_the_objects_does_not_say_that_it_deleted_them(world: World) -> None:
    properties = world.source("app", "build-1", RemovalPolicy="destroy")
    created = world.send(world.event("Create", properties))
    world.deny(10_000, "HeadObject")
    delete = world.event("Delete", properties, PhysicalResourceId=created["PhysicalResourceId"])
    answer = world.send(delete)
    assert answer["Status"] == "FAILED"
    assert "HeadObject" in answer["Reason"]


def test_a_claim_that_may_not_be_looked_at_is_not_waited_for(world: World) -> None:
    one, two = world.layer("deps", "build-1"), world.layer("deps", "build-2")
    created = world.send(world.event("Create", one))
    world.deny(10_000, "HeadObject")
    update = world.event("Update", two, PhysicalResourceId=created["PhysicalResourceId"])
    answer = world.send(update)
    assert answer["Status"] == "FAILED"
    assert "AWS refused HeadObject" in answer["Reason"]
    assert list(world.versions("deps")) == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_stack_owns_is_not_taken_for_missing(world: World, kind: str) -> None:
    """While looking is denied, an object that exists must not be written as if it were new: it has owners."""
    properties = getattr(world, kind)("name", "build-1", RemovalPolicy="destroy")
    world.send(world.event("Create", properties))
    other: dict[str, Any] = {"StackId": "arn:another"}
    world.deny(30, "HeadObject")
    created = world.send(world.event("Create", properties, **other))
    physical_id = created["PhysicalResourceId"]
    world.send(world.event("Delete", properties, PhysicalResourceId=physical_id, **other))
    getattr(world, f"check_{kind}")(created, properties)


def test_the_claim_outlives_a_publication_that_is_denied_and_then_slow(world: World) -> None:
    from runtime.clients import LEASE_SECONDS

    config = vars(world.clients.lambda_.meta.config)
    longest = world.clients.patience.seconds + config["connect_timeout"] + config["read_timeout"]
    assert longest < LEASE_SECONDS < 300
