"""Every write names the encryption that the bucket has by default, and never another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from lbdart_cdk.core.api import name_encryption
from lbdart_cdk.core.publishing.s3 import S3Path, write_object

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

KEY = "arn:aws:kms:us-east-1:123456789012:key/ours"
TARGET = S3Path("bucket", "target")
DEFAULTS: list[tuple[dict[str, Any] | None, dict[str, Any]]] = [
    (None, {"ServerSideEncryption": "AES256"}),
    (
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False},
        {"ServerSideEncryption": "AES256"},
    ),
    (
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}},
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY},
    ),
    (
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
            "BucketKeyEnabled": True,
        },
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY, "BucketKeyEnabled": True},
    ),
    (
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}},
        {"ServerSideEncryption": "aws:kms"},
    ),
]


@pytest.fixture
def s3() -> Iterator[S3Client]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        yield client


def sent(s3: S3Client) -> list[dict[str, Any]]:
    """What each write names, from now on."""
    writes: list[dict[str, Any]] = []

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        if model.name in ("PutObject", "CopyObject", "CreateMultipartUpload"):
            writes.append(
                {
                    key: params[key]
                    for key in ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
                    if key in params
                }
            )

    s3.meta.events.register_last("provide-client-params.s3", note)
    return writes


@pytest.mark.parametrize(("default", "named"), DEFAULTS)
def test_each_write_names_the_default_of_its_bucket(
    s3: S3Client, tmp_path: Path, default: dict[str, Any] | None, named: dict[str, Any]
) -> None:
    if default:
        configuration: Any = {"Rules": [default]}
        s3.put_bucket_encryption(Bucket="bucket", ServerSideEncryptionConfiguration=configuration)
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "large").write_bytes(b"x" * (9 << 20))  # in parts
    name_encryption(s3)
    writes = sent(s3)
    for source in (b"x", tmp_path / "small", tmp_path / "large", TARGET):
        write_object(s3, TARGET, source, {"a": "b"})
    assert writes == [named] * 4
    assert (
        s3.head_object(Bucket="bucket", Key="target")["ServerSideEncryption"] == named["ServerSideEncryption"]
    )


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket"])
def test_who_may_not_ask_names_none_so_that_s3_takes_the_default(s3: S3Client, code: str) -> None:
    def refuse(**_: object) -> None:
        raise s3.exceptions.ClientError({"Error": {"Code": code}}, "GetBucketEncryption")

    s3.meta.events.register("before-call.s3.GetBucketEncryption", refuse)
    name_encryption(s3)
    writes = sent(s3)
    write_object(s3, TARGET, b"x", {})
    assert writes == [{}]


def test_what_a_caller_names_stays(s3: S3Client) -> None:
    name_encryption(s3)
    writes = sent(s3)
    s3.put_object(Bucket="bucket", Key="key", Body=b"x", ServerSideEncryption="aws:kms")
    assert writes == [{"ServerSideEncryption": "aws:kms"}]
