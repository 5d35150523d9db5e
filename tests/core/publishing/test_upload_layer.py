from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing.layer_upload import upload_layer
from lbdart_cdk.core.publishing.manifest import LayerManifest
from lbdart_cdk.core.publishing.s3 import S3Path, head_object
from tests.support.layers import layer_zip

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.conftest import FakeAws

KEY = "cd" * 32
ASSET = S3Path("assets", "layer.zip")


@pytest.mark.parametrize("bucket", ["artifacts", "plain"])
def test_zip_and_manifest_lie_beside_each_other_with_their_identity(
    aws: FakeAws, manifest: LayerManifest, tmp_path: Path, bucket: str
) -> None:
    file = tmp_path / "layer.zip"
    content_of_zip = layer_zip("x = 1\n", KEY)
    file.write_bytes(content_of_zip)
    uploaded = upload_layer(aws.s3, f"s3://{bucket}/deps/", file, manifest, KEY, owner="one", sbom=b"{}")
    assert uploaded.zip.uri == f"s3://{bucket}/deps/layer/layer.zip"
    assert uploaded.manifest.uri == f"s3://{bucket}/deps/layer/uv.lock"
    identity = {"manifest_md5": manifest.md5, "build_key": KEY, "owner": "one"}
    for path, version_id, content in (
        (uploaded.zip, uploaded.zip_version_id, content_of_zip),
        (uploaded.manifest, uploaded.manifest_version_id, manifest.content),
    ):
        stored = head_object(aws.s3, path, version_id)
        assert stored
        assert stored.metadata == identity
        assert stored.version_id == version_id
        assert aws.read(path) == content
    assert aws.read(S3Path(bucket, "deps/layer/sbom.cdx.json")) == b"{}"


def test_assets_are_copied_by_s3_itself(aws: FakeAws, manifest: LayerManifest) -> None:
    aws.s3.put_object(Bucket="assets", Key="manifest", Body=b"lock")
    aws.calls.clear()
    asset_manifest = LayerManifest("uv.lock", manifest.md5, S3Path("assets", "manifest"))
    uploaded = upload_layer(aws.s3, "s3://artifacts/deps", ASSET, asset_manifest, KEY)
    assert aws.operations == ["CopyObject", "CopyObject"]
    assert aws.read(uploaded.zip) == aws.read(ASSET)
    assert aws.read(uploaded.manifest) == b"lock"


def test_a_missing_asset_is_named(aws: FakeAws, manifest: LayerManifest) -> None:
    with pytest.raises(LbdartError, match=r"NoSuchKey.*s3://assets/gone"):
        upload_layer(aws.s3, "s3://artifacts/deps", S3Path("assets", "gone"), manifest, KEY)


def test_a_zip_that_is_not_there(aws: FakeAws, manifest: LayerManifest, tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match=r"The layer's zip .*/layer\.zip cannot be read: No such file"):
        upload_layer(aws.s3, aws.s3dir, tmp_path / "layer.zip", manifest, "ab" * 32)
    assert aws.operations == []
