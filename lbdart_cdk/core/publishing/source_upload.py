"""A function's source zip on its way to S3."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from ..errors import LbdartError
from .aws_errors import calling_aws
from .layouts import S3MetadataKeyEnum, SourceS3Layout
from .logger import BaseLogger
from .ownership import find_owned, joint_owner, owner_metadata
from .s3 import S3Path, delete_object_versions, head_object, write_object

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

__all__ = ["remove_source_zips", "upload_source_zip"]

_SILENT: Final = BaseLogger(verbose=False)


def upload_source_zip(
    s3_client: S3Client,
    s3dir_lambda: S3Path | str,
    source_zip: Path | S3Path,
    version: str,
    sha256: str,
    *,
    owner: str = "",
    logger: BaseLogger = _SILENT,
) -> S3Path:
    """Bring a source zip to ``{s3dir}/source/{version}/{sha256}/source.zip``, unless it is there.

    :param source_zip: a file, which boto3's managed transfer uploads whole, or an object, which S3 copies by
        itself.
    :param sha256: the zip's SHA-256, 64 hex digits that name the code; noted in the object's metadata.
    :param owner: see :mod:`lbdart_cdk.core.publishing.ownership`.
    :param logger: is told whether there was something to do.
    :raises LbdartError: if S3 refuses, the file or the object to copy is not there, or the file has another
        SHA-256.
    """
    target = SourceS3Layout(s3dir_lambda).get_s3path_source_zip(version, sha256)
    if not isinstance(source_zip, S3Path):
        _refuse_unless_named(source_zip, sha256)
    with calling_aws(f"put {source_zip} at {target}"):
        stored = head_object(s3_client, target)
        identity: dict[str, str] = {S3MetadataKeyEnum.source_sha256: sha256}
        metadata = {**identity, **owner_metadata(joint_owner(stored, owner))}
        if stored is None or not identity.items() <= stored.metadata.items():
            write_object(s3_client, target, source_zip, metadata)
            logger.log(f"Stored at {target}.")
            return target
        if stored.metadata != metadata:
            write_object(s3_client, target, target, metadata)  # the zip is right, its owner is to be noted
    logger.log(f"This code is there already: {target}")
    return target


def _refuse_unless_named(source_zip: Path, sha256: str) -> None:
    try:
        with source_zip.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LbdartError(
            f"The source zip {source_zip} cannot be read: {error.strerror or error}.",
            "Make it with create_source_zip(), and pass the path that this returns.",
        ) from error
    if found != sha256:
        raise LbdartError(
            f"The source zip {source_zip} has the sha256 {found}, and not {sha256}.",
            "Pass path and sha256 of what create_source_zip() returned, and upload before another build.",
        )


def remove_source_zips(s3_client: S3Client, s3dir_lambda: S3Path | str, owner: str) -> None:
    """Delete the source zips below ``{s3dir}/source/`` that belong to ``owner`` alone, in all their versions.

    :raises LbdartError: if S3 refuses.
    """
    folder = SourceS3Layout(s3dir_lambda).s3dir_source
    with calling_aws(f"remove the source zips below {folder}"):
        for path, version_ids in find_owned(s3_client, folder, owner).items():
            delete_object_versions(s3_client, path, version_ids)
