"""The versions of a layer in Lambda: lists them, publishes one and deletes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from .aws_errors import calling_aws, is_denial
from .limits import described_build_key
from .s3 import from_base64

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.literals import ArchitectureType, RuntimeType
    from mypy_boto3_lambda.type_defs import (
        LayerVersionContentInputTypeDef,
        LayerVersionsListItemTypeDef,
        PublishLayerVersionResponseTypeDef,
    )

    from .s3 import S3Path

__all__ = ["CompatibleWith", "LambdaLayer", "LayerVersion", "code_sha256"]


@dataclass(frozen=True)
class CompatibleWith:
    """What a version is declared for, in any order."""

    runtimes: frozenset[str]
    architectures: frozenset[str]


@dataclass(frozen=True)
class LayerVersion:
    """A version in Lambda's list.

    :param build_key: None when this library did not publish the version.
    """

    number: int
    arn: str
    build_key: str | None
    compatible_with: CompatibleWith


@dataclass(frozen=True)
class LambdaLayer:
    """A layer in Lambda; it need not have a version."""

    client: LambdaClient
    name: str

    def versions(self) -> dict[int, LayerVersion]:
        """Return the versions by their numbers.

        :raises LbdartError: when AWS refuses.
        """
        with calling_aws(f"list the versions of layer {self.name}"):
            return {version.number: version for version in self.listed()}

    def listed(self) -> Iterator[LayerVersion]:
        """Yield the versions page by page; none when there is no such layer.

        :raises botocore.exceptions.ClientError: when AWS refuses.
        """
        try:
            for page in self.client.get_paginator("list_layer_versions").paginate(LayerName=self.name):
                yield from map(_version, page["LayerVersions"])
        except self.client.exceptions.ResourceNotFoundException:
            return

    def code_sha256(self, number: int) -> str | None:
        """Return the SHA-256 of a version's zip, as Lambda computed it; None when there is no such version.

        :raises LbdartError: when AWS refuses.
        """
        with calling_aws(f"compare version {number} of layer {self.name}"):
            try:
                version = self.client.get_layer_version(LayerName=self.name, VersionNumber=number)
            except self.client.exceptions.ResourceNotFoundException:
                return None
        return code_sha256(version["Content"])

    def publish(
        self,
        path: S3Path,
        version_id: str | None,
        *,
        description: str,
        licence: str,
        runtimes: Collection[str],
        architectures: Collection[str],
    ) -> PublishLayerVersionResponseTypeDef:
        """Send one request to publish a zip; after a failure, the version may still appear.

        :param version_id: the object version of the zip; None in a bucket without versioning.
        :raises botocore.exceptions.BotoCoreError: when no answer came.
        :raises botocore.exceptions.ClientError: when AWS refuses.
        """
        self.client.meta.events.register(
            "needs-retry.lambda.PublishLayerVersion", _refuse_retry, unique_id="lbdart-never-repeat"
        )
        content: LayerVersionContentInputTypeDef = {"S3Bucket": path.bucket, "S3Key": path.key}
        if version_id:
            content["S3ObjectVersion"] = version_id
        return self.client.publish_layer_version(
            LayerName=self.name,
            Content=content,
            Description=description,
            LicenseInfo=licence,
            CompatibleRuntimes=cast("list[RuntimeType]", list(runtimes)),
            CompatibleArchitectures=cast("list[ArchitectureType]", list(architectures)),
        )

    def delete(self, number: int) -> None:
        """Delete a version, if there is one.

        :raises botocore.exceptions.ClientError: when AWS refuses.
        """
        self.client.delete_layer_version(LayerName=self.name, VersionNumber=number)


def code_sha256(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 in Lambda's description of a version's zip; empty when it has none."""
    return from_base64(content.get("CodeSha256", "")) or ""


def _version(listed: LayerVersionsListItemTypeDef) -> LayerVersion:
    return LayerVersion(
        listed["Version"],
        listed["LayerVersionArn"],
        described_build_key(listed.get("Description", "")),
        CompatibleWith(
            frozenset(listed.get("CompatibleRuntimes", ())),
            frozenset(listed.get("CompatibleArchitectures", ())),
        ),
    )


def _refuse_retry(*, response: Any, operation: Any, caught_exception: Exception | None, **_: object) -> None:
    """Keep botocore from sending PublishLayerVersion again on its own.

    When an answer got lost, the version may be published, and another call would publish a second one. A
    denied call certainly published nothing, so the client may repeat it. botocore registers its retry
    handlers for the whole service, so it calls them after this one.
    """
    if caught_exception:
        raise caught_exception
    if response[0].status_code >= 300 and not is_denial(response[1]):
        raise ClientError(response[1], operation.name)
