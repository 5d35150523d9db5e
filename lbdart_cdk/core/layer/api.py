"""The names of a layer's workflow; :mod:`lbdart_cdk.core.api` has them, too."""

from ..credentials.value import Credentials
from ..publishing.layer_upload import upload_layer
from ..publishing.layouts import LayerS3Layout
from ..publishing.logger import BaseLogger
from ..publishing.publish import LayerDeployment, LayerPublisher
from .builder import T_BUILDER, BaseLambdaLayerLocalBuilder
from .container_builder import BaseLambdaLayerContainerBuilder
from .manifest import LayerManifestManager
from .package import create_layer_zip_file, default_ignore_package_list, move_to_dir_python
from .path_layout import LayerPathLayout
from .publish import LambdaLayerVersionPublisher
from .upload import upload_layer_zip_to_s3
from .workflow import LayerDeploymentWorkflow

__all__ = [
    "T_BUILDER",
    "BaseLambdaLayerContainerBuilder",
    "BaseLambdaLayerLocalBuilder",
    "BaseLogger",
    "Credentials",
    "LambdaLayerVersionPublisher",
    "LayerDeployment",
    "LayerDeploymentWorkflow",
    "LayerManifestManager",
    "LayerPathLayout",
    "LayerPublisher",
    "LayerS3Layout",
    "create_layer_zip_file",
    "default_ignore_package_list",
    "move_to_dir_python",
    "upload_layer",
    "upload_layer_zip_to_s3",
]
