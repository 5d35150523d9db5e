from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from runtime import handler
from runtime.response import UnansweredError
from tests.runtime.conftest import zip_of
from tests.support.layers import layer_zip

if TYPE_CHECKING:
    from tests.runtime.conftest import World

#: The physical id of the layer deps below its own name.
DEPS = "deps s3://artifacts/deps"


def test_a_layer_is_created(world: World) -> None:
    properties = world.layer("deps", "build-1")
    answer = world.send(world.event("Create", properties))
    world.check_layer(answer, properties)
    assert answer["PhysicalResourceId"] == DEPS
    assert answer["Data"] == {
        "LayerName": "deps",
        "LayerVersion": "1",
        "LayerVersionArn": "arn:aws:lambda:us-east-1:123456789012:layer:deps:1",
        "ManifestUri": "s3://artifacts/deps/layer/000001/uv.lock",
    }
    assert world.keys("deps/layer") == {
        "layer.zip",
        "publish-claim.json",
        "000001/sbom.cdx.json",
        "000001/uv.lock",
    }
    (version,) = world.clients.lambda_.list_layer_versions(LayerName="deps")["LayerVersions"]
    assert version["CompatibleRuntimes"] == ["python3.13"]
    assert version["CompatibleArchitectures"] == ["arm64"]


def test_a_changed_layer_is_a_new_version_beside_the_old(world: World) -> None:
    one, two = world.layer("deps", "build-1"), world.layer("deps", "build-2")
    world.send(world.event("Create", one))
    answer = world.send(world.event("Update", two, PhysicalResourceId=DEPS, OldResourceProperties=one))
    world.check_layer(answer, two)
    assert answer["PhysicalResourceId"] == DEPS
    assert world.versions("deps") == {1: one["BuildKey"], 2: two["BuildKey"]}


def test_going_back_returns_the_version_that_was_there_without_its_assets(world: World) -> None:
    one, two = world.layer("deps", "build-1"), world.layer("deps", "build-2")
    first = world.send(world.event("Create", one))
    world.send(world.event("Update", two, PhysicalResourceId=DEPS))
    for key in (one["AssetKey"], one["RecordsAssetKey"]):
        world.clients.s3.delete_object(Bucket="assets", Key=key)
    back = world.send(world.event("Update", one, PhysicalResourceId=DEPS, OldResourceProperties=two))
    assert back["Data"] == first["Data"]
    assert len(world.versions("deps")) == 2


def test_another_name_and_another_prefix_are_replacements(world: World) -> None:
    layer = world.layer("deps", "build-1")
    world.send(world.event("Create", layer))
    moved = layer | {"Prefix": "elsewhere"}
    old = {"PhysicalResourceId": DEPS, "OldResourceProperties": layer}
    answer = world.send(world.event("Update", moved, **old))
    world.check_layer(answer, moved)
    assert answer["PhysicalResourceId"] == "deps s3://artifacts/elsewhere"
    renamed = layer | {"LayerName": "other", "Prefix": "other"}
    answer = world.send(world.event("Update", renamed, PhysicalResourceId=DEPS))
    world.check_layer(answer, renamed)
    assert answer["PhysicalResourceId"] == "other s3://artifacts/other"


def test_another_layer_does_not_get_the_folder_of_a_layer(world: World) -> None:
    layer = world.layer("deps", "build-1")
    world.send(world.event("Create", layer))
    answer = world.send(world.event("Create", layer | {"LayerName": "other"}))
    assert answer["Status"] == "FAILED"
    assert "publish-claim.json belongs to the layer deps, so other cannot be published" in answer["Reason"]


def test_no_bytes_of_a_zip_pass_through_the_handler(world: World) -> None:
    layer, source = world.layer("deps", "build-1"), world.source("app", "build-1")
    called: set[str] = set()
    sent: list[bytes] = []
    got: list[str] = []
    world.on("before-call.*", lambda model, **_: called.add(model.name))
    world.on("provide-client-params.s3.PutObject", lambda params, **_: sent.append(params["Body"]))
    world.on(
        "provide-client-params.s3.GetObject",
        lambda params, **_: got.append(f"{params['Key']} {params.get('Range', '')}".strip()),
    )
    world.send(world.event("Create", layer))
    world.send(world.event("Create", source))
    assert called == {
        "ListLayerVersions",
        "HeadObject",
        "GetObject",
        "PutObject",
        "CopyObject",
        "PublishLayerVersion",
    }
    assert all(len(body) < 400 for body in sent)
    assert got == [layer["RecordsAssetKey"]]


@pytest.mark.parametrize("bucket", ["artifacts", "plain"])
def test_as_many_bytes_pass_through_the_handler_at_any_size_of_the_zip(world: World, bucket: str) -> None:
    world.clients.s3.create_bucket(Bucket="plain")
    passed: list[int] = []

    def note(headers: Any, is_sent: bool = True) -> None:
        passed.append(int(headers.get("Content-Length") or 0) if is_sent else 0)

    world.on(
        "after-call.*",
        lambda model, http_response, **_: note(http_response.headers, model.name != "HeadObject"),
    )
    world.on("before-send.*", lambda request, **_: note(request.headers))
    totals = []
    for name, size in (("small", 100_000), ("large", 3_000_000)):
        layer = world.layer(name, "build-1", Bucket=bucket)
        content = layer_zip("x" * size, layer["BuildKey"])
        layer |= {
            "AssetKey": world.asset(content, ".zip"),
            "ZipSha256": hashlib.sha256(content).hexdigest(),
        }
        passed.clear()
        assert world.send(world.event("Create", layer))["Status"] == "SUCCESS"
        totals.append(sum(passed))
    small, large = totals
    assert abs(small - large) < 1000


def test_a_source_is_copied_to_its_place_and_its_zips_stay(world: World) -> None:
    one, two = world.source("app", "build-1"), world.source("app", "build-2")
    answer = world.send(world.event("Create", one))
    world.check_source(answer, one)
    assert answer["PhysicalResourceId"] == "s3://artifacts/app"
    answer = world.send(world.event("Update", two, PhysicalResourceId="s3://artifacts/app"))
    world.check_source(answer, two)
    assert answer["PhysicalResourceId"] == "s3://artifacts/app"
    assert len(world.keys("app/source")) == 2


def test_what_somebody_planted_is_not_taken_for_ours(world: World) -> None:
    layer, source = world.layer("deps", "build-1"), world.source("app", "build-1")
    world.clients.lambda_.publish_layer_version(
        LayerName="deps",
        Description=f"Ours [lbdart:{layer['BuildKey']}]",
        Content={"ZipFile": zip_of("evil")},
    )
    key = f"app/source/1.0/{source['SourceSha256']}/source.zip"
    metadata = {"source_sha256": source["SourceSha256"]}
    world.clients.s3.put_object(Bucket="artifacts", Key=key, Body=b"evil", Metadata=metadata)
    for _ in range(2):
        assert world.send(world.event("Create", layer))["Data"]["LayerVersion"] == "2"
        world.check_source(world.send(world.event("Create", source)), source)


@pytest.mark.parametrize("kind", ["layer", "source"])
def test_an_asset_that_somebody_replaced_is_refused(world: World, kind: str) -> None:
    properties = getattr(world, kind)("name", "build-1")
    evil = layer_zip("evil", properties.get("BuildKey", ""))
    world.clients.s3.put_object(Bucket="assets", Key=properties["AssetKey"], Body=evil)
    answer = world.send(world.event("Create", properties))
    assert answer["Status"] == "FAILED"
    assert f"{properties['AssetKey']} has the SHA-256 {hashlib.sha256(evil).hexdigest()}" in answer["Reason"]
    assert world.versions("name") == {}


def test_a_rollback_to_a_release_that_did_not_know_the_zip_returns_its_version(world: World) -> None:
    properties = world.layer("deps", "build-1")
    del properties["ZipSha256"]
    first = world.send(world.event("Create", properties))
    assert world.send(world.event("Update", properties, PhysicalResourceId="deps"))["Data"] == first["Data"]


def test_another_folder_is_another_source(world: World) -> None:
    world.send(world.event("Create", world.source("app", "build-1")))
    moved = world.source("other", "build-1")
    answer = world.send(world.event("Update", moved, PhysicalResourceId="s3://artifacts/app"))
    assert answer["PhysicalResourceId"] == "s3://artifacts/other"


@pytest.mark.parametrize("kind", ["layer", "source"])
def test_a_retained_resource_survives_its_deletion(world: World, kind: str) -> None:
    properties = getattr(world, kind)("name", "build-1")
    created = world.send(world.event("Create", properties))
    kept = world.keys("name")
    physical_id = created["PhysicalResourceId"]
    deleted = world.send(world.event("Delete", properties, PhysicalResourceId=physical_id))
    assert deleted["Status"] == "SUCCESS"
    assert deleted["PhysicalResourceId"] == physical_id
    assert world.keys("name") == kept
    assert world.versions("name").keys() == ({1} if kind == "layer" else set())


@pytest.mark.parametrize("kind", ["layer", "source"])
def test_a_resource_that_chose_so_takes_all_it_brought(world: World, kind: str) -> None:
    properties = getattr(world, kind)("name", "build-1", RemovalPolicy="destroy")
    created = world.send(world.event("Create", properties))
    changed = getattr(world, kind)("name", "build-2", RemovalPolicy="destroy")
    physical_id = created["PhysicalResourceId"]
    world.send(world.event("Update", changed, PhysicalResourceId=physical_id))
    for _ in range(2):
        deleted = world.send(world.event("Delete", changed, PhysicalResourceId=physical_id))
        assert deleted["Status"] == "SUCCESS"
        assert not world.keys("name")
        assert not world.versions("name")


@pytest.mark.parametrize("kind", ["layer", "source"])
@pytest.mark.parametrize("build", ["build-1", "build-2", "a missing asset"])
def test_a_stack_that_is_rolled_back_leaves_what_was_there_before(
    world: World, kind: str, build: str
) -> None:
    """What an earlier stack retained is no business of a new one that chose to destroy its own."""
    before = getattr(world, kind)("name", "build-1")
    world.send(world.event("Create", before, StackId="arn:earlier"))
    versions = world.versions("name")
    history = {key for key in world.keys("name") if "/0" in key or "source/" in key}
    created = getattr(world, kind)("name", build, RemovalPolicy="destroy")
    if build == "a missing asset":
        created["AssetKey"] = "gone"
    answer = world.send(world.event("Create", created))
    assert answer["Status"] == ("FAILED" if build == "a missing asset" else "SUCCESS")
    deleted = world.send(world.event("Delete", created, PhysicalResourceId=answer["PhysicalResourceId"]))
    assert deleted["Status"] == "SUCCESS"
    assert world.versions("name") == versions
    assert {key for key in world.keys("name") if "/0" in key or "source/" in key} == history


@pytest.mark.parametrize("kind", ["layer", "source"])
def test_a_renamed_construct_keeps_what_it_had_under_its_old_name(world: World, kind: str) -> None:
    """CloudFormation creates the new logical id first and then deletes the old one."""
    properties = getattr(world, kind)("name", "build-1", RemovalPolicy="destroy")
    old = world.send(world.event("Create", properties, LogicalResourceId="Old"))
    new = world.send(world.event("Create", properties, LogicalResourceId="New"))
    assert new["Data"] == old["Data"]
    physical_id = old["PhysicalResourceId"]
    world.send(world.event("Delete", properties, LogicalResourceId="Old", PhysicalResourceId=physical_id))
    getattr(world, f"check_{kind}")(new, properties)


@pytest.mark.parametrize("properties", [{}, {"RemovalPolicy": "destroy"}, None, {"LayerName": ["x"]}])
@pytest.mark.parametrize("resource_type", ["Custom::LbdartLayer", "Custom::LbdartSource", "Custom::Other"])
@pytest.mark.parametrize("physical_id", ["app-Layer-1A2B3C", "lbdart:not-created:Resource1"])
def test_what_was_never_created_can_be_deleted(
    world: World, properties: Any, resource_type: str, physical_id: str
) -> None:
    event = world.event("Delete", {}, ResourceType=resource_type, PhysicalResourceId=physical_id)
    event["ResourceProperties"] = properties
    answer = world.send(event)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", physical_id)


def test_a_layer_under_another_physical_id_is_not_deleted(world: World) -> None:
    properties = world.layer("deps", "build-1", RemovalPolicy="destroy")
    world.send(world.event("Create", properties))
    for physical_id in ("lbdart:not-created:Resource1", "other", "app-Resource1-1A2B"):
        world.send(world.event("Delete", properties, PhysicalResourceId=physical_id))
    assert world.versions("deps")


def test_a_deletion_that_aws_refuses_fails(world: World) -> None:
    properties = world.layer("deps", "build-1", RemovalPolicy="destroy")
    world.send(world.event("Create", properties))

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "No"}}, "DeleteLayerVersion")

    world.on("before-call.lambda.DeleteLayerVersion", refuse)
    answer = world.send(world.event("Delete", properties, PhysicalResourceId=DEPS))
    assert answer["Status"] == "FAILED"
    assert "refused DeleteLayerVersion" in answer["Reason"]
    assert world.versions("deps")


@pytest.mark.parametrize("kind", ["layer", "source"])
@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_a_missing_asset_is_a_failure_that_changes_nothing(
    world: World, kind: str, request_type: str
) -> None:
    properties = getattr(world, kind)("name", "build-1", AssetKey="gone")
    existing = {"PhysicalResourceId": "as-it-was"} if request_type == "Update" else {}
    answer = world.send(world.event(request_type, properties, **existing))
    assert answer["Status"] == "FAILED"
    assert "s3://assets/gone" in answer["Reason"]
    expected = "as-it-was" if existing else "lbdart:not-created:Resource1"
    assert answer["PhysicalResourceId"] == expected
    assert not world.versions("name")


@pytest.mark.parametrize(
    "change",
    [
        {"RequestType": "Read"},
        {"RequestType": None},
        {"ResourceType": "Custom::Other"},
        {"ResourceProperties": None},
        {"ResourceProperties": []},
        {"ResourceProperties": {}},
        {"StackId": None},
        {"LogicalResourceId": None},
    ],
)
def test_a_malformed_event_fails_with_a_reason(world: World, change: dict[str, Any]) -> None:
    event = world.event("Create", world.layer("deps", "build-1")) | change
    answer = world.send(event)
    assert answer["Status"] == "FAILED"
    assert len(answer["Reason"].splitlines()) == 2
    assert not world.versions("deps")


@pytest.mark.parametrize("event", [{}, {"RequestType": "Create"}, [], None])
def test_an_event_that_nobody_waits_for_is_an_error_of_the_function(world: World, event: Any) -> None:
    with pytest.raises(UnansweredError, match="ResponseURL"):
        world.handle(event)


def test_an_unexpected_error_is_told_with_where_to_look(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down(**_: object) -> None:
        raise ZeroDivisionError("x" * 9000)

    world.on("before-call.lambda.ListLayerVersions", break_down)
    answer = world.send(world.event("Create", world.layer("deps", "build-1")))
    assert answer["Status"] == "FAILED"
    assert "request request-1, log stream stream-1): ZeroDivisionError: xxx" in answer["Reason"]
    assert len(world.cloudformation.bodies[-1]) <= 4096
    assert "Traceback" in capsys.readouterr().out


def test_the_response_url_is_in_no_log(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    properties = world.layer("deps", "build-1")
    world.send(world.event("Create", properties))
    world.send(world.event("Create", properties | {"BuildKey": "x"}))
    world.cloudformation.refusals = [500] * 9
    with pytest.raises(UnansweredError):
        world.handle(world.event("Create", properties))
    captured = capsys.readouterr()
    assert "deps" in captured.out
    assert "Signature" not in captured.out + captured.err


def test_the_time_being_up_is_told_before_lambda_kills_the_process(world: World) -> None:
    let_go = threading.Event()

    def hold(**_: object) -> None:
        let_go.wait(10)

    world.on("before-call.s3.CopyObject", hold)
    answered: list[Any] = []

    def wait_for_answer() -> None:
        while not world.cloudformation.answers:
            let_go.wait(0.01)
        answered.extend(world.cloudformation.answers)
        let_go.set()

    waiter = threading.Thread(target=wait_for_answer)
    properties = world.layer("deps", "build-1")
    waiter.start()
    world.handle(world.event("Create", properties), seconds=0.4)
    waiter.join()
    (answer,) = world.cloudformation.answers
    assert answered == [answer]
    assert answer["Status"] == "FAILED"
    assert "ran out of time" in answer["Reason"]
    assert answer["PhysicalResourceId"] == "lbdart:not-created:Resource1"
    # What went on after the answer is found by the next deployment.
    world.check_layer(world.send(world.event("Create", properties)), properties)


def test_no_thread_outlives_a_request(world: World) -> None:
    before = threading.active_count()
    world.cloudformation.refusals = [500] * 9
    with pytest.raises(UnansweredError):
        world.handle(world.event("Create", world.source("app", "build-1")))
    names = [thread.name for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert not names, before


def test_the_clients_are_made_once_and_wait_out_throttles(world: World) -> None:
    clients = handler._clients()
    assert clients is world.clients is handler._clients()
    for client in (clients.s3, clients.lambda_):
        assert vars(client.meta.config)["retries"] == {"mode": "standard", "total_max_attempts": 8}
