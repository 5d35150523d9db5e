"""Step 3 of the workflow without CDK: uploads ``layer.zip`` with the manifest that it was built from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MissingError
from ..keys import key_of, sha256_of
from ..project.manifest import ManifestFile
from ..publishing.aws_errors import client_for
from ..publishing.layer_upload import UploadedLayer, upload_layer
from ..publishing.logger import T_PRINTER, BaseLogger
from ..publishing.s3 import S3Location
from .manifest import built_manifest
from .path_layout import LayerPathLayout

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def upload_layer_zip_to_s3(
    s3_client: S3Client,
    path_pyproject_toml: Path,
    s3dir_lambda: S3Location,
    path_manifest: Path,
    *,
    verbose: bool = True,
    printer: T_PRINTER = print,
) -> UploadedLayer:
    """Upload a project's ``layer.zip`` to ``{s3dir}/layer/layer.zip``, with its manifest's MD5 as metadata.

    :param path_pyproject_toml: the project's ``pyproject.toml``, which says where its ``layer.zip`` is.
    :param s3dir_lambda: the folder in S3.
    :param path_manifest: the manifest that the layer was built from, such as ``uv.lock``.
    :raises LbdartError: when there is no ``layer.zip``, when the manifest has changed since the layer was
        built, and when S3 refuses.
    """
    layout = LayerPathLayout(path_pyproject_toml)
    manifest = built_manifest(layout, path_manifest)
    path_zip = layout.path_build_lambda_layer_zip
    build_key = build_key_of(manifest, path_zip)
    uploaded = upload_layer(client_for(s3_client, "s3"), s3dir_lambda, path_zip, manifest.manifest, build_key)
    BaseLogger(verbose=verbose, printer=printer).log(f"Uploaded {path_zip} to {uploaded.zip}")
    return uploaded


def build_key_of(manifest: ManifestFile, path_zip: Path) -> str:
    """Return a build key for a layer whose builder gives none: over the manifest and the zip.

    :raises LbdartError: when there is no zip.
    """
    if not path_zip.is_file():
        raise MissingError(f"There is no {path_zip}.", "Pack the layer first, with create_layer_zip_file().")
    return key_of({"manifest": manifest.sha256, "zip": sha256_of(path_zip)})
