"""How many calls each event makes: a number that grows is a slower deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runtime.calls import EVENTS, KEEPING, SECONDS, calls_of
from tests.runtime.faults import BUILDS, KINDS, Clock, prepared

if TYPE_CHECKING:
    from tests.runtime.conftest import World

#: What happens -> the calls for a layer with its bill of materials, and for a source.
MOST = {
    "first deployment": (8, 2),
    "unchanged": (3, 1),
    "changed": (11, 2),
    "rolled back": (3, 1),
    "deleted, RETAIN": (0, 0),
    "deleted, DESTROY": (12, 3),
    "unchanged, keep_versions": (5, 0),
    "changed, nothing to prune": (13, 0),
    "changed, prunes a version": (22, 0),
}


@pytest.mark.parametrize("happens", [*EVENTS, *KEEPING])
def test_a_layer_makes_no_more_calls(world: World, happens: str) -> None:
    calls = calls_of((EVENTS | KEEPING)[happens](world, "layer"))
    assert len(calls) == MOST[happens][0], calls
    assert set(calls) <= SECONDS.keys()


@pytest.mark.parametrize("happens", EVENTS)
def test_a_source_makes_no_more_calls(world: World, happens: str) -> None:
    calls = calls_of(EVENTS[happens](world, "source"))
    assert len(calls) == MOST[happens][1], calls


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_that_comes_again_makes_as_many_as_an_unchanged_deployment(world: World, kind: str) -> None:
    case = prepared(world, kind, "Create", 0)
    calls_of(case)
    assert len(calls_of(case)) == MOST["unchanged"][KINDS.index(kind)]


def test_a_layer_without_bill_of_materials_makes_one_less(world: World) -> None:
    """No construct has one without, but scripts do."""
    from lbdart_cdk.core.publishing.layer_upload import upload_zip
    from lbdart_cdk.core.publishing.manifest import LayerManifest
    from lbdart_cdk.core.publishing.publish import LayerPublisher
    from lbdart_cdk.core.publishing.s3 import S3Path

    properties = world.layer("deps", "build-1")
    manifest = LayerManifest("uv.lock", properties["ManifestMd5"], b"lock of build-1")
    given = (
        "s3://artifacts/deps",
        S3Path("assets", properties["AssetKey"]),
        manifest.md5,
        properties["BuildKey"],
    )
    calls: list[str] = []
    publisher = LayerPublisher(
        s3_client=world.clients.s3,
        lambda_client=world.clients.lambda_,
        layer_name="deps",
        s3dir_lambda=given[0],
        build_key=given[3],
        manifest=manifest,
        zip_sha256=properties["ZipSha256"],
        verbose=False,
    )
    world.on("before-call.*", lambda model, **_: calls.append(model.name))
    publisher.run(
        lambda: upload_zip(world.clients.s3, *given, zip_sha256=properties["ZipSha256"]), is_first=True
    )
    assert len(calls) == 6, calls  # nor has it to read the records
    calls.clear()
    publisher.run()
    assert len(calls) == 3, calls


class TestFirst:
    """A creation expects no claim; where there is one, it does as an update does."""

    def test_that_finds_what_an_earlier_stack_retained(self, world: World) -> None:
        case = prepared(world, "layer", "Create", 0)
        world.send(case.event)
        changed = case.request("Create", BUILDS[1]) | {"StackId": "arn:later"}
        case.check(world.send(changed), BUILDS[1])
        assert set(world.versions(case.name)) == {1, 2}

    def test_that_stood_still_after_its_claim_renews_it(self, world: World, clock: Clock) -> None:
        case = prepared(world, "layer", "Create", 0)
        world.on("before-call.s3.CopyObject", lambda **_: clock.sleep(6))
        calls = calls_of(case)
        assert calls[calls.index("PublishLayerVersion") - 1] == "PutObject"
        assert len(calls) == MOST["first deployment"][0] + 1
        case.check(world.send(case.event), BUILDS[0])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
