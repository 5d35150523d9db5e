"""Ship Python code to AWS Lambda with AWS CDK: dependencies as a layer from the lock, code as a hashed zip.

The constructs are imported when they are first used: ``import lbdart_cdk.core`` starts no Node.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .constructs.layer_artifact import LambdaLayerArtifact
    from .constructs.publisher import ArtifactPublisher
    from .constructs.source_artifact import LambdaSourceArtifact

__all__ = ["ArtifactPublisher", "LambdaLayerArtifact", "LambdaSourceArtifact"]


def __getattr__(name: str) -> object:
    if name == "ArtifactPublisher":
        from .constructs.publisher import ArtifactPublisher

        return ArtifactPublisher
    if name == "LambdaLayerArtifact":
        from .constructs.layer_artifact import LambdaLayerArtifact

        return LambdaLayerArtifact
    if name == "LambdaSourceArtifact":
        from .constructs.source_artifact import LambdaSourceArtifact

        return LambdaSourceArtifact
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
