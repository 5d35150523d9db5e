from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing.s3 import S3Path
from lbdart_cdk.core.publishing.source_upload import remove_source_zips, upload_source_zip
from tests.core.conftest import zip_of
from tests.support.wheels import sha256

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.conftest import FakeAws

ASSET = S3Path("assets", "layer.zip")
SHA = hashlib.sha256(zip_of("asset")).hexdigest()


def test_a_file_is_uploaded_to_its_place(aws: FakeAws, tmp_path: Path) -> None:
    file = tmp_path / "source.zip"
    file.write_bytes(b"zip")
    digest = sha256(file)
    path = upload_source_zip(aws.s3, "s3://artifacts/app", file, "1.0", digest)
    assert path.uri == f"s3://artifacts/app/source/1.0/{digest}/source.zip"
    assert aws.read(path) == b"zip"
    assert aws.metadata(path) == {"source_sha256": digest}


def test_a_file_that_is_not_what_its_hash_says_is_not_uploaded(aws: FakeAws, tmp_path: Path) -> None:
    """As when another build took its place meanwhile."""
    file = tmp_path / "source.zip"
    file.write_bytes(b"zip")
    with pytest.raises(LbdartError, match=rf"source\.zip has the SHA-256 {sha256(file)}, not {SHA}"):
        upload_source_zip(aws.s3, "s3://artifacts/app", file, "1.0", SHA)
    assert aws.operations == []


def test_a_file_that_is_not_there(aws: FakeAws, tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match=r"source\.zip cannot be read: No such file"):
        upload_source_zip(aws.s3, "s3://artifacts/app", tmp_path / "source.zip", "1.0", SHA)


@pytest.mark.parametrize("version", ["", ".", "..", "../../1", "1/2", None])
def test_a_version_that_would_lead_elsewhere(aws: FakeAws, version: str) -> None:
    with pytest.raises(LbdartError, match="cannot be the name of a folder in S3"):
        upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, version, SHA)
    assert aws.operations == []


def test_an_asset_is_copied_by_s3_itself(aws: FakeAws) -> None:
    path = upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA, owner="one")
    assert aws.operations[-2:] == ["HeadObject", "CopyObject"]
    assert aws.read(path) == aws.read(ASSET)
    assert aws.metadata(path) == {"source_sha256": SHA, "owner": "one"}


def test_a_zip_that_is_there_stays(aws: FakeAws) -> None:
    upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA, owner="one")
    aws.calls.clear()
    gone = S3Path("assets", "gone")
    upload_source_zip(aws.s3, "s3://artifacts/app", gone, "1.0", SHA, owner="one")
    assert aws.operations == ["HeadObject"]


def test_an_object_that_is_not_the_zip_is_replaced(aws: FakeAws) -> None:
    path = upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA)
    aws.s3.put_object(Bucket=path.bucket, Key=path.key, Body=b"overwritten by hand")
    upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA)
    assert aws.read(path) == aws.read(ASSET)


@pytest.mark.parametrize("planted_with", [{}, {"ChecksumAlgorithm": "SHA256"}], ids=["none", "its own"])
def test_a_planted_zip_with_the_right_metadata_is_replaced(
    aws: FakeAws, planted_with: dict[str, Any]
) -> None:
    """Whoever may write the object may write any metadata, but S3 itself computes the checksum."""
    path = S3Path("artifacts", f"app/source/1.0/{SHA}/source.zip")
    metadata = {"source_sha256": SHA, "owner": "one"}
    aws.s3.put_object(Bucket=path.bucket, Key=path.key, Body=b"evil", Metadata=metadata, **planted_with)
    upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA, owner="one")
    assert aws.read(path) == aws.read(ASSET)


def test_a_zip_whose_sha256_s3_does_not_tell_is_read_for_it(aws: FakeAws) -> None:
    """As of a copy of an object that was uploaded in parts."""
    aws.forget_checksums()
    path = upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA)
    aws.calls.clear()
    assert upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA) == path
    assert "CopyObject" not in aws.operations
    aws.s3.put_object(Bucket=ASSET.bucket, Key=ASSET.key, Body=b"evil")
    with pytest.raises(LbdartError, match=f"not {SHA}"):
        upload_source_zip(aws.s3, "s3://artifacts/other", ASSET, "1.0", SHA)


def test_an_asset_with_other_bytes_is_refused(aws: FakeAws) -> None:
    aws.s3.put_object(Bucket=ASSET.bucket, Key=ASSET.key, Body=b"evil")
    with pytest.raises(LbdartError, match=rf"s3://assets/layer\.zip has the SHA-256 \w{{64}}, not {SHA}"):
        upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA)


def test_a_zip_that_changes_while_only_its_owner_is_noted_is_refused(aws: FakeAws) -> None:
    path = upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA, owner="one")

    def swap(**_: object) -> None:
        aws.s3.put_object(Bucket=path.bucket, Key=path.key, Body=b"evil")

    aws.on("before-call.s3.CopyObject", swap)
    with pytest.raises(LbdartError, match=f"not {SHA}"):
        upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA, owner="two")


def test_a_large_file_has_the_checksum_of_the_whole(aws: FakeAws, tmp_path: Path) -> None:
    """S3 has no SHA-256 of an object that was uploaded in parts."""
    file = tmp_path / "source.zip"
    file.write_bytes(bytes(9 * 1024 * 1024))
    for _ in range(2):
        upload_source_zip(aws.s3, "s3://artifacts/app", file, "1.0", sha256(file))
    assert aws.operations == ["HeadObject", "PutObject", "HeadObject"]


def test_a_missing_asset_is_named(aws: FakeAws) -> None:
    with pytest.raises(LbdartError, match="s3://assets/gone"):
        upload_source_zip(aws.s3, "s3://artifacts/app", S3Path("assets", "gone"), "1.0", SHA)


def test_a_removal_takes_only_what_is_the_owners_alone(aws: FakeAws) -> None:
    own = upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.0", SHA, owner="one")
    others = upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.1", SHA, owner="two")
    shared = upload_source_zip(aws.s3, "s3://artifacts/app", ASSET, "1.2", SHA, owner="one")
    gone = S3Path("assets", "gone")
    assert upload_source_zip(aws.s3, "s3://artifacts/app", gone, "1.2", SHA, owner="two") == shared
    beside = S3Path("artifacts", "app/sources/file")
    aws.s3.put_object(Bucket=beside.bucket, Key=beside.key, Metadata={"owner": "one"})
    for _ in range(2):
        remove_source_zips(aws.s3, "s3://artifacts/app", "one")
        assert aws.keys() == {others.key, shared.key, beside.key}
    assert aws.read(shared) == aws.read(ASSET)
    remaining = aws.s3.list_object_versions(Bucket="artifacts", Prefix=own.key)
    assert not remaining.get("Versions")
    assert not remaining.get("DeleteMarkers")
