"""The three custom resource types, with the code that creates, updates and deletes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing.layer_upload import upload_zip
from lbdart_cdk.core.publishing.manifest import LayerManifest
from lbdart_cdk.core.publishing.publish import LayerPublisher
from lbdart_cdk.core.publishing.records import SBOM_NAME, S3Member, S3SmallZip
from lbdart_cdk.core.publishing.removal import empty_bucket, move_history, remove_layer_versions
from lbdart_cdk.core.publishing.source_upload import remove_source_zips, upload_source_zip

from .clients import LEASE_SECONDS
from .properties import BucketProperties, LayerProperties, SourceProperties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .clients import Clients

__all__ = ["RESOURCE_TYPES", "BucketResource", "LayerResource", "Resource", "SourceResource"]


class Resource(Protocol):
    """A custom resource with the properties of one event.

    Its methods may be interrupted, called again, and called by two processes at once.
    """

    @classmethod
    def parse(cls, properties: Mapping[str, Any], owner: str) -> Self:
        """Read an event's properties.

        :param owner: see :mod:`lbdart_cdk.core.publishing.ownership`.
        :raises LbdartError: when a property is missing or not valid.
        """

    @property
    def removal_policy(self) -> str:
        """``retain`` or ``destroy``."""

    @property
    def physical_id(self) -> str:
        """The resource's id; an update that changes it is a replacement."""

    def deploy(self, clients: Clients, before: object) -> dict[str, str]:
        """Create or update the resource, and return its attributes.

        :param before: the old properties of an update, unchecked; None for a creation.
        :raises LbdartError: when AWS refuses or an object in S3 is missing.
        """

    def destroy(self, clients: Clients) -> None:
        """Delete the objects and versions that this resource alone owns.

        :raises LbdartError: when AWS refuses.
        """


@dataclass(frozen=True)
class LayerResource:
    """``Custom::LbdartLayer``: a layer with its published versions."""

    properties: LayerProperties
    owner: str

    @classmethod
    def parse(cls, properties: Mapping[str, Any], owner: str) -> Self:
        """Read an event's properties."""
        return cls(LayerProperties.parse(properties), owner)

    @property
    def removal_policy(self) -> str:
        """``retain`` or ``destroy``."""
        return self.properties.removal_policy

    @property
    def physical_id(self) -> str:
        """The layer's name and its folder; any other change is an update.

        CloudFormation deletes the old folder of a layer when the update is done, and the new one when it is
        rolled back.
        """
        return f"{self.properties.layer_name} {self.properties.s3dir_lambda.uri}"

    def deploy(self, clients: Clients, before: object) -> dict[str, str]:
        """Publish the build key unless it is published; prune after an update."""
        layer = self.properties
        records = S3SmallZip(layer.records_asset)
        content = S3Member(records, layer.manifest_name)
        manifest = LayerManifest(layer.manifest_name, layer.manifest_md5, content)
        sbom = S3Member(records, SBOM_NAME)
        old = self._before(before)
        is_moved = old is not None and old.s3dir_lambda != layer.s3dir_lambda
        if old is not None and is_moved and old.removal_policy == "destroy":
            move_history(clients.s3, layer.layer_name, old.s3dir_lambda, layer.s3dir_lambda, self.owner)
        # A rollback goes back to it; the history of another folder is not this one's to prune.
        old_build_key = old.build_key if old is not None and not is_moved else ""
        publisher = LayerPublisher(
            s3_client=clients.s3,
            lambda_client=clients.lambda_,
            layer_name=layer.layer_name,
            s3dir_lambda=layer.s3dir_lambda,
            build_key=layer.build_key,
            zip_sha256=layer.zip_sha256,
            manifest=manifest,
            sbom=sbom,
            description=layer.description,
            license=layer.license,
            compatible_runtimes=layer.compatible_runtimes,
            compatible_architectures=layer.compatible_architectures,
            owner=self.owner,
            lease_seconds=int(os.environ.get("LBDART_LEASE_SECONDS", LEASE_SECONDS)),
            keep_versions=layer.keep_versions if old_build_key else None,
            needed_build_key=old_build_key,
            deployed_build_key=old.build_key if old else "",
        )
        upload = partial(
            upload_zip,
            clients.s3,
            layer.s3dir_lambda,
            layer.asset,
            layer.manifest_md5,
            layer.build_key,
            owner=self.owner,
            zip_sha256=layer.zip_sha256,
        )
        deployment = publisher.run(upload, is_first=before is None)
        return {
            "LayerName": deployment.layer_name,
            "LayerVersion": str(deployment.layer_version),
            "LayerVersionArn": deployment.layer_version_arn,
            "ManifestUri": deployment.s3path_manifest.uri,
        }

    def _before(self, before: object) -> LayerProperties | None:
        """Return the layer's properties before the update; None without an update, or for another layer."""
        try:
            old = LayerProperties.parse(before) if isinstance(before, dict) else None
        except LbdartError:
            return None
        return old if old and old.layer_name == self.properties.layer_name else None

    def destroy(self, clients: Clients) -> None:
        """Delete the layer's versions and their history."""
        layer = self.properties
        remove_layer_versions(clients.s3, clients.lambda_, layer.layer_name, layer.s3dir_lambda, self.owner)


@dataclass(frozen=True)
class SourceResource:
    """``Custom::LbdartSource``: a folder of source zips, one for each state of the code."""

    properties: SourceProperties
    owner: str

    @classmethod
    def parse(cls, properties: Mapping[str, Any], owner: str) -> Self:
        """Read an event's properties."""
        return cls(SourceProperties.parse(properties), owner)

    @property
    def removal_policy(self) -> str:
        """``retain`` or ``destroy``."""
        return self.properties.removal_policy

    @property
    def physical_id(self) -> str:
        """The folder's URI: changed code is an update, so the older zips stay for a rollback."""
        return self.properties.s3dir_lambda.uri

    def deploy(self, clients: Clients, before: object) -> dict[str, str]:
        """Upload the zip unless it is in S3 already."""
        source = self.properties
        path = upload_source_zip(
            clients.s3, source.s3dir_lambda, source.asset, source.version, source.sha256, owner=self.owner
        )
        return {"S3Uri": path.uri, "Bucket": path.bucket, "Key": path.key}

    def destroy(self, clients: Clients) -> None:
        """Delete the source zips."""
        remove_source_zips(clients.s3, self.properties.s3dir_lambda, self.owner)


@dataclass(frozen=True)
class BucketResource:
    """``Custom::LbdartBucket``: empties the stack's own bucket before CloudFormation deletes it.

    It is there whatever the removal policy is: if it left the template when an artifact becomes one to be
    retained, CloudFormation would delete it, and it would empty the bucket.
    """

    properties: BucketProperties

    @classmethod
    def parse(cls, properties: Mapping[str, Any], owner: str) -> Self:
        """Read an event's properties."""
        return cls(BucketProperties.parse(properties))

    @property
    def removal_policy(self) -> str:
        """``retain`` or ``destroy``."""
        return self.properties.removal_policy

    @property
    def physical_id(self) -> str:
        """The bucket's name."""
        return self.properties.bucket

    def deploy(self, clients: Clients, before: object) -> dict[str, str]:
        """Do nothing."""
        return {}

    def destroy(self, clients: Clients) -> None:
        """Delete all that is in the bucket."""
        empty_bucket(clients.s3, self.properties.bucket)


RESOURCE_TYPES: Final[Mapping[str, type[Resource]]] = {
    "Custom::LbdartBucket": BucketResource,
    "Custom::LbdartLayer": LayerResource,
    "Custom::LbdartSource": SourceResource,
}
