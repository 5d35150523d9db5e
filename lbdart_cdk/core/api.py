"""The public names for scripts without CDK, and for authors of tools and builders."""

from .artifacts.layer import LayerArtifact
from .artifacts.source import SourceArtifact, SourceZip
from .credentials.value import Credentials
from .errors import LbdartError
from .layer.builder import T_BUILDER, BaseLambdaLayerLocalBuilder
from .layer.container_builder import BaseLambdaLayerContainerBuilder
from .layer.manifest import LayerManifestManager
from .layer.package import create_layer_zip_file, default_ignore_package_list, move_to_dir_python
from .layer.path_layout import LayerPathLayout
from .layer.publish import LambdaLayerVersionPublisher
from .layer.upload import upload_layer_zip_to_s3
from .layer.workflow import LayerBuildToolEnum, LayerDeploymentWorkflow
from .locking.tool import Options, Tool
from .process import temp_cwd
from .project.patterns import is_match
from .project.project import Project
from .project.target import Target
from .publishing.encryption import name_encryption
from .publishing.layer_upload import UploadedLayer, upload_layer
from .publishing.layouts import ZFILL, LayerS3Layout, S3MetadataKeyEnum, SourceS3Layout
from .publishing.logger import T_PRINTER, BaseLogger
from .publishing.publish import LayerDeployment, LayerPublisher
from .publishing.s3 import S3Path
from .publishing.source_upload import upload_source_zip
from .source.copy import copy_source_for_lambda_deployment
from .source.path_layout import SourcePathLayout
from .source.steps import (
    BuildAndUploadSourceResult,
    SourceDir,
    SourceOptions,
    build_and_upload_source_using_pip,
    build_and_upload_source_using_uv,
    build_source_dir_using_pip,
    build_source_dir_using_uv,
    create_source_zip,
)
from .source.upload import build_package_upload_source_artifacts, upload_source_artifacts
from .store.prune import Pruned, prune
from .store.store import Store
from .wheels.build_image import BuildContainer

__all__ = [
    "T_BUILDER",
    "T_PRINTER",
    "ZFILL",
    "BaseLambdaLayerContainerBuilder",
    "BaseLambdaLayerLocalBuilder",
    "BaseLogger",
    "BuildAndUploadSourceResult",
    "BuildContainer",
    "Credentials",
    "LambdaLayerVersionPublisher",
    "LayerArtifact",
    "LayerBuildToolEnum",
    "LayerDeployment",
    "LayerDeploymentWorkflow",
    "LayerManifestManager",
    "LayerPathLayout",
    "LayerPublisher",
    "LayerS3Layout",
    "LbdartError",
    "Options",
    "Project",
    "Pruned",
    "S3MetadataKeyEnum",
    "S3Path",
    "SourceArtifact",
    "SourceDir",
    "SourceOptions",
    "SourcePathLayout",
    "SourceS3Layout",
    "SourceZip",
    "Store",
    "Target",
    "Tool",
    "UploadedLayer",
    "build_and_upload_source_using_pip",
    "build_and_upload_source_using_uv",
    "build_package_upload_source_artifacts",
    "build_source_dir_using_pip",
    "build_source_dir_using_uv",
    "copy_source_for_lambda_deployment",
    "create_layer_zip_file",
    "create_source_zip",
    "default_ignore_package_list",
    "is_match",
    "move_to_dir_python",
    "name_encryption",
    "prune",
    "temp_cwd",
    "upload_layer",
    "upload_layer_zip_to_s3",
    "upload_source_artifacts",
    "upload_source_zip",
]
