"""What all artifacts of a stack share: the handler of the custom resources and the default bucket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from aws_cdk import Aws, CustomResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ._assets import StagedAsset, Staging, handler_zip
from ._code import ObjectCode
from ._errors import explained
from ._grants import Grants, statement
from .core.errors import LbdartError

_ID: Final = "LbdartPublisher"
# Minutes, and no Durations: a value of CDK's made at import would start Node.
_TIMEOUT: Final = 5
#: Lambda tries a handler that crashed twice again, with pauses of a minute and of two.
_SERVICE_TIMEOUT: Final = 20


@dataclass(frozen=True)
class Place:
    """A bucket that keeps artifacts."""

    name: str
    arn: str
    key: kms.IKey | None


class ArtifactPublisher(Construct):
    """One for each stack; made by the first artifact in it.

    Every call into CDK takes about half a millisecond, and a stack may have hundreds of artifacts: what is
    the same for all of them is asked for once.
    """

    def __init__(self, scope: Stack, id: str) -> None:  # noqa: A002
        super().__init__(scope, id)
        self._taken: dict[tuple[str, str], Construct] = {}
        self._places: dict[s3.IBucket, Place] = {}
        self.staging = Staging(scope)
        self._partition = Aws.PARTITION
        self._stack_arn = f"arn:{self._partition}:lambda:{scope.region}:{scope.account}"
        grants = Construct(self, "Grants")
        self._log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self._log_group.grant_write(self._role)
        self._grants = Grants(grants, self._role)

    @classmethod
    def of(cls, scope: Construct) -> ArtifactPublisher:
        """Return the publisher of the stack that ``scope`` is in."""
        stack = scope if isinstance(scope, Stack) else Stack.of(scope)
        known = vars(stack).get(_ID)
        if known is None:
            known = cls(stack, _ID)
            setattr(stack, _ID, known)
        return known

    def custom_resource(
        self, scope: Construct, type_name: str, properties: Mapping[str, Any], removal_policy: RemovalPolicy
    ) -> CustomResource:
        """Declare a resource that the handler answers for, with the handler's permissions.

        Raises :class:`LbdartError` for a removal policy that versions in S3 and Lambda cannot have.
        """
        if removal_policy not in (RemovalPolicy.RETAIN, RemovalPolicy.DESTROY):
            with explained(scope):
                raise LbdartError(
                    f"The removal policy {removal_policy.name} means nothing for published artifacts.",
                    "Use RemovalPolicy.RETAIN or RemovalPolicy.DESTROY.",
                )
        # It waits for the role's policy, because the function does.
        return CustomResource(
            scope,
            "Resource",
            service_token=self._service_token,
            resource_type=type_name,
            properties={**properties, "RemovalPolicy": removal_policy.name.lower()},
            service_timeout=self._service_timeout,
        )

    @cached_property
    def bucket(self) -> s3.IBucket:
        """The bucket for artifacts that name none: versioned, encrypted, private and retained."""
        return s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            removal_policy=RemovalPolicy.RETAIN,
            # Each publication overwrites layer.zip; what was published from it needs it no more.
            lifecycle_rules=[s3.LifecycleRule(noncurrent_version_expiration=Duration.days(30))],
        )

    @cached_property
    def _service_timeout(self) -> Duration:
        return Duration.minutes(_SERVICE_TIMEOUT)

    @cached_property
    def _service_token(self) -> str:
        code = self.staging.stage_content(self, "Code", handler_zip())
        function = lambda_.Function(
            self,
            "Handler",
            description="Publishes the layers and sources of this stack (lbdart_cdk)",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="runtime.handler.handle",
            code=ObjectCode(code.bucket_name, code.object_key),
            memory_size=256,
            timeout=Duration.minutes(_TIMEOUT),
            role=self._role,
            log_group=self._log_group,
        )
        return function.function_arn

    def place(self, bucket: s3.IBucket | None) -> Place:
        """Return what there is to know about a bucket; the stack's own if it is None."""
        bucket = bucket or self.bucket
        if bucket not in self._places:
            self._places[bucket] = Place(bucket.bucket_name, bucket.bucket_arn, bucket.encryption_key)
            if bucket.encryption_key is not None:
                bucket.encryption_key.grant_encrypt_decrypt(self._role)
        return self._places[bucket]

    def reserve(self, what: str, value: str, construct: Construct) -> None:
        """Note that a layer of the stack has a name or a place that no other may have.

        Raises :class:`LbdartError` when another has it: their versions and manifests would mix.
        """
        other = self._taken.setdefault((what, value), construct)
        if other is not construct:
            raise LbdartError(
                f"{construct.node.path} has the same {what} as {other.node.path}.",
                f"Give each layer a {what} of its own.",
            )

    def grant_reading(self, asset: StagedAsset) -> None:
        """Let the handler read the bucket of an asset.

        The whole bucket, as CDK's own ``Asset.grant_read``: a policy that named each object would change
        with every deployment, and a change of a policy takes IAM longer to spread than the deployment
        waits.
        """
        self._grants.allow(["s3:GetObject"], f"arn:{self._partition}:s3:::{asset.bucket_name}/*")

    def grant_keeping(self, place: Place, prefix: str) -> None:
        """Let the handler keep objects below a prefix of a bucket."""
        self._grants.allow(["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], f"{place.arn}/{prefix}/*")

    def grant_publishing(self, layer_name: str) -> None:
        """Let the handler publish versions of one layer."""
        self._grants.allow(
            ["lambda:PublishLayerVersion", "lambda:ListLayerVersions"], self._layer_arn(layer_name)
        )

    def grant_removing(
        self,
        scope: Construct,
        resource: CustomResource,
        place: Place,
        prefix: str,
        layer_name: str | None = None,
    ) -> None:
        """Let the handler remove what ``resource`` brought: below a prefix of a bucket, and of a layer.

        In a policy of its own, and in another one for other names: when CloudFormation deletes a resource
        that is gone from the template or was replaced, the role's policy knows its names no longer, while
        a policy that the resource depends on outlives it.
        """
        below_prefix = {"StringLike": {"s3:prefix": [f"{prefix}/*"]}}
        objects = ["s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]
        statements = [
            statement(objects, [f"{place.arn}/{prefix}/*"]),
            statement(["s3:ListBucketVersions"], [place.arn], below_prefix),
        ]
        if layer_name is not None:
            layer = self._layer_arn(layer_name)
            statements.append(statement(["lambda:ListLayerVersions"], [layer]))
            statements.append(statement(["lambda:DeleteLayerVersion"], [f"{layer}:*"]))
        names = json.dumps(Stack.of(self).resolve([place.name, prefix, layer_name]), sort_keys=True)
        digest = hashlib.sha256(names.encode()).hexdigest()[:8]
        policy = iam.Policy(scope, f"Removal{digest}", roles=[self._role], statements=statements)
        resource.node.add_dependency(policy)

    def _layer_arn(self, layer_name: str) -> str:
        return f"{self._stack_arn}:layer:{layer_name}"
