from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing.s3 import (
    S3Path,
    delete_object_versions,
    head_object,
    list_object_versions,
    write_object,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.conftest import FakeAws

PLAIN = S3Path("plain", "folder/file")
TARGET = S3Path("artifacts", "folder/file")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://bucket", S3Path("bucket", "")),
        ("s3://bucket/", S3Path("bucket", "")),
        ("s3://bucket/a/b/", S3Path("bucket", "a/b/")),
        ("s3://bucket/a b?c#d", S3Path("bucket", "a b?c#d")),
    ],
)
def test_a_uri_names_bucket_and_key(uri: str, expected: S3Path) -> None:
    assert S3Path.parse(uri) == expected
    assert S3Path.parse(expected) is expected
    assert str(expected) == expected.uri


@pytest.mark.parametrize("text", ["", "bucket/key", "https://bucket/key", "s3:/bucket", "s3://", "s3:///key"])
def test_other_texts_are_no_location(text: str) -> None:
    with pytest.raises(LbdartError, match="not an S3 URI"):
        S3Path.parse(text)


@pytest.mark.parametrize("folder", ["", "a", "a/"])
@pytest.mark.parametrize("part", ["b/", "/b/"])
def test_parts_are_joined_with_one_slash(folder: str, part: str) -> None:
    assert (S3Path("bucket", folder) / part / "c").key == ("a/b/c" if folder else "b/c")


def test_what_is_not_there_is_none(aws: FakeAws) -> None:
    assert head_object(aws.s3, TARGET) is None


def test_what_may_not_be_seen_counts_as_not_there(aws: FakeAws) -> None:
    def forbid(**_: object) -> None:
        raise aws.s3.exceptions.ClientError({"Error": {"Code": "403"}}, "HeadObject")

    aws.on("before-call.s3.HeadObject", forbid)
    assert head_object(aws.s3, TARGET) is None


def test_other_errors_are_not_taken_for_absence(aws: FakeAws) -> None:
    with pytest.raises(aws.s3.exceptions.ClientError):
        head_object(aws.s3, PLAIN, "no-versions-here")


def test_the_age_is_told_by_the_clock_of_s3(aws: FakeAws) -> None:
    write_object(aws.s3, TARGET, b"x", {})
    aws.seconds_later = 3600
    stored = head_object(aws.s3, TARGET)
    assert stored
    assert 3595 < stored.age < 3605


@pytest.mark.parametrize("target", [TARGET, PLAIN])
@pytest.mark.parametrize("kind", ["bytes", "file", "object"])
def test_whatever_is_written_is_pinned_where_there_are_versions(
    aws: FakeAws, tmp_path: Path, target: S3Path, kind: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    write_object(aws.s3, S3Path("assets", "a key+%41"), b"content", {"old": "metadata"})
    sources: dict[str, bytes | Path | S3Path] = {
        "bytes": b"content",
        "file": file,
        "object": S3Path("assets", "a key+%41"),
    }
    version_id = write_object(aws.s3, target, sources[kind], {"new": "value"})
    stored = head_object(aws.s3, target, version_id)
    assert stored
    assert (stored.path, stored.version_id) == (target, version_id)
    assert (version_id is not None) is (target is TARGET)
    assert aws.read(target) == b"content"
    assert stored.metadata == {"new": "value"}


def test_a_copy_replaces_metadata_and_tags_so_that_it_needs_no_right_to_read_tags(aws: FakeAws) -> None:
    write_object(aws.s3, TARGET, S3Path("assets", "layer.zip"), {"key": "value"})
    (copy,) = aws.sent("CopyObject")
    assert copy["MetadataDirective"] == "REPLACE"
    assert copy["TaggingDirective"] == "REPLACE"


def test_all_versions_of_an_object_can_be_found_and_deleted(aws: FakeAws) -> None:
    for path in (TARGET, PLAIN):
        write_object(aws.s3, path, b"1", {})
        write_object(aws.s3, path, b"2", {})
    aws.s3.delete_object(Bucket=TARGET.bucket, Key=TARGET.key)
    for path, count in ((TARGET, 3), (PLAIN, 1)):
        folder = S3Path(path.bucket, "folder/")
        versions = list_object_versions(aws.s3, folder)
        assert {found: len(ids) for found, ids in versions.items()} == {path: count}
        for _ in range(2):
            delete_object_versions(aws.s3, path, versions[path])
        assert not list_object_versions(aws.s3, folder)
