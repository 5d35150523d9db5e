"""Uploads a layer's zip and manifest to S3."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .aws_errors import calling_aws
from .identity import LayerIdentity, marked
from .layouts import LayerS3Layout, S3MetadataKeyEnum
from .ownership import owner_metadata
from .records import SBOM_NAME, S3Member
from .s3 import S3Path, write_object

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from .manifest import LayerManifest
    from .s3 import S3Location

__all__ = ["UploadedLayer", "UploadedZip", "upload_layer", "upload_zip"]


@dataclass(frozen=True)
class UploadedZip:
    """A zip in S3.

    :param zip_version_id: None in a bucket without versioning.
    :param zip_sha256: the SHA-256 that the zip has by the checksum of S3, 64 hex digits; empty when it was
        not compared.
    """

    zip: S3Path
    zip_version_id: str | None
    zip_sha256: str = ""


@dataclass(frozen=True)
class UploadedLayer:
    """A zip and its manifest in S3, with the object versions of this upload.

    :param zip_version_id: None in a bucket without versioning.
    :param manifest_version_id: None in a bucket without versioning.
    :param zip_sha256: see :class:`UploadedZip`.
    """

    zip: S3Path
    zip_version_id: str | None
    manifest: S3Path
    manifest_version_id: str | None
    zip_sha256: str = ""


def upload_layer(
    s3_client: S3Client,
    s3dir_lambda: S3Location,
    layer_zip: Path | S3Path,
    manifest: LayerManifest,
    build_key: str,
    *,
    owner: str = "",
    sbom: bytes | S3Member | None = None,
    zip_sha256: str = "",
) -> UploadedLayer:
    """Upload a zip and its manifest to ``{s3dir}/layer/``, with manifest MD5 and build key as metadata.

    :param layer_zip: a file, which is uploaded, or an object, which S3 copies (both at most 5 GB: S3 API
        reference, PutObject and CopyObject). A file without an identity
        (:mod:`lbdart_cdk.core.publishing.identity`) is uploaded with one.
    :param owner: see :mod:`lbdart_cdk.core.publishing.ownership`.
    :param sbom: the bill of materials, uploaded too unless None.
    :param zip_sha256: the SHA-256 that the uploaded zip must have; unchecked when empty.
    :raises LbdartError: when S3 refuses, when the object to copy does not exist, or when the zip has another
        build key, SHA-256 or manifest MD5.
    """
    layout = LayerS3Layout(s3dir_lambda)
    zipped = upload_zip(
        s3_client, s3dir_lambda, layer_zip, manifest.md5, build_key, owner=owner, zip_sha256=zip_sha256
    )
    metadata = _metadata(manifest.md5, build_key, owner)
    if sbom is not None:
        s3path_sbom = layout.s3dir_layer / SBOM_NAME
        with calling_aws(f"put the bill of materials at {s3path_sbom}"):
            sbom_content = sbom.read(s3_client) if isinstance(sbom, S3Member) else sbom
            write_object(s3_client, s3path_sbom, sbom_content, metadata)
    s3path_manifest = layout.get_s3path_temp_manifest(manifest.name)
    with calling_aws(f"put the manifest {manifest} at {s3path_manifest}"):
        manifest_version_id = write_object(s3_client, s3path_manifest, manifest.checked(s3_client), metadata)
    return UploadedLayer(
        zipped.zip, zipped.zip_version_id, s3path_manifest, manifest_version_id, zipped.zip_sha256
    )


def upload_zip(
    s3_client: S3Client,
    s3dir_lambda: S3Location,
    layer_zip: Path | S3Path,
    manifest_md5: str,
    build_key: str,
    *,
    owner: str = "",
    zip_sha256: str = "",
) -> UploadedZip:
    """Upload a zip as :func:`upload_layer` does, without its manifest.

    :raises LbdartError: as :func:`upload_layer` does.
    """
    s3path_zip = LayerS3Layout(s3dir_lambda).s3path_temp_layer_zip
    identity = LayerIdentity(build_key)
    marked_zip = nullcontext(layer_zip) if isinstance(layer_zip, S3Path) else marked(layer_zip, identity)
    with calling_aws(f"put {layer_zip} at {s3path_zip}"), marked_zip as content:
        metadata = _metadata(manifest_md5, build_key, owner)
        version_id = write_object(s3_client, s3path_zip, content, metadata, sha256=zip_sha256)
    return UploadedZip(s3path_zip, version_id, zip_sha256)


def _metadata(manifest_md5: str, build_key: str, owner: str) -> dict[str, str]:
    return {
        S3MetadataKeyEnum.manifest_md5: manifest_md5,
        S3MetadataKeyEnum.build_key: build_key,
        **owner_metadata(owner),
    }
