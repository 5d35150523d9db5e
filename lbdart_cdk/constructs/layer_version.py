"""The version of a layer in a stack: published by the custom resource, or CloudFormation's own resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import CfnResource, Fn, ReferenceStrength, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ..core.artifacts.layer import LayerArtifact
from ..core.artifacts.records import pack_records
from ..core.errors import LbdartError
from ..core.keys import key_of
from ..core.publishing.records import SBOM_NAME
from .error_hook import errors_at
from .grants import Folder
from .identity import UNKNOWN
from .plain_assets import CONTEXT, PlainAssets
from .publisher import ArtifactPublisher
from .staging import StagedAsset
from .tokens import attribute

#: Not an id that makes it the default child. CDK's flag ``@aws-cdk/aws-lambda:recognizeLayerVersion`` has all
#: properties of the default child in the name of a function's version, and CloudFormation refuses another
#: version of a function when only such a property changed as ``keep_versions``. Without a default child the
#: name has the layer's ARN, and that has what the version is known by.
_RESOURCE_ID: Final = "Published"
_PLAIN_ID: Final = "Version"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer to declare, built or not.

    :param asset: the staged zip; nothing is built if it has none.
    :param removal_policy: None for the default: published versions are retained, and CloudFormation deletes
        its own.
    """

    construct: Construct
    publisher: ArtifactPublisher
    artifact: LayerArtifact
    name: str
    description: str
    license: str
    asset: StagedAsset
    removal_policy: RemovalPolicy | None

    @property
    def is_built(self) -> bool:
        """Whether the layer is built, because its stack is deployed."""
        return self.asset.asset is not None

    @property
    def build_key(self) -> str:
        """The build key as far as it is known without looking for it."""
        return self.artifact.build_key if self.is_built else UNKNOWN


class PublishedVersion:
    """A layer version that the handler publishes, with its history in S3."""

    def __init__(
        self, layer: Layer, bucket: s3.IBucket | None, prefix: str, keep_versions: int | None
    ) -> None:
        """Declare the custom resource and what its handler may do.

        :raises LbdartError: when another layer has the same folder, or the records are too large.
        """
        publisher, construct, artifact = layer.publisher, layer.construct, layer.artifact
        self.removal_policy = layer.removal_policy or RemovalPolicy.RETAIN
        place = publisher.artifact_bucket(bucket, self.removal_policy)
        with errors_at(construct):
            publisher.reserve_folder(place, prefix, construct)
            records_asset = _stage_records(layer)
        project, target = artifact.project, artifact.target
        self.resource = publisher.custom_resource(
            construct,
            "Custom::LbdartLayer",
            {
                "LayerName": layer.name,
                "BuildKey": layer.build_key,
                "ZipSha256": artifact.zip_sha256 if layer.is_built else UNKNOWN,
                "AssetBucket": layer.asset.bucket_name,
                "AssetKey": layer.asset.object_key,
                "RecordsAssetBucket": records_asset.bucket_name,
                "RecordsAssetKey": records_asset.object_key,
                "ManifestName": project.manifest.name,
                "ManifestMd5": project.manifest_md5,
                "Bucket": place.name,
                "Prefix": prefix,
                "Description": layer.description,
                "License": layer.license,
                "CompatibleRuntimes": [target.runtime],
                "CompatibleArchitectures": [target.architecture],
                **({"KeepVersions": str(keep_versions)} if keep_versions is not None else {}),
            },
            self.removal_policy,
            id=_RESOURCE_ID,
        )
        publisher.grant_reading(layer.asset)
        folder = Folder(place, prefix, "layer")
        publisher.grant_keeping(folder)
        publisher.grant_publishing(layer.name)
        if self.removal_policy == RemovalPolicy.DESTROY or keep_versions is not None:
            publisher.grant_removing(self.resource, folder, layer.name)

    @property
    def reference(self) -> object:
        """What resolves to the ARN."""
        return self.resource.get_att("LayerVersionArn")

    @property
    def number(self) -> str:
        """The number of the version (a token)."""
        return attribute(self.resource, "LayerVersion")

    @property
    def manifest_uri(self) -> str:
        """The URI of the version's manifest (a token)."""
        return attribute(self.resource, "ManifestUri")

    def identify(self, build_key: str) -> None:
        """Declare a build key that was found later."""
        self.resource.add_property_override("BuildKey", build_key)


class PlainVersion:
    """An ``AWS::Lambda::LayerVersion`` whose zip is an asset."""

    def __init__(self, layer: Layer, plain_assets: PlainAssets) -> None:
        """Declare the resource."""
        target = layer.artifact.target
        self._path = layer.construct.node.path
        self.removal_policy = layer.removal_policy or RemovalPolicy.DESTROY
        self.resource: CfnResource = lambda_.CfnLayerVersion(
            layer.construct,
            _PLAIN_ID,
            content=lambda_.CfnLayerVersion.ContentProperty(
                s3_bucket=layer.asset.bucket_name, s3_key=layer.asset.object_key
            ),
            layer_name=layer.name,
            description=layer.description or None,
            license_info=layer.license or None,
            compatible_runtimes=[target.runtime],
            compatible_architectures=[target.architecture],
        )
        # As for a custom resource: an export would keep the layer from ever changing.
        self.resource.apply_cross_stack_reference_strength(ReferenceStrength.WEAK)
        self.resource.apply_removal_policy(self.removal_policy)
        if plain_assets is PlainAssets.UNPACKED:
            layer.asset.describe_unpacked(self.resource, "Content")
        else:
            layer.asset.describe(self.resource, "Content")

    @property
    def reference(self) -> object:
        """What resolves to the ARN."""
        return self.resource.ref

    @property
    def number(self) -> str:
        """The number of the version (a token): the last part of the ARN."""
        return Fn.select(7, Fn.split(":", self.resource.ref))

    @property
    def manifest_uri(self) -> str:
        """Refuse: there is no history in S3.

        :raises LbdartError: always.
        """
        raise LbdartError(
            f"{self._path} is a plain asset, so it has no manifest in S3.",
            f"Do not use manifest_uri where the context {CONTEXT} is set.",
        )

    def identify(self, build_key: str) -> None:
        """Do nothing: a resource without a zip is not deployed."""


def _stage_records(layer: Layer) -> StagedAsset:
    project = layer.artifact.project
    # The build key covers everything in the SBOM.
    key = key_of(
        {
            "artifact": "records",
            "build_key": layer.build_key,
            "manifest": project.manifest.name,
            "content": project.manifest_sha256,
        }
    )
    files = {project.manifest.name: project.manifest_content}
    records = pack_records({**files, SBOM_NAME: layer.artifact.sbom()}) if layer.is_built else None
    return layer.publisher.staging.stage_zip(layer.construct, "Records", records, key)
