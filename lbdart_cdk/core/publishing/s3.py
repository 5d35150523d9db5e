"""S3 locations, and the few S3 operations that layer and source uploads share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LbdartError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectRequestTypeDef

__all__ = [
    "S3Object",
    "S3Path",
    "delete_object_versions",
    "head_object",
    "list_object_versions",
    "write_object",
]


@dataclass(frozen=True, order=True)
class S3Path:
    """A bucket and a key in it; a key that ends in ``/`` (or is empty) is a folder.

    :param bucket: name of the bucket.
    :param key: key without a leading ``/``; may be empty.
    """

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, location: S3Path | str) -> S3Path:
        """Read ``s3://bucket/key``; an :class:`S3Path` is returned as it is.

        :raises LbdartError: if the text is not an S3 URI.
        """
        if isinstance(location, S3Path):
            return location
        scheme, _, rest = str(location).partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise LbdartError(
                f"{location!r} is not a location in S3.",
                "Write it as s3://bucket/prefix.",
            )
        return cls(bucket, key.lstrip("/"))

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"

    def __truediv__(self, part: str) -> S3Path:
        """Join with exactly one ``/``; a trailing ``/`` of ``part`` stays, so that folders stay folders."""
        folder = self.key.rstrip("/")
        return S3Path(self.bucket, f"{folder}/{part.lstrip('/')}" if folder else part.lstrip("/"))

    def __str__(self) -> str:
        return self.uri


@dataclass(frozen=True)
class S3Object:
    """What HeadObject tells about an object.

    :param version_id: None in a bucket without versioning.
    :param metadata: user metadata, keys in lower case.
    :param age: seconds since it was written, by the clock of S3.
    """

    path: S3Path
    version_id: str | None
    etag: str
    metadata: Mapping[str, str]
    age: float


def head_object(s3_client: S3Client, path: S3Path, version_id: str | None = None) -> S3Object | None:
    """Look at an object (its newest version unless told otherwise); None if it is not there.

    Without ``s3:ListBucket`` on the bucket S3 answers 403 for a missing key (S3 API reference: HeadObject),
    and the role of the custom resource has no such permission. So 403 counts as "not there": whoever goes on
    to read or write the object is told if the permission really lacks.

    :raises botocore.exceptions.ClientError: for other answers of S3 than the object or its absence.
    """
    request: HeadObjectRequestTypeDef = {"Bucket": path.bucket, "Key": path.key}
    if version_id:
        request["VersionId"] = version_id
    try:
        answer = s3_client.head_object(**request)
    except s3_client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in {"403", "404", "NoSuchKey", "NoSuchVersion"}:
            return None
        raise
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(date) if date else datetime.now(UTC)
    return S3Object(
        path=path,
        version_id=_version_id(answer.get("VersionId")),
        etag=answer["ETag"],
        metadata=answer["Metadata"],
        age=max(0.0, (now - answer["LastModified"]).total_seconds()),
    )


def write_object(
    s3_client: S3Client, target: S3Path, source: bytes | Path | S3Path, metadata: Mapping[str, str]
) -> str | None:
    """Put bytes, a local file or another object (copied by S3 itself) at ``target``.

    :param metadata: all the user metadata that the object will have; ASCII.
    :return: the version written; None in a bucket without versioning.
    :raises botocore.exceptions.ClientError: if S3 refuses.
    :raises boto3.exceptions.S3UploadFailedError: if S3 refuses the upload of a file.
    """
    bucket, key = target.bucket, target.key
    if isinstance(source, Path):
        s3_client.upload_file(str(source), bucket, key, ExtraArgs={"Metadata": dict(metadata)})
        # The managed transfer does not tell the version.
        uploaded = head_object(s3_client, target)
        return uploaded.version_id if uploaded else None
    if isinstance(source, bytes):
        put = s3_client.put_object(Bucket=bucket, Key=key, Body=source, Metadata=metadata)
        return _version_id(put.get("VersionId"))
    # Tags are replaced by none: to copy them would need s3:GetObjectTagging on the source.
    copied = s3_client.copy_object(
        Bucket=bucket,
        Key=key,
        CopySource={"Bucket": source.bucket, "Key": source.key},
        Metadata=metadata,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
    )
    return _version_id(copied.get("VersionId"))


def list_object_versions(s3_client: S3Client, folder: S3Path) -> dict[S3Path, list[str]]:
    """Every key below a folder with the ids of all its versions and delete markers."""
    found: dict[S3Path, list[str]] = defaultdict(list)
    pages = s3_client.get_paginator("list_object_versions").paginate(Bucket=folder.bucket, Prefix=folder.key)
    for page in pages:
        for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            found[S3Path(folder.bucket, entry["Key"])].append(entry["VersionId"])
    return dict(found)


def delete_object_versions(s3_client: S3Client, path: S3Path, version_ids: list[str]) -> None:
    """Delete versions of an object for good; one that is gone already is no error."""
    for version_id in version_ids:
        s3_client.delete_object(Bucket=path.bucket, Key=path.key, VersionId=version_id)


def _version_id(answered: str | None) -> str | None:
    """The id that pins an object; "null", of a bucket whose versioning is suspended, pins nothing."""
    return None if answered == "null" else answered
