"""Where a layer's and a source's objects are in S3."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..errors import LbdartError
from .records import SBOM_NAME
from .s3 import S3Path

ZFILL = 6
"""Digits of a layer version in an S3 key, so that versions sort as numbers."""


class S3MetadataKeyEnum(StrEnum):
    """Keys of the user metadata on our S3 objects."""

    manifest_md5 = "manifest_md5"
    build_key = "build_key"
    source_sha256 = "source_sha256"
    layer_version_arn = "layer_version_arn"


@dataclass(frozen=True)
class LayerS3Layout:
    """Keys of a layer's objects below one S3 folder.

    :param s3dir_lambda: the folder, as :class:`S3Path` or ``s3://bucket/prefix``.
    """

    s3dir_lambda: S3Path | str

    @property
    def s3dir_layer(self) -> S3Path:
        """``{s3dir}/layer/``."""
        return S3Path.parse(self.s3dir_lambda) / "layer/"

    @property
    def s3path_temp_layer_zip(self) -> S3Path:
        """``{s3dir}/layer/layer.zip``, the zip that is published next or was published last."""
        return self.s3dir_layer / "layer.zip"

    @property
    def s3path_publish_claim(self) -> S3Path:
        """``{s3dir}/layer/publish-claim.json``: who publishes now."""
        return self.s3dir_layer / "publish-claim.json"

    def get_s3path_temp_manifest(self, manifest_name: str) -> S3Path:
        """``{s3dir}/layer/{manifest}``, beside the zip it belongs to."""
        return self.s3dir_layer / manifest_name

    def get_s3dir_layer_version(self, layer_version: int) -> S3Path:
        """``{s3dir}/layer/{layer_version:06d}/``."""
        return self.s3dir_layer / f"{layer_version:0{ZFILL}d}/"

    def get_s3path_layer_sbom(self, layer_version: int) -> S3Path:
        """``{s3dir}/layer/{layer_version:06d}/sbom.cdx.json``, if the layer was built from wheels."""
        return self.get_s3dir_layer_version(layer_version) / SBOM_NAME

    def get_s3path_layer_manifest(self, layer_version: int, manifest_name: str) -> S3Path:
        """``{s3dir}/layer/{layer_version:06d}/{manifest}``."""
        return self.get_s3dir_layer_version(layer_version) / manifest_name


@dataclass(frozen=True)
class SourceS3Layout:
    """Keys of the source zips below one S3 folder.

    :param s3dir_lambda: the folder, as :class:`S3Path` or ``s3://bucket/prefix``.
    """

    s3dir_lambda: S3Path | str

    @property
    def s3dir_source(self) -> S3Path:
        """``{s3dir}/source/``."""
        return S3Path.parse(self.s3dir_lambda) / "source/"

    def get_s3path_source_zip(self, version: str, sha256: str) -> S3Path:
        """``{s3dir}/source/{version}/{sha256}/source.zip``.

        :param version: the project's version, as its pyproject.toml has it.
        :param sha256: 64 hex digits that name the code.
        :raises LbdartError: if the version cannot be the name of a folder.
        """
        if not isinstance(version, str) or "/" in version or version in ("", ".", ".."):
            raise LbdartError(
                f"{version!r} is no version that can name a folder in S3.",
                "Pass the version of the project, as in 1.2.0.",
            )
        return self.s3dir_source / version / sha256 / "source.zip"
