"""Ship Python code to AWS Lambda with AWS CDK: dependencies as a layer from the lock, code as a hashed zip.

Names are imported on first use, so ``import lbdart_cdk.core`` does not start Node, and
``from lbdart_cdk import Credentials`` imports neither CDK nor boto3.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .constructs.function_artifact import LambdaFunctionArtifact
    from .constructs.layer_artifact import LambdaLayerArtifact
    from .constructs.publisher import ArtifactPublisher
    from .constructs.source_artifact import LambdaSourceArtifact
    from .core.credentials.value import Credentials
    from .core.errors import LbdartError
    from .core.wheels.build_image import BuildContainer

__all__ = [
    "ArtifactPublisher",
    "BuildContainer",
    "Credentials",
    "LambdaFunctionArtifact",
    "LambdaLayerArtifact",
    "LambdaSourceArtifact",
    "LbdartError",
]

_MODULES: Final = {
    "ArtifactPublisher": "constructs.publisher",
    "BuildContainer": "core.wheels.build_image",
    "Credentials": "core.credentials.value",
    "LambdaFunctionArtifact": "constructs.function_artifact",
    "LambdaLayerArtifact": "constructs.layer_artifact",
    "LambdaSourceArtifact": "constructs.source_artifact",
    "LbdartError": "core.errors",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
