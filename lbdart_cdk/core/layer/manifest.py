"""The manifest of a layer, with the places of its copies."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InvalidError
from ..project.manifest import ManifestFile
from ..publishing.layouts import LayerS3Layout
from ..publishing.logger import BaseLogger
from ..publishing.s3 import S3Location, S3Path
from .path_layout import LayerPathLayout

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class LayerManifestManager(ManifestFile, BaseLogger):
    """The manifest that a layer is built from, its MD5, and where a version's copy of it is.

    The other parameters are needed only for what is named after them.

    :param path_manifest: path of the manifest.
    :param path_pyproject_toml: the project's ``pyproject.toml``. Default: the one beside the manifest.
    :param s3dir_lambda: the folder of the layer's objects (:class:`.LayerS3Layout`).
    :param s3_client: boto3's client for S3.
    """

    _: KW_ONLY
    path_pyproject_toml: Path | None = None
    s3dir_lambda: S3Location = ""
    s3_client: S3Client | None = None

    @property
    def path_layout(self) -> LayerPathLayout:
        """The paths of the build."""
        return LayerPathLayout(self.path_pyproject_toml or self.path_manifest.with_name("pyproject.toml"))

    @property
    def s3_layout(self) -> LayerS3Layout:
        """The keys of the layer's objects."""
        return LayerS3Layout(self.s3dir_lambda)

    @property
    def manifest_md5(self) -> str:
        """The MD5 of the content, 32 hex digits."""
        return self.md5

    def get_versioned_manifest(self, version: int) -> S3Path:
        """Return ``{s3dir}/layer/{version:06d}/{name}``."""
        return self.s3_layout.get_s3path_layer_manifest(version, self.name)


def built_manifest(path_layout: LayerPathLayout, path_manifest: Path) -> ManifestFile:
    """Return the manifest that the layer in the build directory was built from.

    A builder leaves a copy of it in ``dir_repo``.

    :raises LbdartError: when the manifest cannot be read, or has changed since.
    """
    manifest = ManifestFile(path_manifest)
    copy = path_layout.dir_repo / manifest.name
    if copy.is_file() and copy.read_bytes() != manifest.content:
        raise InvalidError(
            f"{path_manifest} has changed since the layer was built: the build had {copy}.",
            "Build the layer again, then upload and publish it.",
        )
    return manifest
