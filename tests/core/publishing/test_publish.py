from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing import publish as publish_module
from lbdart_cdk.core.publishing.layer_upload import UploadedLayer, upload_layer
from lbdart_cdk.core.publishing.manifest import LayerManifest, md5_of
from lbdart_cdk.core.publishing.publish import (
    LayerDeployment,
    LayerPublisher,
)
from lbdart_cdk.core.publishing.removal import remove_layer_versions
from lbdart_cdk.core.publishing.s3 import S3Path
from tests.core.conftest import zip_of
from tests.support.layers import layer_zip

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.core.conftest import FakeAws

KEY = "cd" * 32
OTHER_KEY = "ef" * 32


@pytest.fixture
def publisher(aws: FakeAws, manifest: LayerManifest, monkeypatch: pytest.MonkeyPatch) -> LayerPublisher:
    monkeypatch.setattr(publish_module, "sleep", lambda _: None)
    return LayerPublisher(
        s3_client=aws.s3,
        lambda_client=aws.lambda_,
        layer_name="deps",
        s3dir_lambda=aws.s3dir,
        build_key=KEY,
        manifest=manifest,
        owner="one",
        verbose=False,
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def upload_for(publisher: LayerPublisher) -> Callable[[], UploadedLayer]:
    asset = S3Path("assets", f"{publisher.build_key}{publisher.manifest.md5}.zip")

    def upload() -> UploadedLayer:
        content = layer_zip("x = 1\n", publisher.build_key)
        publisher.s3_client.put_object(Bucket=asset.bucket, Key=asset.key, Body=content)
        return upload_layer(
            publisher.s3_client,
            publisher.s3dir_lambda,
            asset,
            publisher.manifest,
            publisher.build_key,
            owner=publisher.owner,
            sbom=publisher.sbom,
            zip_sha256=publisher.zip_sha256,
        )

    return upload


def deploy(publisher: LayerPublisher, **changes: Any) -> LayerDeployment:
    publisher = replace(publisher, **changes)
    return publisher.run(upload_for(publisher))


def fail(aws: FakeAws, operation: str, error: Exception, when: str = "before-call", times: int = 1) -> None:
    left = [error] * times

    def hook(**_: object) -> None:
        if left:
            raise left.pop()

    aws.on(f"{when}.*.{operation}", hook)


def refusal(aws: FakeAws, code: str, status: int = 400) -> Exception:
    response: Any = {"Error": {"Code": code, "Message": "No"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return aws.s3.exceptions.ClientError(response, "PublishLayerVersion")


def test_a_first_version_is_published_with_its_manifest_beside_it(
    aws: FakeAws, publisher: LayerPublisher
) -> None:
    deployment = deploy(publisher, description="Ours", license="MIT", compatible_runtimes=("python3.13",))
    assert deployment.layer_version == 1
    assert deployment.layer_version_arn.endswith(":layer:deps:1")
    assert deployment.s3path_manifest.uri == "s3://artifacts/deps/layer/000001/uv.lock"
    assert aws.read(deployment.s3path_manifest) == publisher.manifest.content
    assert aws.metadata(deployment.s3path_manifest) == {
        "manifest_md5": publisher.manifest.md5,
        "build_key": KEY,
        "layer_version_arn": deployment.layer_version_arn,
        "owner": "one",
    }
    assert aws.descriptions("deps") == {1: f"Ours [lbdart:{KEY}]"}


@pytest.mark.parametrize("bucket", ["artifacts", "plain"])
def test_what_is_published_is_the_object_version_just_written(
    aws: FakeAws, publisher: LayerPublisher, bucket: str
) -> None:
    deploy(publisher, s3dir_lambda=f"s3://{bucket}/deps")
    written = aws.s3.head_object(Bucket=bucket, Key="deps/layer/layer.zip").get("VersionId")
    expected = {"S3Bucket": bucket, "S3Key": "deps/layer/layer.zip"}
    if bucket == "artifacts":
        expected["S3ObjectVersion"] = str(written)
    assert [sent["Content"] for sent in aws.sent("PublishLayerVersion")] == [expected]


def test_the_pin_holds_though_the_zip_is_overwritten_meanwhile(
    aws: FakeAws, publisher: LayerPublisher
) -> None:
    uploaded = upload_for(publisher)()
    upload_for(replace(publisher, build_key=OTHER_KEY))()
    publisher.run(lambda: uploaded)
    (sent,) = aws.sent("PublishLayerVersion")
    assert sent["Content"]["S3ObjectVersion"] == uploaded.zip_version_id


def test_an_unchanged_layer_returns_the_version_it_has(aws: FakeAws, publisher: LayerPublisher) -> None:
    first = deploy(publisher)
    aws.calls.clear()
    assert deploy(publisher) == first
    assert aws.operations == ["ListLayerVersions", "HeadObject"]


def plant(aws: FakeAws, build_key: str = KEY) -> None:
    """Publish what anybody could: other bytes with our mark."""
    aws.lambda_.publish_layer_version(
        LayerName="deps", Description=f"Ours [lbdart:{build_key}]", Content={"ZipFile": zip_of("evil")}
    )


@pytest.fixture
def knowing(publisher: LayerPublisher) -> LayerPublisher:
    """A publisher that knows the zip of its build."""
    return replace(publisher, zip_sha256=sha256(layer_zip("x = 1\n", KEY)))


def test_a_foreign_version_with_our_mark_is_not_taken_for_ours(aws: FakeAws, knowing: LayerPublisher) -> None:
    plant(aws)
    deployment = deploy(knowing)
    assert deployment.layer_version == 2
    plant(aws)
    aws.calls.clear()
    assert deploy(knowing) == deployment
    assert "PublishLayerVersion" not in aws.operations


def test_an_unchanged_layer_costs_one_more_call_to_know_its_bytes(
    aws: FakeAws, knowing: LayerPublisher
) -> None:
    deploy(knowing)
    aws.calls.clear()
    deploy(knowing)
    assert aws.operations == ["ListLayerVersions", "GetLayerVersion", "HeadObject"]


def test_a_version_that_is_deleted_meanwhile_is_not_taken(aws: FakeAws, knowing: LayerPublisher) -> None:
    deploy(knowing)
    gone = aws.lambda_.exceptions.ResourceNotFoundException({"Error": {}}, "GetLayerVersion")
    fail(aws, "GetLayerVersion", gone, times=2)
    assert deploy(knowing).layer_version == 2


def test_an_asset_with_other_bytes_is_not_published(aws: FakeAws, publisher: LayerPublisher) -> None:
    expected = sha256(layer_zip("x = 2\n", KEY))
    with pytest.raises(LbdartError, match=rf"s3://assets/\S+ has the SHA-256 \w{{64}}, not {expected}"):
        deploy(replace(publisher, zip_sha256=expected))
    assert not aws.sent("PublishLayerVersion")


def test_a_zip_that_was_replaced_is_not_published(aws: FakeAws, knowing: LayerPublisher) -> None:
    evil = layer_zip("evil\n", KEY)
    metadata = {"manifest_md5": knowing.manifest.md5, "build_key": KEY}
    aws.s3.put_object(
        Bucket="artifacts",
        Key="deps/layer/layer.zip",
        Body=evil,
        Metadata=metadata,
        ChecksumAlgorithm="SHA256",
    )
    with pytest.raises(LbdartError, match=f"has the SHA-256 {sha256(evil)}, not {knowing.zip_sha256}"):
        knowing.run()
    assert not aws.sent("PublishLayerVersion")


def test_a_zip_whose_sha256_s3_does_not_tell_is_read_for_it(aws: FakeAws, knowing: LayerPublisher) -> None:
    """As of a copy of an asset that was uploaded in parts."""
    aws.forget_checksums()
    evil = layer_zip("evil\n", KEY)
    metadata = {"manifest_md5": knowing.manifest.md5, "build_key": KEY}
    aws.s3.put_object(Bucket="artifacts", Key="deps/layer/layer.zip", Body=evil, Metadata=metadata)
    with pytest.raises(LbdartError, match=f"has the SHA-256 {sha256(evil)}, not {knowing.zip_sha256}"):
        knowing.run()
    assert deploy(knowing).layer_version == 1


def test_what_lambda_read_is_compared_in_a_bucket_without_versions(
    aws: FakeAws, knowing: LayerPublisher
) -> None:
    """There the zip can change between the last look at it and its publication."""

    def swap(params: dict[str, Any], **_: object) -> None:
        params["Content"] = {"ZipFile": layer_zip("evil\n", KEY)}

    aws.on("provide-client-params.lambda.PublishLayerVersion", swap)
    with pytest.raises(LbdartError, match="Version 1 of layer deps was published with other bytes"):
        deploy(knowing, s3dir_lambda="s3://plain/deps")
    assert aws.keys("plain") == {
        "deps/layer/layer.zip",
        "deps/layer/uv.lock",
        "deps/layer/publish-claim.json",
    }


def test_going_back_to_a_former_build_returns_its_version(publisher: LayerPublisher) -> None:
    first = deploy(publisher)
    assert deploy(publisher, build_key=OTHER_KEY).layer_version == 2
    assert deploy(publisher) == first


def test_what_lies_there_is_published_when_nothing_is_uploaded(
    publisher: LayerPublisher,
) -> None:
    upload_for(publisher)()
    assert publisher.run().layer_version == 1


def test_a_zip_that_is_not_there_is_not_published(aws: FakeAws, publisher: LayerPublisher) -> None:
    with pytest.raises(
        LbdartError, match=r"There is no zip to publish at s3://artifacts/deps/layer/layer\.zip"
    ):
        publisher.run()
    assert not aws.sent("PublishLayerVersion")


OTHER_MANIFEST = LayerManifest("uv.lock", md5_of(b"other"), b"other")


@pytest.mark.parametrize(
    ("field", "where"),
    [
        ("manifest_md5", "in its metadata"),
        ("build_key", "in its metadata"),
        ("build_key", "in its archive comment"),
    ],
)
def test_a_zip_of_another_manifest_or_build_is_not_published(
    aws: FakeAws, publisher: LayerPublisher, field: str, where: str
) -> None:
    """Not even if its metadata are right: they lie beside the zip, the comment is in it."""
    other = replace(publisher, build_key=OTHER_KEY)
    value, expected = OTHER_KEY, KEY
    if field == "manifest_md5":
        other = replace(publisher, manifest=OTHER_MANIFEST)
        value, expected = OTHER_MANIFEST.md5, publisher.manifest.md5
    noted, named = (other, publisher) if where == "in its metadata" else (publisher, other)
    aws.s3.put_object(
        Bucket="artifacts",
        Key="deps/layer/layer.zip",
        Body=layer_zip("x = 1\n", named.build_key),
        Metadata={"manifest_md5": noted.manifest.md5, "build_key": noted.build_key},
    )
    with pytest.raises(LbdartError, match=f"the {field} {where} is {value}") as caught:
        publisher.run()
    assert expected in caught.value.problem
    assert not aws.sent("PublishLayerVersion")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "does not end like a zip"),
        (layer_zip("x = 1\n", KEY)[:-1], "does not end like a zip"),
        (layer_zip("x = 1\n", KEY) + b"\n", "does not end like a zip"),
        (zip_of("x = 1"), "does not name its build"),
    ],
    ids=["empty", "cut off", "with more behind it", "of other origin"],
)
def test_what_is_no_zip_of_ours_is_not_published(
    aws: FakeAws, publisher: LayerPublisher, content: bytes, problem: str
) -> None:
    right = {"manifest_md5": publisher.manifest.md5, "build_key": KEY}
    aws.s3.put_object(Bucket="artifacts", Key="deps/layer/layer.zip", Body=content, Metadata=right)
    with pytest.raises(LbdartError, match=problem):
        publisher.run()
    assert not aws.sent("PublishLayerVersion")


def test_no_more_than_the_end_of_the_zip_is_read(aws: FakeAws, publisher: LayerPublisher) -> None:
    deploy(publisher)
    (sent,) = aws.sent("GetObject")
    version = aws.s3.head_object(Bucket="artifacts", Key="deps/layer/layer.zip")["VersionId"]
    assert (sent["Key"], sent["Range"], sent["VersionId"]) == (
        "deps/layer/layer.zip",
        "bytes=-65557",
        version,
    )


@pytest.mark.parametrize("sbom", [None, b"{}"])
def test_a_manifest_that_changed_after_its_md5_was_taken_is_not_stored(
    aws: FakeAws, publisher: LayerPublisher, sbom: bytes | None
) -> None:
    changed = replace(publisher.manifest, content=b"other")
    with pytest.raises(LbdartError, match="has the MD5"):
        deploy(publisher, manifest=changed, sbom=sbom)
    assert not aws.sent("PublishLayerVersion")


def test_the_stages_of_the_preflight_can_be_asked_one_by_one(publisher: LayerPublisher) -> None:
    uploaded = upload_for(publisher)()
    stored = publisher.check_zip_exists(uploaded.zip_version_id)
    publisher.check_zip_agrees(stored)
    assert publisher.find_published() is None
    assert publisher.run() == publisher.find_published()


@pytest.mark.parametrize("damage", ["missing", "replaced by hand"])
def test_a_damaged_history_is_healed(aws: FakeAws, publisher: LayerPublisher, damage: str) -> None:
    path = deploy(publisher).s3path_manifest
    if damage == "missing":
        aws.s3.delete_object(Bucket=path.bucket, Key=path.key)
    else:
        aws.s3.put_object(Bucket=path.bucket, Key=path.key, Body=b"?")
    deploy(publisher)
    assert aws.read(path) == publisher.manifest.content
    assert aws.descriptions("deps").keys() == {1}


def test_the_manifest_is_stored_last_so_that_it_says_that_all_is_stored(
    aws: FakeAws, publisher: LayerPublisher
) -> None:
    deploy(publisher, sbom=b"{}")
    written = [request["Key"] for request in aws.sent("PutObject") if "/000001/" in request["Key"]]
    assert written == ["deps/layer/000001/sbom.cdx.json", "deps/layer/000001/uv.lock"]


@pytest.mark.parametrize("name", ["uv.lock", "sbom.cdx.json"])
def test_a_record_that_is_there_before_its_version_is_looked_at(
    aws: FakeAws, publisher: LayerPublisher, name: str
) -> None:
    """The folder's claim was lost, and another layer had the folder."""
    arn = "arn:aws:lambda:us-east-1:123456789012:layer:other:1"
    key = f"deps/layer/000001/{name}"
    aws.s3.put_object(Bucket="artifacts", Key=key, Body=b"theirs", Metadata={"layer_version_arn": arn})
    with pytest.raises(LbdartError, match=f"{name} belongs to the layer other"):
        deploy(publisher, sbom=b"{}")
    assert aws.read(S3Path("artifacts", key)) == b"theirs"


def test_of_several_versions_with_one_build_key_the_first_counts(
    aws: FakeAws, publisher: LayerPublisher
) -> None:
    first = deploy(publisher)
    for description in (f"[lbdart:{KEY}]", "by hand"):
        aws.lambda_.publish_layer_version(
            LayerName="deps",
            Content={"S3Bucket": "assets", "S3Key": "layer.zip"},
            Description=description,
        )
    assert publisher.find_published() == first


def test_all_pages_of_versions_are_read(aws: FakeAws, publisher: LayerPublisher) -> None:
    def page(version: int, key: str) -> dict[str, Any]:
        return {"Version": version, "LayerVersionArn": f"arn:{version}", "Description": f"[lbdart:{key}]"}

    pages: list[dict[str, Any]] = [
        {"LayerVersions": [page(9, OTHER_KEY)], "NextMarker": "m"},
        {"LayerVersions": [page(3, KEY)]},
    ]

    def answer(parsed: dict[str, Any], **_: object) -> None:
        parsed.update(pages.pop(0))

    aws.s3.put_object(
        Bucket="artifacts", Key="deps/layer/000003/uv.lock", Metadata={"layer_version_arn": "arn:3"}
    )
    aws.on("after-call.lambda.ListLayerVersions", answer)
    published = publisher.find_published()
    assert published
    assert (published.layer_version, published.layer_version_arn) == (3, "arn:3")


def test_a_layer_that_lambda_does_not_know_has_no_versions(aws: FakeAws, publisher: LayerPublisher) -> None:
    missing = aws.lambda_.exceptions.ResourceNotFoundException({"Error": {}}, "ListLayerVersions")
    fail(aws, "ListLayerVersions", missing)
    assert publisher.find_published() is None


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_version_whose_answer_got_lost_is_found_and_not_published_again(
    aws: FakeAws, publisher: LayerPublisher, mode: Any
) -> None:
    """The first answer is lost in the network layer, where botocore would repeat the request by itself."""
    client = boto3.client(
        "lambda", "us-east-1", config=Config(retries={"mode": mode, "total_max_attempts": 5})
    )
    client.meta.events.register("provide-client-params.*", aws._record)
    requests: list[str] = []

    def lose(**_: object) -> None:
        requests.append("sent")
        if len(requests) == 1:
            client.meta.events.unregister("before-send.lambda.PublishLayerVersion", lose)
            raise ReadTimeoutError(endpoint_url="lambda")

    def take_effect(params: dict[str, Any], **_: object) -> None:
        if not requests:
            aws.lambda_.publish_layer_version(**params)

    client.meta.events.register("provide-client-params.lambda.PublishLayerVersion", take_effect)
    client.meta.events.register_first("before-send.lambda.PublishLayerVersion", lose)
    assert deploy(publisher, lambda_client=client).layer_version == 1
    assert requests == ["sent"]
    assert aws.descriptions("deps").keys() == {1}


@pytest.mark.parametrize(
    ("code", "status"), [("TooManyRequestsException", 429), ("ServiceException", 500), ("Timeout", 0)]
)
def test_what_may_pass_is_tried_again_under_a_renewed_claim(
    aws: FakeAws, publisher: LayerPublisher, code: str, status: int
) -> None:
    error = refusal(aws, code, status) if status else ReadTimeoutError(endpoint_url="lambda")
    fail(aws, "PublishLayerVersion", error, times=3)
    assert deploy(publisher).layer_version == 1
    after_first = aws.operations[aws.operations.index("PublishLayerVersion") :]
    calls = [call for call, _ in itertools.groupby(after_first)]
    assert calls[:4] == ["PublishLayerVersion", "ListLayerVersions", "PutObject", "PublishLayerVersion"]


@pytest.mark.parametrize("seconds", [1, 20, 30])
def test_a_version_that_appears_long_after_the_request_timed_out_is_not_published_again(
    aws: FakeAws, publisher: LayerPublisher, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Lambda goes on with a request whose sender no longer waits."""
    waited = 0

    def sleep(pause: float) -> None:
        nonlocal waited
        waited += int(pause)
        if waited >= seconds and not aws.descriptions("deps"):
            (request,) = aws.sent("PublishLayerVersion")
            aws.lambda_.publish_layer_version(**request)

    monkeypatch.setattr(publish_module, "sleep", sleep)
    fail(aws, "PublishLayerVersion", ReadTimeoutError(endpoint_url="lambda"))
    assert deploy(publisher).layer_version == 1
    assert waited >= seconds
    assert aws.descriptions("deps").keys() == {1}


@pytest.mark.parametrize(("read_timeout", "lease"), [(60, "100"), (300, "340"), (None, "940")])
def test_a_claim_outlives_the_longest_request(
    aws: FakeAws, publisher: LayerPublisher, monkeypatch: pytest.MonkeyPatch, read_timeout: int, lease: str
) -> None:
    monkeypatch.setattr(aws.lambda_.meta.config, "read_timeout", read_timeout)
    deploy(publisher)
    claims = [request["Metadata"] for request in aws.sent("PutObject") if "claim" in request["Key"]]
    assert claims[0]["lease_seconds"] == lease


def test_a_throttle_that_stays_is_told(aws: FakeAws, publisher: LayerPublisher) -> None:
    fail(aws, "PublishLayerVersion", refusal(aws, "TooManyRequestsException", 429), times=99)
    with pytest.raises(LbdartError, match="AWS still throttled PublishLayerVersion") as caught:
        deploy(publisher)
    assert "layer deps" in caught.value.problem
    assert len(aws.sent("PublishLayerVersion")) == 6


@pytest.mark.parametrize("code", ["AccessDeniedException", "CodeStorageExceededException"])
def test_a_refusal_is_told_at_once_and_leaves_the_claim_free(
    aws: FakeAws, publisher: LayerPublisher, code: str
) -> None:
    fail(aws, "PublishLayerVersion", refusal(aws, code))
    with pytest.raises(LbdartError, match="PublishLayerVersion") as caught:
        deploy(publisher)
    assert "No" in caught.value.problem
    assert len(aws.sent("PublishLayerVersion")) == 1
    assert aws.metadata(publisher.layout.s3path_publish_claim)["lease_seconds"] == "0"
    assert deploy(publisher).layer_version == 1


@pytest.mark.parametrize(
    "change",
    [
        {"layer_name": "a b"},
        {"build_key": "1"},
        {"description": "x" * 200},
        {"license": "x" * 513},
        {"compatible_runtimes": ("python3.13",) * 16},
        {"compatible_architectures": ("arm64",) * 3},
    ],
)
def test_a_value_that_lambda_would_refuse_is_refused_before(
    publisher: LayerPublisher, change: dict[str, Any]
) -> None:
    with pytest.raises(LbdartError):
        replace(publisher, **change)


def test_a_version_that_a_second_owner_takes_up_is_shared(aws: FakeAws, publisher: LayerPublisher) -> None:
    first = deploy(publisher)
    assert deploy(publisher, owner="two") == first
    assert aws.metadata(first.s3path_manifest)["owner"] == "shared"
    aws.calls.clear()
    assert deploy(publisher) == first
    assert "CopyObject" not in aws.operations


def remove(aws: FakeAws, owner: str) -> None:
    remove_layer_versions(aws.s3, aws.lambda_, "deps", aws.s3dir, owner)


def test_a_removal_takes_the_owners_versions_and_history(aws: FakeAws, publisher: LayerPublisher) -> None:
    deploy(publisher)
    deploy(publisher, build_key=OTHER_KEY)
    aws.lambda_.publish_layer_version(
        LayerName="deps", Content={"S3Bucket": "assets", "S3Key": "layer.zip"}, Description="by hand"
    )
    for _ in range(2):
        remove(aws, "one")
        assert aws.descriptions("deps") == {3: "by hand"}
        assert not aws.s3.list_object_versions(Bucket="artifacts").get("Versions")


def test_a_removal_leaves_what_others_published_or_use(aws: FakeAws, publisher: LayerPublisher) -> None:
    deploy(publisher, owner="two", build_key=OTHER_KEY)
    deploy(publisher)
    deploy(publisher, owner="two")
    deploy(publisher, owner="", build_key="12" * 32)
    kept = aws.keys()
    remove(aws, "one")
    remove(aws, "")
    assert aws.descriptions("deps").keys() == {1, 2, 3}
    assert aws.keys() == kept


@pytest.mark.parametrize("operation", ["DeleteLayerVersion", "DeleteObject"])
def test_an_interrupted_removal_can_be_run_again(
    aws: FakeAws, publisher: LayerPublisher, operation: str
) -> None:
    for key in (KEY, OTHER_KEY, "12" * 32):
        deploy(publisher, build_key=key)
    fail(aws, operation, refusal(aws, "AccessDenied"), when="after-call", times=2)
    for _ in range(2):
        with pytest.raises(LbdartError, match="remove layer deps"):
            remove(aws, "one")
    remove(aws, "one")
    assert not aws.descriptions("deps")
    assert not aws.keys()
