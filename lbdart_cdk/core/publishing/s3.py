"""S3 locations, and the S3 operations that layer and source uploads share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from ..errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectRequestTypeDef

__all__ = [
    "S3Location",
    "S3Object",
    "S3Path",
    "delete_object_versions",
    "head_object",
    "list_object_versions",
    "read_object",
    "write_object",
]


_ZIP: Final = "application/zip"


class _HasBucketAndKey(Protocol):
    @property
    def bucket(self) -> str: ...
    @property
    def key(self) -> str: ...


@dataclass(frozen=True, order=True)
class S3Path:
    """A bucket and a key in it; an empty key or one that ends with ``/`` is a folder.

    :param bucket: the name of the bucket.
    :param key: the key without a leading ``/``; it may be empty.
    """

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, location: S3Location) -> S3Path:
        """Return a location as an :class:`S3Path`.

        :param location: ``s3://bucket/key``, or an object with ``bucket`` and ``key``, such as an
            :class:`S3Path` or one of s3pathlib.
        :raises LbdartError: when it is neither.
        """
        if isinstance(location, S3Path):
            return location
        bucket, key = getattr(location, "bucket", None), getattr(location, "key", None)
        if isinstance(bucket, str) and bucket and isinstance(key, str):
            return cls(bucket, key)
        scheme, _, rest = str(location).partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise InvalidError(
                f"{location!r} is not an S3 URI.",
                "Write it as s3://bucket/prefix.",
            )
        return cls(bucket, key.lstrip("/"))

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def basename(self) -> str:
        """The last part of the key: the name of the file or folder."""
        return self.key.rstrip("/").rpartition("/")[2]

    def __truediv__(self, part: str) -> S3Path:
        """Join with exactly one ``/``; a ``/`` at the end of ``part`` stays, so folders stay folders."""
        folder = self.key.rstrip("/")
        return S3Path(self.bucket, f"{folder}/{part.lstrip('/')}" if folder else part.lstrip("/"))

    def __str__(self) -> str:
        return self.uri


#: A location in S3 as a user may state it.
S3Location: TypeAlias = S3Path | str | _HasBucketAndKey


@dataclass(frozen=True)
class S3Object:
    """An object as HeadObject describes it.

    :param version_id: None in a bucket without versioning.
    :param metadata: the user metadata, with keys in lower case.
    :param age: the seconds since the object was written, by the clock of S3.
    """

    path: S3Path
    version_id: str | None
    etag: str
    metadata: Mapping[str, str]
    age: float


def head_object(s3_client: S3Client, path: S3Path, version_id: str | None = None) -> S3Object | None:
    """Return the description of an object, or None when it does not exist.

    Without ``s3:ListBucket`` on the bucket, S3 answers 403 for a missing key (S3 API reference: HeadObject),
    and the role of the custom resource does not have this permission. So 403 counts as "does not exist". When
    a permission is missing, the call that then reads or writes the object fails.

    :param version_id: the version of the object; None for the newest.
    :raises botocore.exceptions.ClientError: when S3 answers with another error.
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
    s3_client: S3Client,
    target: S3Path,
    source: bytes | Path | S3Path,
    metadata: Mapping[str, str],
    *,
    tagging: str = "",
) -> str | None:
    """Write bytes, a local zip or a copy of another object to ``target``.

    :param metadata: all user metadata of the object, in ASCII.
    :param tagging: the tags of an uploaded file, as a query string.
    :return: the id of the new version; None in a bucket without versioning.
    :raises botocore.exceptions.ClientError: when S3 refuses.
    :raises boto3.exceptions.S3UploadFailedError: when S3 refuses the upload of a file.
    """
    bucket, key = target.bucket, target.key
    if isinstance(source, Path):
        extra: dict[str, object] = {"Metadata": dict(metadata), "ContentType": _ZIP}
        if tagging:
            extra["Tagging"] = tagging
        s3_client.upload_file(str(source), bucket, key, ExtraArgs=extra)
        # The managed transfer does not return the version.
        uploaded = head_object(s3_client, target)
        return uploaded.version_id if uploaded else None
    if isinstance(source, bytes):
        put = s3_client.put_object(Bucket=bucket, Key=key, Body=source, Metadata=metadata)
        return _version_id(put.get("VersionId"))
    # The copy gets no tags, since copying them needs s3:GetObjectTagging on the source.
    copied = s3_client.copy_object(
        Bucket=bucket,
        Key=key,
        CopySource={"Bucket": source.bucket, "Key": source.key},
        Metadata=metadata,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
    )
    return _version_id(copied.get("VersionId"))


def read_object(s3_client: S3Client, path: S3Path) -> bytes | None:
    """Return the bytes of a small object; None when it does not exist.

    :raises botocore.exceptions.ClientError: when S3 refuses.
    """
    try:
        answer = s3_client.get_object(Bucket=path.bucket, Key=path.key)
    except s3_client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return None
        raise
    with answer["Body"] as body:
        return body.read()


def list_object_versions(s3_client: S3Client, folder: S3Path) -> dict[S3Path, list[str]]:
    """Return the objects below a folder, each with the ids of its versions and delete markers."""
    version_ids: dict[S3Path, list[str]] = defaultdict(list)
    pages = s3_client.get_paginator("list_object_versions").paginate(Bucket=folder.bucket, Prefix=folder.key)
    for page in pages:
        for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            version_ids[S3Path(folder.bucket, entry["Key"])].append(entry["VersionId"])
    return dict(version_ids)


def delete_object_versions(s3_client: S3Client, path: S3Path, version_ids: list[str]) -> None:
    """Delete versions of an object permanently; a version that does not exist is not an error."""
    for version_id in version_ids:
        s3_client.delete_object(Bucket=path.bucket, Key=path.key, VersionId=version_id)


def _version_id(version_id: str | None) -> str | None:
    """Return the id, or None for "null", the reusable id of a bucket with suspended versioning."""
    return None if version_id == "null" else version_id
