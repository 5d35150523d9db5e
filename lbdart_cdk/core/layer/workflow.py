"""Builds, packages, uploads and publishes a layer without CDK, in a plain script with boto3 clients."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LbdartError
from ..keys import key_of, sha256_of
from ..locking.manifest import find_manifest, tool_named
from ..locking.tool import Tool
from ..project.build_directory import claimed
from ..project.manifest import LayerManifestManager
from ..publishing.aws_errors import checked_client
from ..publishing.layer_upload import UploadedLayer, upload_layer_zip_to_s3
from ..publishing.limits import validate_keep_versions, validate_layer_name
from ..publishing.logger import BaseLogger
from ..publishing.publish import LambdaLayerVersionPublisher, LayerDeployment
from ..publishing.s3 import S3Path
from .builder import T_BUILDER
from .package import create_layer_zip_file

if TYPE_CHECKING:
    from collections.abc import Collection

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client


class LayerBuildToolEnum(StrEnum):
    """The packaging tools whose manifests the library reads."""

    uv = "uv"
    poetry = "poetry"
    pdm = "pdm"
    pip = "pip"
    pylock = "pylock"


@dataclass(frozen=True, kw_only=True)
class LayerDeploymentWorkflow(BaseLogger):
    """Runs the four steps in one :meth:`run`.

    :param builder: any object with ``run()`` and ``path_layout``. Optional attributes: ``build_key``
        identifies the layer (else the manifest and the zip do), ``sbom`` (bytes) is stored beside the
        manifest, ``path_manifest`` is the manifest that it builds from, ``tool`` is the tool that reads it,
        ``prefer`` is passed to :func:`create_layer_zip_file`.
    :param layer_build_tool: the tool that locks the project; it must be the builder's, if that has one.
    :param s3dir_lambda: ``s3://bucket/prefix``.
    :param keep_versions: how many versions to keep, including the returned one; None keeps all.
    :raises LbdartError: when a value is invalid.
    """

    builder: T_BUILDER
    layer_name: str
    layer_build_tool: LayerBuildToolEnum | str
    s3dir_lambda: str
    s3_client: S3Client
    lambda_client: LambdaClient
    description: str = ""
    license: str = ""
    compatible_runtimes: str | Collection[str] = ()
    compatible_architectures: str | Collection[str] = ()
    keep_versions: int | None = None

    def __post_init__(self) -> None:
        validate_keep_versions(self.keep_versions)
        if not hasattr(self.builder, "path_layout") or not callable(getattr(self.builder, "run", None)):
            raise LbdartError(
                f"builder is a {type(self.builder).__name__}, which lacks run() or path_layout.",
                "Pass a builder, such as UvLambdaLayerLocalBuilder(path_pyproject_toml=...).",
            )
        checked_client(self.s3_client, "s3")
        checked_client(self.lambda_client, "lambda")
        S3Path.parse(self.s3dir_lambda)
        validate_layer_name(self.layer_name)
        self._refuse_tool_of_another_builder(tool_named(self.layer_build_tool))

    def _refuse_tool_of_another_builder(self, tool: Tool) -> None:
        builder_tool = getattr(getattr(self.builder, "tool", None), "name", tool.name)
        if builder_tool != tool.name:
            raise LbdartError(
                f"layer_build_tool is {tool.name!r}, but {type(self.builder).__name__} reads locks of "
                f"{builder_tool}.",
                f"Pass layer_build_tool={builder_tool!r}, or the builder of {tool.name}.",
            )

    @property
    def path_manifest(self) -> Path:
        """The manifest that the layer is built from: the builder's, or else the tool's manifest."""
        path: Path | None = getattr(self.builder, "path_manifest", None)
        if path is not None:
            return path
        root, tool = self.builder.path_layout.dir_project_root.resolve(), tool_named(self.layer_build_tool)
        return find_manifest(tool, root) or root / tool.manifest

    def run(self) -> LayerDeployment:
        """Deploy the layer; for an unchanged layer, return the current version.

        :raises LbdartError: when a step fails, or another build uses the build directory.
        """
        with claimed(self.builder.path_layout.dir_build_lambda_layer):
            return self._run()

    def _run(self) -> LayerDeployment:
        # A builder may leave dir_wheels alone, and wheels of another builder would be packed with its files.
        shutil.rmtree(self.builder.path_layout.dir_wheels, ignore_errors=True)
        self.builder.run()
        path_zip = self.package()
        return self.publish(path_zip)

    def package(self) -> Path:
        """Pack what the builder left; return the path of ``layer.zip``."""
        self.log_header("Package the layer")
        path = create_layer_zip_file(self.builder.path_layout, prefer=getattr(self.builder, "prefer", ()))
        self.log(f"{path} ({path.stat().st_size:,} bytes)")
        return path

    def publish(self, path_zip: Path) -> LayerDeployment:
        """Upload the zip and publish a version, unless this build is already published."""
        self.log_header("Publish the layer")
        manager = LayerManifestManager(self.path_manifest)
        manifest = manager.manifest
        build_key = getattr(self.builder, "build_key", None) or key_of(
            {"manifest": hashlib.sha256(manager.content).hexdigest(), "zip": sha256_of(path_zip)}
        )

        sbom: bytes | None = getattr(self.builder, "sbom", None)

        def upload() -> UploadedLayer:
            self.log_header("Upload the layer")
            return upload_layer_zip_to_s3(
                self.s3_client, self.s3dir_lambda, path_zip, manifest, build_key, sbom=sbom
            )

        publisher = LambdaLayerVersionPublisher(
            s3_client=self.s3_client,
            lambda_client=self.lambda_client,
            layer_name=self.layer_name,
            s3dir_lambda=self.s3dir_lambda,
            build_key=build_key,
            manifest=manifest,
            description=self.description,
            license=self.license,
            compatible_runtimes=self.compatible_runtimes,
            compatible_architectures=self.compatible_architectures,
            sbom=sbom,
            keep_versions=self.keep_versions,
            verbose=self.verbose,
            printer=self.printer,
        )
        return publisher.run(upload)
