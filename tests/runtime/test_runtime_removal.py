"""What DESTROY leaves: nothing at an old place, nothing in the stack's own bucket, no error without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.runtime.conftest import World

DESTROY = {"RemovalPolicy": "destroy"}
OLD_ID, NEW_ID = "deps s3://artifacts/deps", "deps s3://artifacts/elsewhere"


def deployed(world: World, *builds: str, **changes: Any) -> dict[str, Any]:
    """Properties of a layer that has had these builds."""
    before: dict[str, Any] = {}
    for build in builds:
        properties = world.layer("deps", build, **DESTROY | changes)
        kind, more = "Create", {}
        if before:
            kind, more = "Update", {"PhysicalResourceId": OLD_ID, "OldResourceProperties": before}
        world.check_layer(world.send(world.event(kind, properties, **more)), properties)
        before = properties
    return before


def update(world: World, properties: dict[str, Any], before: dict[str, Any], now: str) -> dict[str, Any]:
    event = world.event("Update", properties, PhysicalResourceId=now, OldResourceProperties=before)
    answer = world.send(event)
    world.check_layer(answer, properties)
    return answer


def delete(world: World, properties: dict[str, Any], physical_id: str) -> None:
    answer = world.send(world.event("Delete", properties, PhysicalResourceId=physical_id))
    assert answer["Status"] == "SUCCESS", answer


def left(world: World, prefix: str) -> set[str]:
    """Keys with anything left: old versions and delete markers, too."""
    found = world.clients.s3.list_object_versions(Bucket="artifacts", Prefix=f"{prefix}/")
    return {entry["Key"] for entry in (*found.get("Versions", ()), *found.get("DeleteMarkers", ()))}


@pytest.mark.parametrize("build", ["build-2", "build-3"])
def test_a_moved_layer_takes_its_history_along_and_leaves_nothing(world: World, build: str) -> None:
    old = deployed(world, "build-1", "build-2")
    moved = world.layer("deps", build, Prefix="elsewhere", **DESTROY)
    answer = update(world, moved, old, OLD_ID)
    assert answer["PhysicalResourceId"] == NEW_ID
    numbers = {1, 2} if build == "build-2" else {1, 2, 3}
    delete(world, old, OLD_ID)  # CloudFormation's, in the clean-up
    world.check_layer(answer, moved)
    assert world.versions("deps").keys() == numbers
    assert left(world, "deps") == set()
    assert {key for key in world.keys("elsewhere/layer") if key.endswith("/uv.lock")} == {
        f"{number:06d}/uv.lock" for number in numbers
    }
    delete(world, moved, NEW_ID)
    assert not world.versions("deps")
    assert left(world, "elsewhere") == set()


@pytest.mark.parametrize("build", ["build-2", "build-3"])
def test_a_rollback_of_a_move_brings_everything_back(world: World, build: str) -> None:
    old = deployed(world, "build-1", "build-2")
    moved = world.layer("deps", build, Prefix="elsewhere", **DESTROY)
    update(world, moved, old, OLD_ID)
    for key in (old["AssetKey"], old["RecordsAssetKey"]):
        world.clients.s3.delete_object(Bucket="assets", Key=key)  # a rollback needs no assets
    event = world.event("Update", old, PhysicalResourceId=NEW_ID, OldResourceProperties=moved)
    back = world.send(event)
    assert (back["Status"], back["PhysicalResourceId"]) == ("SUCCESS", OLD_ID)
    assert back["Data"]["LayerVersion"] == "2"
    delete(world, moved, NEW_ID)  # CloudFormation's, in the clean-up
    assert {1, 2} <= world.versions("deps").keys()
    assert left(world, "elsewhere") == set()
    delete(world, old, OLD_ID)
    assert not world.versions("deps")
    assert left(world, "deps") == set()


def test_a_move_can_be_sent_again_at_any_time(world: World) -> None:
    old = deployed(world, "build-1", "build-2")
    moved = world.layer("deps", "build-2", Prefix="elsewhere", **DESTROY)
    for _ in range(2):
        update(world, moved, old, OLD_ID)
    delete(world, old, OLD_ID)
    update(world, moved, old, OLD_ID)
    assert world.versions("deps").keys() == {1, 2}


def test_what_is_retained_is_not_moved(world: World) -> None:
    old = deployed(world, "build-1", RemovalPolicy="retain")
    before = world.keys("deps")
    update(world, world.layer("deps", "build-1", Prefix="elsewhere", **DESTROY), old, OLD_ID)
    delete(world, old, OLD_ID)
    assert {key for key in before if "/0" in key} == {key for key in world.keys("deps") if "/0" in key}
    assert world.versions("deps").keys() == {1}


def test_a_move_to_the_folder_of_another_layer_is_refused_and_mixes_nothing(world: World) -> None:
    old = deployed(world, "build-1")
    world.send(world.event("Create", world.layer("other", "build-1"), LogicalResourceId="Other"))
    theirs, ours = world.keys("other"), world.keys("deps")
    event = world.event(
        "Update", old | {"Prefix": "other"}, PhysicalResourceId=OLD_ID, OldResourceProperties=old
    )
    answer = world.send(event)
    assert answer["Status"] == "FAILED"
    assert "belongs to the layer other" in answer["Reason"]
    assert (world.keys("other"), world.keys("deps")) == (theirs, ours)


@pytest.mark.parametrize("kind", ["layer", "source"])
def test_a_bucket_that_is_gone_has_nothing_left_to_delete(world: World, kind: str) -> None:
    properties = getattr(world, kind)("name", "build-1", **DESTROY)
    created = world.send(world.event("Create", properties))
    world.empty()
    world.clients.s3.delete_bucket(Bucket="artifacts")
    delete(world, properties, created["PhysicalResourceId"])


def bucket_event(world: World, kind: str, policy: str, **more: Any) -> dict[str, Any]:
    properties = {"Bucket": "artifacts", "RemovalPolicy": policy}
    return world.event(kind, properties, ResourceType="Custom::LbdartBucket", **more)


def test_a_bucket_of_the_stack_is_emptied_when_it_goes(world: World) -> None:
    created = world.send(bucket_event(world, "Create", "destroy"))
    assert (created["Status"], created["PhysicalResourceId"]) == ("SUCCESS", "artifacts")
    source = world.source("app", "build-1", **DESTROY)
    for name in ("One", "Two"):  # both use the zip, so neither removes it
        answer = world.send(world.event("Create", source, LogicalResourceId=name))
        physical_id = answer["PhysicalResourceId"]
    for name in ("One", "Two"):
        world.send(world.event("Delete", source, LogicalResourceId=name, PhysicalResourceId=physical_id))
    world.clients.s3.delete_object(Bucket="artifacts", Key="app/marked")
    assert left(world, "app")
    for _ in range(2):
        deleted = world.send(bucket_event(world, "Delete", "destroy", PhysicalResourceId="artifacts"))
        assert deleted["Status"] == "SUCCESS"
        assert left(world, "app") == set()
        world.clients.s3.delete_bucket(Bucket="artifacts")
        world.clients.s3.create_bucket(Bucket="artifacts")


def test_a_retained_bucket_stays_full(world: World) -> None:
    world.send(world.event("Create", world.source("app", "build-1", **DESTROY)))
    kept = left(world, "app")
    world.send(bucket_event(world, "Update", "retain", PhysicalResourceId="artifacts"))
    world.send(bucket_event(world, "Delete", "retain", PhysicalResourceId="artifacts"))
    world.send(bucket_event(world, "Delete", "destroy", PhysicalResourceId="lbdart:not-created:Resource1"))
    assert left(world, "app") == kept
