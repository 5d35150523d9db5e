"""A layer's zip and manifest on their way to S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..aws import explained
from ..ownership import owner_metadata
from ..s3 import write_object
from .foundation import LayerS3Layout, S3MetadataKeyEnum

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from ..s3 import S3Path
    from .foundation import LayerManifest

__all__ = ["UploadedLayer", "upload_layer_zip_to_s3"]


@dataclass(frozen=True)
class UploadedLayer:
    """A zip and its manifest in S3, each pinned to the version that was written.

    :param zip_version_id: None in a bucket without versioning; so is the manifest's.
    """

    zip: S3Path
    zip_version_id: str | None
    manifest: S3Path
    manifest_version_id: str | None


def upload_layer_zip_to_s3(
    s3_client: S3Client,
    s3dir_lambda: S3Path | str,
    layer_zip: Path | S3Path,
    manifest: LayerManifest,
    build_key: str,
    *,
    owner: str = "",
) -> UploadedLayer:
    """Bring zip and manifest to ``{s3dir}/layer/``, with manifest MD5 and build key in their metadata.

    :param layer_zip: a file, which boto3's managed transfer uploads whole, or an object, which S3 copies by
        itself (at most 5 GB: S3 API reference, CopyObject).
    :param owner: see :mod:`lbdart_cdk.core.ownership`.
    :raises LbdartError: if S3 refuses, or the object to copy is not there.
    """
    layout = LayerS3Layout(s3dir_lambda)
    metadata = {
        S3MetadataKeyEnum.manifest_md5: manifest.md5,
        S3MetadataKeyEnum.build_key: build_key,
        **owner_metadata(owner),
    }
    s3path_zip = layout.s3path_temp_layer_zip
    with explained(f"put {layer_zip} at {s3path_zip}"):
        zip_version_id = write_object(s3_client, s3path_zip, layer_zip, metadata)
    s3path_manifest = layout.get_s3path_temp_manifest(manifest.name)
    with explained(f"put the manifest {manifest} at {s3path_manifest}"):
        manifest_version_id = write_object(s3_client, s3path_manifest, manifest.content, metadata)
    return UploadedLayer(s3path_zip, zip_version_id, s3path_manifest, manifest_version_id)
