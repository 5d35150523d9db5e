"""What scripts without CDK and authors of tools and builders import."""

from .container import BuildContainer
from .credentials import Credentials
from .cwd import temp_cwd
from .errors import LbdartError
from .layer.artifact import LayerArtifact
from .layer.builder import T_BUILDER, BaseLambdaLayerLocalBuilder
from .layer.container import BaseLambdaLayerContainerBuilder
from .layer.foundation import (
    ZFILL,
    BaseLogger,
    LayerBuildToolEnum,
    LayerManifestManager,
    LayerPathLayout,
    LayerS3Layout,
    S3MetadataKeyEnum,
)
from .layer.package import create_layer_zip_file, default_ignore_package_list, move_to_dir_python
from .layer.publish import LambdaLayerVersionPublisher, LayerDeployment
from .layer.upload import upload_layer_zip_to_s3
from .layer.workflow import LayerDeploymentWorkflow
from .project import Project
from .s3 import S3Path
from .source.artifact import SourceArtifact, SourceZip
from .source.builder import (
    BuildAndUploadSourceResult,
    SourceDir,
    build_and_upload_source_using_pip,
    build_and_upload_source_using_uv,
    build_source_dir_using_pip,
    build_source_dir_using_uv,
    create_source_zip,
)
from .source.files import copy_source_for_lambda_deployment, is_match
from .source.foundation import SourcePathLayout, SourceS3Layout
from .source.upload import upload_source_zip
from .store import Store
from .target import Target
from .tool import Options, Tool

__all__ = [
    "T_BUILDER",
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
    "LayerS3Layout",
    "LbdartError",
    "Options",
    "Project",
    "S3MetadataKeyEnum",
    "S3Path",
    "SourceArtifact",
    "SourceDir",
    "SourcePathLayout",
    "SourceS3Layout",
    "SourceZip",
    "Store",
    "Target",
    "Tool",
    "build_and_upload_source_using_pip",
    "build_and_upload_source_using_uv",
    "build_source_dir_using_pip",
    "build_source_dir_using_uv",
    "copy_source_for_lambda_deployment",
    "create_layer_zip_file",
    "create_source_zip",
    "default_ignore_package_list",
    "is_match",
    "move_to_dir_python",
    "temp_cwd",
    "upload_layer_zip_to_s3",
    "upload_source_zip",
]
