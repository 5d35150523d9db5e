"""Organisations deny writes that do not name their encryption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.runtime.conftest import World

KEY = "arn:aws:kms:us-east-1:123456789012:key/ours"
KINDS = ["layer", "source"]


def encrypt(world: World, **default: str) -> None:
    rules: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}
    world.clients.s3.put_bucket_encryption(Bucket="artifacts", ServerSideEncryptionConfiguration=rules)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algorithm", [None, "AES256", "aws:kms"])
def test_all_writes_pass_a_policy_that_wants_them_encrypted(
    world: World, kind: str, algorithm: str | None
) -> None:
    if algorithm == "aws:kms":
        encrypt(world, SSEAlgorithm="aws:kms", KMSMasterKeyID=KEY)
    one, two = (getattr(world, kind)("name", build) for build in ("build-1", "build-2"))
    world.deny_unless_encrypted(algorithm)
    check = getattr(world, f"check_{kind}")
    created = world.send(world.event("Create", one))
    check(created, one)
    physical_id = created["PhysicalResourceId"]
    update = world.event("Update", two, PhysicalResourceId=physical_id, OldResourceProperties=one)
    check(world.send(update), two)
    check(world.send(world.event("Create", two, StackId="arn:another")), two)  # an object gets another owner
    assert world.waiting.now == 0


def test_the_default_of_the_bucket_is_never_overridden(world: World) -> None:
    encrypt(world, SSEAlgorithm="aws:kms", KMSMasterKeyID=KEY)
    properties = world.layer("deps", "build-1")
    world.check_layer(world.send(world.event("Create", properties)), properties)
    for key in world.keys("deps"):
        stored = world.clients.s3.head_object(Bucket="artifacts", Key=f"deps/{key}")
        assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", KEY)


def test_a_changed_default_counts_from_the_next_event(world: World) -> None:
    one, two = world.source("app", "build-1"), world.source("app", "build-2")
    world.send(world.event("Create", one))
    encrypt(world, SSEAlgorithm="aws:kms", KMSMasterKeyID=KEY)
    answer = world.send(world.event("Update", two, PhysicalResourceId="s3://artifacts/app"))
    stored = world.clients.s3.head_object(Bucket="artifacts", Key=answer["Data"]["Key"])
    assert stored["ServerSideEncryption"] == "aws:kms"


@pytest.mark.parametrize("kind", KINDS)
def test_a_role_that_may_not_ask_the_bucket_writes_with_its_default_and_does_not_wait(
    world: World, kind: str
) -> None:
    properties = getattr(world, kind)("name", "build-1")
    assert not world.deny(10_000, "GetBucketEncryption")
    getattr(world, f"check_{kind}")(world.send(world.event("Create", properties)), properties)
    assert world.waiting.now == 0


def test_nobody_is_asked_while_no_write_is_denied(world: World) -> None:
    assert not world.deny(10_000, "GetBucketEncryption")
    asked: list[str] = []
    world.on("before-call.s3.GetBucketEncryption", lambda **_: asked.append("asked"))
    properties = world.layer("deps", "build-1")
    world.check_layer(world.send(world.event("Create", properties)), properties)
    assert not asked


@pytest.mark.parametrize("kind", KINDS)
def test_a_bucket_that_may_not_be_asked_yet_is_asked_again(world: World, kind: str) -> None:
    """The policy of the role spreads, and the bucket's policy wants the header."""
    world.deny_unless_encrypted("AES256")
    world.deny(5, "GetBucketEncryption")
    properties = getattr(world, kind)("name", "build-1")
    getattr(world, f"check_{kind}")(world.send(world.event("Create", properties)), properties)
    assert 5 <= world.waiting.now <= 20
