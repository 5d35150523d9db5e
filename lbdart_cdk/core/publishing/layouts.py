"""The S3 keys of the objects of layers and sources."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from ..errors import InvalidError
from .records import SBOM_NAME
from .s3 import S3Location, S3Path

#: The digits of a layer version in an S3 key, so that versions sort as numbers.
ZFILL = 6


class S3MetadataKeyEnum(StrEnum):
    """The keys of this library's user metadata on S3 objects."""

    manifest_md5 = "manifest_md5"
    build_key = "build_key"
    source_version = "source_version"
    source_sha256 = "source_sha256"
    layer_version_arn = "layer_version_arn"


@dataclass(frozen=True)
class LayerS3Layout:
    """The keys of a layer's objects below one S3 folder.

    :param s3dir_lambda: the folder, as :class:`S3Path` or ``s3://bucket/prefix``.
    """

    s3dir_lambda: S3Location

    @property
    def s3dir_layer(self) -> S3Path:
        """``{s3dir}/layer/``."""
        return S3Path.parse(self.s3dir_lambda) / "layer/"

    @property
    def s3path_temp_layer_zip(self) -> S3Path:
        """``{s3dir}/layer/layer.zip``, the zip that was published last or is published next."""
        return self.s3dir_layer / "layer.zip"

    @property
    def s3path_publish_claim(self) -> S3Path:
        """``{s3dir}/layer/publish-claim.json``, the claim of the current publisher."""
        return self.s3dir_layer / "publish-claim.json"

    def get_s3path_temp_manifest(self, manifest_name: str) -> S3Path:
        """Return ``{s3dir}/layer/{manifest}``, the manifest beside the zip."""
        return self.s3dir_layer / manifest_name

    def get_s3dir_layer_version(self, layer_version: int) -> S3Path:
        """Return ``{s3dir}/layer/{layer_version:06d}/``."""
        return self.s3dir_layer / f"{layer_version:0{ZFILL}d}/"

    def get_s3path_layer_sbom(self, layer_version: int) -> S3Path:
        """Return ``{s3dir}/layer/{layer_version:06d}/sbom.cdx.json``; only layers of wheels have one."""
        return self.get_s3dir_layer_version(layer_version) / SBOM_NAME

    def get_s3path_layer_manifest(self, layer_version: int, manifest_name: str) -> S3Path:
        """Return ``{s3dir}/layer/{layer_version:06d}/{manifest}``."""
        return self.get_s3dir_layer_version(layer_version) / manifest_name


@dataclass(frozen=True)
class SourceS3Layout:
    """The keys of the source zips below one S3 folder.

    :param s3dir_lambda: the folder, as :class:`S3Path` or ``s3://bucket/prefix``.
    """

    s3dir_lambda: S3Location

    @classmethod
    def from_s3dir_lambda(cls, s3dir_lambda: S3Location) -> Self:
        """Return the layout below a folder."""
        return cls(s3dir_lambda)

    @property
    def s3dir_source(self) -> S3Path:
        """``{s3dir}/source/``."""
        return S3Path.parse(self.s3dir_lambda) / "source/"

    def get_s3path_source_zip(self, version: str, sha256: str) -> S3Path:
        """Return ``{s3dir}/source/{version}/{sha256}/source.zip``.

        :param version: the project's version, from its pyproject.toml.
        :param sha256: the SHA-256 of the code, 64 hex digits.
        :raises LbdartError: when the version cannot be the name of a folder.
        """
        if not isinstance(version, str) or "/" in version or version in ("", ".", ".."):
            raise InvalidError(
                f"The version {version!r} cannot be the name of a folder in S3.",
                "Pass the version of the project, such as 1.2.0.",
            )
        return self.s3dir_source / version / sha256 / "source.zip"
