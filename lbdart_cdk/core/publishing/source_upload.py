"""Uploads a function's source zip to S3."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from ..errors import InvalidError, unreadable
from .aws_errors import calling_aws
from .layouts import S3MetadataKeyEnum, SourceS3Layout
from .logger import BaseLogger
from .ownership import find_owned, joint_owner, owner_metadata
from .s3 import S3Path, delete_object_versions, head_object, sha256_of, write_object

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from .s3 import S3Location

__all__ = ["remove_source_zips", "upload_source_zip"]

_SILENT: Final = BaseLogger(verbose=False)


def upload_source_zip(
    s3_client: S3Client,
    s3dir_lambda: S3Location,
    source_zip: Path | S3Path,
    version: str,
    sha256: str,
    *,
    owner: str = "",
    logger: BaseLogger = _SILENT,
) -> S3Path:
    """Upload a source zip to ``{s3dir}/source/{version}/{sha256}/source.zip`` unless it is there already.

    It is there when S3 itself computed this SHA-256 of the object, or its bytes have it; anybody can write
    metadata.

    :param source_zip: a file, which is uploaded, or an object, which S3 copies.
    :param version: the project's version.
    :param sha256: the zip's SHA-256, 64 hex digits; it becomes part of the key and of the metadata.
    :param owner: see :mod:`lbdart_cdk.core.publishing.ownership`.
    :param logger: prints whether the zip was uploaded.
    :return: the location of the zip in S3.
    :raises LbdartError: when S3 refuses, when the file or the object to copy does not exist, or when it has
        another SHA-256.
    """
    target = SourceS3Layout(s3dir_lambda).get_s3path_source_zip(version, sha256)
    if not isinstance(source_zip, S3Path):
        _check_sha256(source_zip, sha256)
    with calling_aws(f"put {source_zip} at {target}"):
        stored = head_object(s3_client, target, with_sha256=True)
        sha256_metadata: dict[str, str] = {S3MetadataKeyEnum.source_sha256: sha256}
        metadata = {**sha256_metadata, **owner_metadata(joint_owner(stored, owner))}
        if stored is None or sha256_of(s3_client, stored) != sha256:
            write_object(s3_client, target, source_zip, metadata, sha256=sha256)
            logger.log(f"Stored at {target}.")
            return target
        if stored.metadata != metadata:
            # The zip is right; only its metadata change.
            write_object(s3_client, target, target, metadata, sha256=sha256)
    logger.log(f"This code is already stored at {target}.")
    return target


def _check_sha256(source_zip: Path, sha256: str) -> None:
    try:
        with source_zip.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(
            error,
            f"The source zip {source_zip} cannot be read: {error.strerror or error}.",
            "Create it with create_source_zip(), and pass the path that this function returns.",
        ) from error
    if actual != sha256:
        raise InvalidError(
            f"The source zip {source_zip} has the SHA-256 {actual}, not {sha256}.",
            "Pass the path and sha256 that create_source_zip() returned, and upload before the next build.",
        )


def remove_source_zips(s3_client: S3Client, s3dir_lambda: S3Location, owner: str) -> None:
    """Delete all versions of the source zips below ``{s3dir}/source/`` that ``owner`` alone owns.

    :param owner: see :mod:`lbdart_cdk.core.publishing.ownership`.
    :raises LbdartError: when S3 refuses.
    """
    folder = SourceS3Layout(s3dir_lambda).s3dir_source
    with calling_aws(f"remove the source zips below {folder}"):
        for path, version_ids in find_owned(s3_client, folder, owner).items():
            delete_object_versions(s3_client, path, version_ids)
