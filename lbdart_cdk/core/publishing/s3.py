"""S3 locations, and the S3 operations that layer and source uploads share."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from ..errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectRequestTypeDef, PutObjectRequestTypeDef

__all__ = [
    "S3Location",
    "S3Object",
    "S3Path",
    "answered_at",
    "delete_object_versions",
    "from_base64",
    "head_object",
    "list_object_versions",
    "read_object",
    "sha256_of",
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
    :param sha256: the SHA-256 that S3 computed of the bytes, 64 hex digits. None when it was not asked for,
        and when S3 has none: the writer did not ask for it, or uploaded the object in parts.
    """

    path: S3Path
    version_id: str | None
    etag: str
    metadata: Mapping[str, str]
    age: float
    sha256: str | None = None


def head_object(
    s3_client: S3Client,
    path: S3Path,
    version_id: str | None = None,
    *,
    with_sha256: bool = False,
    is_listed: bool = False,
) -> S3Object | None:
    """Return the description of an object, or None when it does not exist.

    For a missing key S3 answers 404, but 403 to a caller without ``s3:ListBucket`` on the whole bucket (S3
    API reference: HeadObject). The role of the custom resource has this permission, so that its clients can
    tell a denial, which they repeat, from a missing key. A script may lack it, so 403 counts as "does not
    exist". When a permission is missing, the call that then reads or writes the object fails.

    :param version_id: the version of the object; None for the newest.
    :param with_sha256: whether to ask for the SHA-256, which needs ``kms:Decrypt`` when a key encrypts the
        object (S3 API reference: HeadObject).
    :param is_listed: whether the object is known to exist, as from a listing, so that 403 is a denial.
    :raises botocore.exceptions.ClientError: when S3 answers with another error.
    """
    request: HeadObjectRequestTypeDef = {"Bucket": path.bucket, "Key": path.key}
    if version_id:
        request["VersionId"] = version_id
    if with_sha256:
        request["ChecksumMode"] = "ENABLED"
    try:
        answer = s3_client.head_object(**request)
    except s3_client.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"404", "NoSuchKey", "NoSuchVersion"} or (code == "403" and not is_listed):
            return None
        raise
    return S3Object(
        path=path,
        version_id=_version_id(answer.get("VersionId")),
        etag=answer["ETag"],
        metadata=answer["Metadata"],
        age=max(0.0, (answered_at(answer) - answer["LastModified"]).total_seconds()),
        sha256=from_base64(answer.get("ChecksumSHA256", "")),
    )


def answered_at(answer: Mapping[str, Any]) -> datetime:
    """Return the time of an answer, by the clock of S3."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    from email.utils import parsedate_to_datetime  # loads much, and builds need no time of S3

    return parsedate_to_datetime(date) if date else datetime.now(UTC)


def from_base64(sha256: str) -> str | None:
    """Return a SHA-256 as S3 and Lambda write it in hexadecimal; None when it is not one.

    The checksum of an object that was uploaded in parts ends in ``-`` and their number (S3 User Guide,
    "Checking object integrity"). It is not the SHA-256 of the bytes.
    """
    return b64decode(sha256).hex() if sha256 and "-" not in sha256 else None


def write_object(
    s3_client: S3Client,
    target: S3Path,
    source: bytes | Path | S3Path,
    metadata: Mapping[str, str],
    *,
    tagging: str = "",
    sha256: str = "",
    only_if_absent: bool = False,
) -> str | None:
    """Write bytes, a local zip or a copy of another object to ``target``.

    S3 computes the SHA-256 of zips and copies, so that :func:`head_object` can tell it. A zip is uploaded in
    one part (at most 5 GB), because S3 has no SHA-256 of what is uploaded in several.

    :param metadata: all user metadata of the object, in ASCII.
    :param tagging: the tags of an uploaded file, as a query string.
    :param sha256: the SHA-256 that S3 must find a zip or a copy to have, 64 hex digits; empty: no check.
    :param only_if_absent: whether S3 refuses bytes with ``PreconditionFailed`` when there is an object.
    :return: the id of the new version; None in a bucket without versioning.
    :raises botocore.exceptions.ClientError: when S3 refuses, as it does a zip with another SHA-256.
    :raises LbdartError: when a copy has another SHA-256. The copy is there then, but its checksum tells.
    """
    bucket, key = target.bucket, target.key
    if isinstance(source, Path):
        request: PutObjectRequestTypeDef = {
            "Bucket": bucket,
            "Key": key,
            "Metadata": metadata,
            "ContentType": _ZIP,
            "ChecksumAlgorithm": "SHA256",
        }
        if tagging:
            request["Tagging"] = tagging
        if sha256:
            request["ChecksumSHA256"] = b64encode(bytes.fromhex(sha256)).decode()
        with source.open("rb") as file:
            request["Body"] = file
            uploaded = s3_client.put_object(**request)
        return _version_id(uploaded.get("VersionId"))
    if isinstance(source, bytes):
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if only_if_absent else {}
        put = s3_client.put_object(Bucket=bucket, Key=key, Body=source, Metadata=metadata, **condition)
        return _version_id(put.get("VersionId"))
    # The copy gets no tags, since copying them needs s3:GetObjectTagging on the source.
    copied = s3_client.copy_object(
        Bucket=bucket,
        Key=key,
        CopySource={"Bucket": source.bucket, "Key": source.key},
        Metadata=metadata,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        ChecksumAlgorithm="SHA256",
    )
    version_id = _version_id(copied.get("VersionId"))
    actual = from_base64(copied["CopyObjectResult"].get("ChecksumSHA256", ""))
    if sha256 and not actual:
        actual = _read_sha256(s3_client, target, version_id)
    if sha256 and actual != sha256:
        raise InvalidError(
            f"{source} has the SHA-256 {actual}, not {sha256}: it is not what was built.",
            "Find out who can write there; delete the object, and deploy again.",
        )
    return version_id


def sha256_of(s3_client: S3Client, stored: S3Object) -> str:
    """Return the SHA-256 of an object's bytes as S3 computed it; if S3 did not, read the object.

    :param stored: the object, from :func:`head_object` with its SHA-256 asked for.
    :raises botocore.exceptions.ClientError: when S3 refuses.
    """
    return stored.sha256 or _read_sha256(s3_client, stored.path, stored.version_id)


def _read_sha256(s3_client: S3Client, path: S3Path, version_id: str | None) -> str:
    version: dict[str, Any] = {"VersionId": version_id} if version_id else {}
    body = s3_client.get_object(Bucket=path.bucket, Key=path.key, **version)["Body"]
    digest = hashlib.sha256()
    with closing(body):
        for piece in body.iter_chunks(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


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


def list_object_versions(
    s3_client: S3Client, folder: S3Path, *, only_existing: bool = False
) -> dict[S3Path, list[str]]:
    """Return the objects below a folder, each with the ids of its versions and delete markers.

    In a bucket that does not exist (any more), there are none.

    :param only_existing: whether to leave out objects whose newest version is a delete marker.
    """
    version_ids: dict[S3Path, list[str]] = defaultdict(list)
    deleted: set[S3Path] = set()
    pages = s3_client.get_paginator("list_object_versions").paginate(Bucket=folder.bucket, Prefix=folder.key)
    try:
        for page in pages:
            for entry in page.get("Versions", ()):
                version_ids[S3Path(folder.bucket, entry["Key"])].append(entry["VersionId"])
            for marker in page.get("DeleteMarkers", ()):
                path = S3Path(folder.bucket, marker["Key"])
                version_ids[path].append(marker["VersionId"])
                if marker["IsLatest"]:
                    deleted.add(path)
    except s3_client.exceptions.NoSuchBucket:
        return {}
    left_out = deleted if only_existing else ()
    return {path: ids for path, ids in version_ids.items() if path not in left_out}


def delete_object_versions(s3_client: S3Client, path: S3Path, version_ids: list[str]) -> None:
    """Delete versions of an object permanently; a version that does not exist is not an error."""
    for version_id in version_ids:
        s3_client.delete_object(Bucket=path.bucket, Key=path.key, VersionId=version_id)


def _version_id(version_id: str | None) -> str | None:
    """Return the id, or None for "null", the reusable id of a bucket with suspended versioning."""
    return None if version_id == "null" else version_id
