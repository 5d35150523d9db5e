"""What ``keep_versions`` takes, and what it leaves whatever happens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing import prune as prune_module
from lbdart_cdk.core.publishing.layer_upload import upload_layer
from lbdart_cdk.core.publishing.manifest import LayerManifest, md5_of
from lbdart_cdk.core.publishing.prune import superseded
from lbdart_cdk.core.publishing.publish import LayerDeployment, LayerPublisher
from lbdart_cdk.core.publishing.s3 import S3Path
from tests.support.layers import layer_zip

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.conftest import FakeAws


class Layer:
    """A layer, deployed by the letters of its builds."""

    def __init__(self, aws: FakeAws, folder: Path) -> None:
        self.aws = aws
        self.lines: list[str] = []
        self._folder = folder

    def deploy(self, build: str, keep: int | None = None, before: str = "", **changes: Any) -> int:
        return self.publish(build, keep, before, **changes).layer_version

    def publish(self, build: str, keep: int | None, before: str, **changes: Any) -> LayerDeployment:
        lock = f"lock of {build}".encode()
        manifest = LayerManifest("uv.lock", md5_of(lock), lock)
        publisher = LayerPublisher(
            s3_client=self.aws.s3,
            lambda_client=self.aws.lambda_,
            layer_name="deps",
            s3dir_lambda=self.aws.s3dir,
            build_key=key(build),
            manifest=manifest,
            sbom=b"{}",
            keep_versions=keep,
            needed_build_key=key(before) if before else "",
            owner="one",
            printer=self.lines.append,
        )
        publisher = replace(publisher, **changes)
        path = self._folder / "layer.zip"
        path.write_bytes(layer_zip(build, publisher.build_key))
        return publisher.run(
            lambda: upload_layer(
                self.aws.s3,
                self.aws.s3dir,
                path,
                manifest,
                publisher.build_key,
                owner=publisher.owner,
                sbom=b"{}",
            )
        )

    @property
    def versions(self) -> list[int]:
        return sorted(self.aws.descriptions("deps"))

    @property
    def folders(self) -> list[int]:
        """Numbers of the folders that have manifest and SBOM, and nothing else."""
        found: dict[int, set[str]] = {}
        for path in sorted(self.aws.keys()):
            number, _, name = path.removeprefix("deps/layer/").partition("/")
            if number.isdecimal():
                found.setdefault(int(number), set()).add(name)
        assert all(names == {"uv.lock", "sbom.cdx.json"} for names in found.values())
        return sorted(found)


def key(build: str) -> str:
    return build.encode().hex().rjust(64, "0")


@pytest.fixture
def layer(aws: FakeAws, tmp_path: Path) -> Layer:
    return Layer(aws, tmp_path)


@pytest.mark.parametrize(
    ("needed", "keep", "gone"),
    [
        ([5], 3, [1, 2]),
        ([5], 1, [1, 2, 3, 4]),
        ([5, 4], 1, [1, 2, 3]),
        ([5, 2], 1, [1]),
        ([1, 5], 1, []),
        ([3], 2, [1, 2]),
        ([5], 9, []),
    ],
)
def test_only_what_is_older_than_all_that_is_needed_may_go(
    needed: list[int], keep: int, gone: list[int]
) -> None:
    assert sorted(superseded([1, 2, 3, 4, 5], needed, keep)) == gone


def test_without_it_everything_stays(layer: Layer) -> None:
    for build in "abc":
        layer.deploy(build)
    assert layer.versions == layer.folders == [1, 2, 3]


def test_the_newest_stay_and_the_others_go_with_their_folders(layer: Layer, aws: FakeAws) -> None:
    for build in "abcd":
        layer.deploy(build, keep=2)
    assert layer.versions == layer.folders == [3, 4]
    listed = aws.s3.list_object_versions(Bucket="artifacts", Prefix="deps/layer/000001/")
    assert not listed.get("Versions")
    assert not listed.get("DeleteMarkers")


def test_what_a_rollback_would_return_stays(layer: Layer) -> None:
    layer.deploy("a")
    for before, build in ("ab", "bc", "cd"):
        current = layer.deploy(build, keep=1, before=before)
        assert layer.versions == layer.folders == [current - 1, current]
    assert layer.deploy("c", keep=1, before="d") == 3
    assert layer.versions == layer.folders == [3, 4]


def test_nothing_goes_while_what_a_rollback_needs_is_not_there(layer: Layer) -> None:
    for build in "abc":
        layer.deploy(build)
    layer.deploy("d", keep=1, before="x")
    assert layer.versions == [1, 2, 3, 4]


def test_an_event_that_comes_late_takes_no_version_that_is_in_use(layer: Layer, aws: FakeAws) -> None:
    """The stack went from c back to a; then the event of going from b to c is delivered again."""
    for build in "abc":
        layer.deploy(build)
    assert layer.deploy("a", keep=1, before="c") == 1
    layer.deploy("c", keep=1, before="b")
    assert 1 in layer.versions
    # When no event can be that late any more, it is a version like any other.
    aws.seconds_later = 25 * 3600
    layer.deploy("c", keep=1, before="b")
    assert layer.versions == layer.folders == [2, 3]


def test_versions_of_others_stay(layer: Layer, aws: FakeAws) -> None:
    layer.deploy("a", owner="two")
    layer.deploy("b")
    layer.deploy("b", owner="two")  # who comes to rely on it
    layer.deploy("c", owner="")
    aws.lambda_.publish_layer_version(
        LayerName="deps", Content={"S3Bucket": "assets", "S3Key": "layer.zip"}, Description="by hand"
    )
    layer.deploy("d")
    layer.deploy("e", keep=1)
    assert layer.versions == [1, 2, 3, 4, 6]


def test_a_script_prunes_what_scripts_published(layer: Layer) -> None:
    layer.deploy("a", owner="stack")
    for build in "bcd":
        layer.deploy(build, keep=1, owner="")
    assert layer.versions == layer.folders == [1, 4]


@pytest.mark.parametrize(
    "operation", ["DeleteLayerVersion", "DeleteObject", "ListObjectVersions", "PutObject"]
)
def test_a_pruning_that_aws_refuses_fails_nothing_and_is_made_up_for(
    layer: Layer, aws: FakeAws, operation: str
) -> None:
    for build in "abc":
        layer.deploy(build)
    layer.deploy("d")
    refused: list[str] = []

    def refuse(**_: object) -> None:
        if not refused:
            refused.append(operation)
            response: Any = {"Error": {"Code": "AccessDenied", "Message": "No"}}
            raise aws.s3.exceptions.ClientError(response, operation)

    aws.on(f"before-call.*.{operation}", refuse)
    assert layer.deploy("d", keep=2) == 4
    assert refused
    assert "Older versions stay until the next deployment." in layer.lines[-1]
    assert layer.deploy("d", keep=2) == 4
    assert layer.versions == layer.folders == [3, 4]


def test_a_layer_that_others_publish_now_is_not_waited_for(layer: Layer, aws: FakeAws) -> None:
    for build in "abc":
        layer.deploy(build)
    held = {"nonce": "x", "lease_seconds": "75"}
    aws.s3.put_object(Bucket="artifacts", Key="deps/layer/publish-claim.json", Metadata=held)
    assert layer.deploy("c", keep=1) == 3
    assert layer.versions == [1, 2, 3]


def test_one_deployment_prunes_so_many_and_the_next_goes_on(
    layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune_module, "MAX_PRUNED", 2)
    for build in "abcdef":
        layer.deploy(build)
    left = []
    for _ in range(3):
        layer.deploy("f", keep=1)
        left.append(layer.versions)
    assert left == [[3, 4, 5, 6], [5, 6], [6]]


@pytest.mark.parametrize("keep", [0, -1, True, "3", 1.5])
def test_a_number_that_keeps_nothing_is_refused(layer: Layer, keep: Any) -> None:
    with pytest.raises(LbdartError, match="keep_versions is"):
        layer.deploy("a", keep=keep)


def test_what_another_layer_left_in_the_folder_stays(layer: Layer, aws: FakeAws) -> None:
    """Two layers could share one before their claims named them."""
    layer.deploy("a")
    layer.deploy("b")
    aws.lambda_.delete_layer_version(LayerName="deps", VersionNumber=1)
    arn = "arn:aws:lambda:us-east-1:123456789012:layer:other:1"
    for name in ("uv.lock", "sbom.cdx.json"):
        aws.s3.put_object(
            Bucket="artifacts",
            Key=f"deps/layer/000001/{name}",
            Body=b"of the other",
            Metadata={"owner": "one", "layer_version_arn": arn},
        )
    layer.deploy("c", keep=1)
    assert layer.versions == [3]
    assert layer.folders == [1, 3]


def test_nor_is_its_record_replaced(layer: Layer, aws: FakeAws) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:layer:other:1"
    aws.s3.put_object(
        Bucket="artifacts",
        Key="deps/layer/000001/uv.lock",
        Body=b"of the other",
        Metadata={"layer_version_arn": arn},
    )
    with pytest.raises(LbdartError, match=r"000001/uv\.lock belongs to the layer other, so deps cannot be"):
        layer.deploy("a")
    assert aws.read(S3Path("artifacts", "deps/layer/000001/uv.lock")) == b"of the other"
