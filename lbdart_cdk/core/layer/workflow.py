"""Builds, packages, uploads and publishes a layer without CDK, in a plain script with boto3 clients."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from ..arguments import as_tuple
from ..artifacts.sbom import without
from ..errors import InvalidError
from ..keys import key_of
from ..locking.manifest import find_manifest, tool_named
from ..locking.tool import Tool
from ..project.build_directory import claimed
from ..project.manifest import ManifestFile
from ..publishing.aws_errors import client_for
from ..publishing.identity import LayerIdentity, marked_sha256
from ..publishing.layer_upload import UploadedLayer, upload_layer
from ..publishing.limits import validate_keep_versions, validate_layer_name
from ..publishing.logger import BaseLogger
from ..publishing.publish import LayerDeployment, LayerPublisher
from ..publishing.s3 import S3Location, S3Path
from .builder import T_BUILDER
from .manifest import built_manifest
from .package import create_layer_zip_file
from .publish import layer_options, unnamed_build_key
from .upload import build_key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client


class LayerBuildToolEnum(StrEnum):
    """The packaging tools whose manifests the library reads."""

    uv = "uv"
    poetry = "poetry"
    pdm = "pdm"
    pip = "pip"
    pylock = "pylock"


@dataclass
class _Built:
    """What the first step found.

    :param manifest: the manifest that the layer was built from; None before the first step.
    """

    manifest: ManifestFile | None = None


@dataclass(frozen=True, kw_only=True)
class LayerDeploymentWorkflow(BaseLogger):
    """Runs the four steps in one :meth:`run`; each can also be called by itself.

    :param builder: any object with ``run()`` and ``path_layout``. Optional attributes: ``build_key``
        identifies the layer together with its bytes (else the manifest does), ``sbom`` (bytes) is stored
        beside the manifest, ``path_manifest`` is the manifest that it builds from, ``manifest`` is that file
        as it was read, ``tool`` is the tool that reads it, ``prefer``, ``exclude_files``
        and ``compiler`` are passed to :func:`create_layer_zip_file`.
    :param layer_name: at most 140 characters of ``[a-zA-Z0-9-_]``.
    :param s3dir_lambda: the folder of the layer's objects, such as ``s3://bucket/prefix``. Each layer has its
        own.
    :param path_manifest: the manifest that the layer is built from, such as ``uv.lock``. Default: the
        builder's, or else that of ``layer_build_tool``.
    :param layer_build_tool: the tool that locks the project; it must be the builder's, if that has one.
    :param ignore_package_list: passed to :func:`create_layer_zip_file`.
    :param publish_layer_version_kwargs: ``Description``, ``LicenseInfo``, ``CompatibleRuntimes`` and
        ``CompatibleArchitectures`` of PublishLayerVersion; the parameters with these names do the same.
    :param keep_versions: how many versions to keep, including the returned one; None keeps all.
    :raises LbdartError: when a value is invalid.
    """

    builder: T_BUILDER
    layer_name: str
    s3dir_lambda: S3Location
    s3_client: S3Client
    lambda_client: LambdaClient
    path_manifest: Path | None = None
    layer_build_tool: LayerBuildToolEnum | str | None = None
    ignore_package_list: str | Collection[str] | None = None
    publish_layer_version_kwargs: Mapping[str, Any] | None = None
    description: str = ""
    license: str = ""
    compatible_runtimes: str | Collection[str] = ()
    compatible_architectures: str | Collection[str] = ()
    keep_versions: int | None = None
    _built: _Built = field(default_factory=_Built, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        validate_keep_versions(self.keep_versions)
        if not hasattr(self.builder, "path_layout") or not callable(getattr(self.builder, "run", None)):
            raise InvalidError(
                f"builder is a {type(self.builder).__name__}, which lacks run() or path_layout.",
                "Pass a builder, such as UvLambdaLayerLocalBuilder(path_pyproject_toml=...).",
            )
        client_for(self.s3_client, "s3")
        client_for(self.lambda_client, "lambda")
        S3Path.parse(self.s3dir_lambda)
        validate_layer_name(self.layer_name)
        layer_options(self.publish_layer_version_kwargs)
        if self.layer_build_tool is not None:
            self._refuse_tool_of_another_builder(tool_named(self.layer_build_tool))

    def _refuse_tool_of_another_builder(self, tool: Tool) -> None:
        builder_tool = getattr(getattr(self.builder, "tool", None), "name", tool.name)
        if builder_tool != tool.name:
            raise InvalidError(
                f"layer_build_tool is {tool.name!r}, but {type(self.builder).__name__} reads locks of "
                f"{builder_tool}.",
                f"Pass layer_build_tool={builder_tool!r}, or the builder of {tool.name}.",
            )

    def run(self) -> LayerDeployment:
        """Deploy the layer; for an unchanged layer, upload nothing and return the current version.

        A layer that another program published with the same manifest is unchanged, too.

        :raises LbdartError: when a step fails, or another build uses the build directory.
        """
        with claimed(self.builder.path_layout.dir_build_lambda_layer):
            self.step_1_build()
            self.step_2_package()
            return self._publish(self.step_3_upload)

    def step_1_build(self) -> None:
        """Run the builder.

        :raises LbdartError: when it fails, or the manifest changes while it runs.
        """
        # A builder may leave dir_wheels alone, and wheels of another builder would be packed with its files.
        shutil.rmtree(self.builder.path_layout.dir_wheels, ignore_errors=True)
        self._built.manifest = None
        before = ManifestFile(self._path_manifest())
        _ = before.content
        self.builder.run()
        # The manifest is part of what was built, and does not change with the file.
        self._built.manifest = self._manifest_of_builder() or before
        if self._manifest_of_builder() is None and not before.is_unchanged:
            raise InvalidError(
                f"{before.path_manifest} changed while the layer was built.", "Build the layer again."
            )

    def step_2_package(self) -> Path:
        """Pack what the builder left; return the path of ``layer.zip``."""
        self.log_header("Package the layer")
        path = create_layer_zip_file(
            self.builder.path_layout,
            ignore_package_list=self.ignore_package_list,
            verbose=self.verbose,
            prefer=getattr(self.builder, "prefer", ()),
            exclude_files=getattr(self.builder, "exclude_files", ()),
            compiler=getattr(self.builder, "compiler", None),
            printer=self.printer,
        )
        self.log(f"{path} ({path.stat().st_size:,} bytes)")
        return path

    def step_3_upload(self) -> UploadedLayer:
        """Upload ``layer.zip``, the manifest that it was built from, and the bill of materials.

        :raises LbdartError: when there is no ``layer.zip``, the manifest has changed since the build, or S3
            refuses.
        """
        self.log_header("Upload the layer")
        path_zip = self.builder.path_layout.path_build_lambda_layer_zip
        return upload_layer(
            client_for(self.s3_client, "s3"),
            self.s3dir_lambda,
            path_zip,
            self._manifest().manifest,
            self._build_key(),
            sbom=self._sbom,
            zip_sha256=self._zip_sha256(),
        )

    def step_4_publish(self) -> LayerDeployment:
        """Publish the uploaded zip, unless this build is already published.

        :raises LbdartError: when the preflight fails, or AWS refuses.
        """
        return self._publish(None)

    def _publish(self, upload: Callable[[], UploadedLayer] | None) -> LayerDeployment:
        self.log_header("Publish the layer")
        options = {
            "description": self.description,
            "license": self.license,
            "compatible_runtimes": self.compatible_runtimes,
            "compatible_architectures": self.compatible_architectures,
            **layer_options(self.publish_layer_version_kwargs),
        }
        publisher = LayerPublisher(
            s3_client=client_for(self.s3_client, "s3"),
            lambda_client=client_for(self.lambda_client, "lambda"),
            layer_name=self.layer_name,
            s3dir_lambda=self.s3dir_lambda,
            build_key=self._build_key(),
            manifest=self._manifest().manifest,
            sbom=self._sbom,
            keep_versions=self.keep_versions,
            zip_sha256=self._zip_sha256(),
            unnamed_build_key=unnamed_build_key(self._manifest(), options),
            verbose=self.verbose,
            printer=self.printer,
            **options,
        )
        return publisher.run(upload)

    def _manifest_of_builder(self) -> ManifestFile | None:
        manifest = getattr(self.builder, "manifest", None)
        return manifest if isinstance(manifest, ManifestFile) else None

    @property
    def _ignored(self) -> list[str]:
        """The packages that the user leaves out, by name."""
        return sorted(map(canonicalize_name, as_tuple(self.ignore_package_list)))

    @property
    def _sbom(self) -> bytes | None:
        sbom: bytes | None = getattr(self.builder, "sbom", None)
        return without(sbom, self._ignored) if sbom and self._ignored else sbom

    def _manifest(self) -> ManifestFile:
        """Return the manifest as the layer was built from it, in this run or an earlier one."""
        return self._built.manifest or built_manifest(self.builder.path_layout, self._path_manifest())

    def _build_key(self) -> str:
        build_key: str | None = getattr(self.builder, "build_key", None)
        if build_key and self._ignored:
            return key_of({"build": build_key, "ignored": self._ignored})
        return build_key or build_key_of(
            self._manifest(), self.builder.path_layout.path_build_lambda_layer_zip
        )

    def _zip_sha256(self) -> str:
        """Return the SHA-256 of ``layer.zip`` as it is uploaded; empty when there is no ``layer.zip``."""
        path_zip = self.builder.path_layout.path_build_lambda_layer_zip
        return marked_sha256(path_zip, LayerIdentity(self._build_key())) if path_zip.is_file() else ""

    def _path_manifest(self) -> Path:
        of_builder: Path | None = getattr(self.builder, "path_manifest", None)
        if self.path_manifest and of_builder and self.path_manifest.resolve() != of_builder.resolve():
            raise InvalidError(
                f"path_manifest is {self.path_manifest}, but {type(self.builder).__name__} builds from "
                f"{of_builder}.",
                "Leave path_manifest out, or pass a builder for this manifest.",
            )
        if path := self.path_manifest or of_builder:
            return path
        if self.layer_build_tool is None:
            raise InvalidError(
                f"{type(self.builder).__name__} does not say which manifest it builds from.",
                'Pass path_manifest=Path("uv.lock"), or layer_build_tool=, the tool that locks the project.',
            )
        root, tool = self.builder.path_layout.dir_project_root.resolve(), tool_named(self.layer_build_tool)
        return find_manifest(tool, root) or root / tool.manifest
