"""What all artifacts of a stack share: the handler of the custom resources and the default bucket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from aws_cdk import Aws, CfnResource, Duration, ReferenceStrength, RemovalPolicy, Stack, Stage
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct, IConstruct

from ..core.errors import LbdartError
from .cdk_nag import WildcardSuppressions, suppress
from .error_hook import errors_at
from .function_checks import FunctionChecks
from .grants import Grants, statement
from .handler_zip import handler_zip
from .staging import NOT_BUILT, StagedAsset, Staging

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

_ID: Final = "LbdartPublisher"
# Minutes, and no Durations: a value of CDK's made at import would start Node.
_TIMEOUT: Final = 5
#: Seconds: Lambda tries a handler that crashed twice again, with pauses of a minute and of two.
_SERVICE_TIMEOUT: Final = 20 * 60


#: Names and places that layers have, for each stage, account and Region.
_RESERVED: Final[WeakKeyDictionary[Stage, dict[tuple[str, str], dict[tuple[str, str], Construct]]]] = (
    WeakKeyDictionary()
)
#: Why each suppression of a cdk-nag finding is right.
_WILDCARDS: Final = (
    "The handler keeps objects below prefixes of its own, under keys that name versions and hashes, and "
    "reads assets whose keys change with each build. A policy that named each would change with every one."
)
_NO_ACCESS_LOGS: Final = (
    "Access logs need a bucket whose retention and readers the app decides on: "
    "an artifact's bucket= takes one that has server access logs."
)
_RUNTIME: Final = "The runtime is the newest that this version of lbdart_cdk is tested with."


@dataclass(frozen=True)
class ArtifactBucket:
    """A bucket that keeps artifacts."""

    name: str
    arn: str
    key: kms.IKey | None


class ArtifactPublisher(Construct):
    """The handler that publishes a stack's artifacts, with its role, and the bucket they are kept in.

    Each stack has one, which the first artifact in it makes. Make it yourself, before that, to choose::

        ArtifactPublisher(self, role=role, encryption_key=key)

    Every call into CDK takes about half a millisecond, and a stack may have hundreds of artifacts: what is
    the same for all of them is asked for once.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        role: iam.IRole | None = None,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        """Make the publisher of the stack that ``scope`` is in.

        :param role: what the handler runs as; Lambda must be allowed to assume it. The permissions are added
            to it, unless it is one that CDK cannot change. Default: a new role.
        :param encryption_key: encrypts the default bucket and the handler's log. Default: S3's and
            CloudWatch Logs' own keys.

        Raises :class:`LbdartError` when the stack has its publisher already.
        """
        stack = scope if isinstance(scope, Stack) else Stack.of(scope)
        with errors_at(stack):
            if stack.node.try_find_child(_ID) is not None:
                raise LbdartError(
                    f"The stack {stack.node.path} has its ArtifactPublisher already.",
                    "Make one for each stack, before the first artifact in it.",
                )
        super().__init__(stack, _ID)
        _PUBLISHERS[stack] = self
        self._given_role = role
        self._encryption_key = encryption_key
        self._buckets: dict[s3.IBucket, ArtifactBucket] = {}
        #: The stack whose artifacts it publishes.
        self.stack = stack
        self._reads = False
        self._partition = Aws.PARTITION
        self.staging = Staging(stack, self._stage)
        # Visited before the role, which comes later.
        self._waiting = Construct(self, "Grants")
        #: The policy of the role; None if CDK cannot change it: an imported role may be
        #: immutable, and ``iam.Role.customize_roles`` makes all roles so.
        self._policy: iam.Policy | None = None
        self._wildcards = WildcardSuppressions(_WILDCARDS)
        self.node.add_validation(self._wildcards)

    @classmethod
    def of(cls, scope: Construct) -> ArtifactPublisher:
        """Return the publisher of the stack that ``scope`` is in."""
        stack = scope if isinstance(scope, Stack) else Stack.of(scope)
        return _PUBLISHERS.get(stack) or cls(stack)

    def custom_resource(
        self, scope: Construct, type_name: str, properties: Mapping[str, Any], removal_policy: RemovalPolicy
    ) -> CfnResource:
        """Declare a resource that the handler answers for, with the handler's permissions.

        It is the construct's default child, which CDK takes for the construct where it looks at what will be
        deployed: when it names a function's version, for one. It waits for the role's policy, because the
        function does. Other stacks refer to it weakly: CDK's own cross-stack reference is a CloudFormation
        export, and an export that is in use cannot change, so that a layer could never be updated again
        (aws-cdk#1972). A weak reference reads the producing stack's output when the consumer is deployed.
        Nothing breaks in between, since what is replaced is retained.

        Raises :class:`LbdartError` for a removal policy that versions in S3 and Lambda cannot have.
        """
        if removal_policy not in (RemovalPolicy.RETAIN, RemovalPolicy.DESTROY):
            named = getattr(removal_policy, "name", repr(removal_policy))
            with errors_at(scope):
                raise LbdartError(
                    f"The removal policy {named} means nothing for published artifacts.",
                    "Use RemovalPolicy.RETAIN or RemovalPolicy.DESTROY.",
                )
        resource = CfnResource(
            scope,
            "Resource",
            type=type_name,
            properties={
                "ServiceToken": self._service_token,
                "ServiceTimeout": str(_SERVICE_TIMEOUT),
                **properties,
                "RemovalPolicy": removal_policy.name.lower(),
            },
        )
        resource.apply_cross_stack_reference_strength(ReferenceStrength.WEAK)
        return resource

    @cached_property
    def bucket(self) -> s3.IBucket:
        """The bucket for artifacts that name none: versioned, encrypted, private and retained."""
        key = self._encryption_key
        bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            encryption=s3.BucketEncryption.KMS if key is not None else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            # One call of KMS for many objects; S3 asks with the same permissions.
            bucket_key_enabled=True if key is not None else None,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            removal_policy=RemovalPolicy.RETAIN,
            # Each publication overwrites layer.zip; what was published from it needs it no more.
            lifecycle_rules=[s3.LifecycleRule(noncurrent_version_expiration=Duration.days(30))],
        )
        suppress(_resource(bucket), "AwsSolutions-S1", _NO_ACCESS_LOGS)
        return bucket

    @cached_property
    def checks(self) -> FunctionChecks:
        """What looks at the functions that use the stack's artifacts."""
        return FunctionChecks.of(self._stage)

    @cached_property
    def _log_group(self) -> logs.LogGroup:
        if self._encryption_key is not None:
            self._encryption_key.add_to_resource_policy(_log_encryption())
        return logs.LogGroup(
            self,
            "Logs",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
            encryption_key=self._encryption_key,
        )

    @cached_property
    def role(self) -> iam.IRole:
        """What the handler runs as."""
        role = self._given_role or iam.Role(
            self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
        )
        logging = statement(["logs:CreateLogStream", "logs:PutLogEvents"], [self._log_group.log_group_arn])
        added = role.add_to_principal_policy(logging).policy_dependable
        policy = added if isinstance(added, iam.Policy) else role.node.try_find_child("DefaultPolicy")
        if isinstance(policy, iam.Policy):
            self._policy = policy
            self._wildcards.note_in(policy)
        return role

    @cached_property
    def _grants(self) -> Grants:
        return Grants(self._waiting, self.role)

    @cached_property
    def _service_token(self) -> str:
        packed = handler_zip() if self.staging.wanted else None
        key = hashlib.sha256(packed).hexdigest() if packed is not None else NOT_BUILT
        code = self.staging.stage_zip(self, "Code", packed, key)
        function = lambda_.Function(
            self,
            "Handler",
            description="Publishes the layers and sources of this stack (lbdart_cdk)",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="runtime.handler.handle",
            code=lambda_.S3Code(
                s3.Bucket.from_bucket_name(self, "CodeBucket", code.bucket_name), code.object_key
            ),
            memory_size=256,
            timeout=Duration.minutes(_TIMEOUT),
            role=self.role,
            log_group=self._log_group,
        )
        suppress(_resource(function), "AwsSolutions-L1", _RUNTIME)
        return function.function_arn

    def artifact_bucket(self, bucket: s3.IBucket | None) -> ArtifactBucket:
        """Return what there is to know about a bucket; the stack's own if it is None."""
        bucket = bucket or self.bucket
        if bucket not in self._buckets:
            key = bucket.encryption_key
            self._buckets[bucket] = ArtifactBucket(bucket.bucket_name, bucket.bucket_arn, key)
            if key is not None:
                # What S3 needs of a key to read and write ("Using server-side encryption with AWS KMS keys").
                key.grant(self.role, "kms:Decrypt", "kms:GenerateDataKey")
        return self._buckets[bucket]

    @cached_property
    def _stage(self) -> Stage:
        stage = Stage.of(self.stack)
        assert stage is not None, "every stack is below a stage or an app"
        return stage

    @cached_property
    def _reserved_here(self) -> dict[tuple[str, str], Construct]:
        """What the layers of the stage have, those that go to the account and Region of this stack."""
        return _RESERVED.setdefault(self._stage, {}).setdefault((self.stack.account, self.stack.region), {})

    def reserve(self, what: str, value: str, construct: Construct) -> None:
        """Note that a layer has a name or a place that no other of its stage, account and Region may have.

        Raises :class:`LbdartError` when another has it: their versions and manifests would mix.
        """
        other = self._reserved_here.setdefault((what, value), construct)
        if other is not construct:
            raise LbdartError(
                f"{construct.node.path} has the same {what} as {other.node.path}.",
                f"Give each layer a {what} of its own.",
            )

    def grant_reading(self, asset: StagedAsset) -> None:
        """Let the handler read the assets of an asset's kind: those that end as it does, in its folder.

        Not this one alone: a policy that named each object would change with every deployment, and a change
        of a policy takes IAM longer to spread than the deployment waits. A key is that of a synthesizer which
        tells one, as for CDK's own ``Asset.grant_read``.
        """
        self._allow(["s3:GetObject"], f"{self._bucket_arn(asset.bucket_name)}/{_keys_like(asset.object_key)}")
        if not self._reads:  # a stack's assets are all in one bucket
            self._reads = True
            key = asset.encryption_key
            if key is not None:
                key.grant(self.role, "kms:Decrypt")

    def grant_keeping(self, bucket: ArtifactBucket, prefix: str) -> None:
        """Let the handler keep objects below a prefix of a bucket."""
        self._allow(["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], f"{bucket.arn}/{prefix}/*")

    def grant_publishing(self, layer_name: str) -> None:
        """Let the handler publish versions of one layer."""
        self._allow(["lambda:PublishLayerVersion", "lambda:ListLayerVersions"], self._layer_arn(layer_name))

    def grant_removing(
        self,
        scope: Construct,
        resource: CfnResource,
        bucket: ArtifactBucket,
        prefix: str,
        layer_name: str | None = None,
    ) -> None:
        """Let the handler remove what ``resource`` brought: below a prefix of a bucket, and of a layer.

        In a policy of its own, and in another one for other names: when CloudFormation deletes a resource
        that is gone from the template or was replaced, the role's policy knows its names no longer, while
        a policy that the resource depends on outlives it.
        """
        below_prefix = {"StringLike": {"s3:prefix": [f"{prefix}/*"]}}
        objects = f"{bucket.arn}/{prefix}/*"
        arns = [objects]
        statements = [
            statement(["s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"], [objects]),
            statement(["s3:ListBucketVersions"], [bucket.arn], below_prefix),
        ]
        if layer_name is not None:
            layer = self._layer_arn(layer_name)
            versions = f"{layer}:*"
            arns.append(versions)
            statements.append(statement(["lambda:ListLayerVersions"], [layer]))
            statements.append(statement(["lambda:DeleteLayerVersion"], [versions]))
        if bucket.key is not None:
            statements.append(statement(["kms:Decrypt"], [bucket.key.key_arn]))
        names = json.dumps(self.stack.resolve([bucket.name, prefix, layer_name]), sort_keys=True)
        digest = hashlib.sha256(names.encode()).hexdigest()[:8]
        if self._policy is None:  # one of ours would be a resource that the deployment may not make
            for one in statements:
                self.role.add_to_principal_policy(one)
            return
        policy = iam.Policy(scope, f"Removal{digest}", roles=[self.role], statements=statements)
        self._wildcards.note_in(policy)
        self._wildcards.add(policy, arns)
        resource.node.add_dependency(policy)

    @cached_property
    def _layer_arns(self) -> str:
        return f"arn:{self._partition}:lambda:{self.stack.region}:{self.stack.account}:layer"

    def _layer_arn(self, layer_name: str) -> str:
        return f"{self._layer_arns}:{layer_name}"

    def _bucket_arn(self, name: str) -> str:
        return f"arn:{self._partition}:s3:::{name}"

    def _allow(self, actions: Sequence[str], resource: str) -> None:
        self._grants.allow(actions, resource)
        self._wildcards.add(self.role, [resource])


def _keys_like(key: str) -> str:
    """Return the pattern of keys in the same folder with the same suffix."""
    if "${" in key:
        return "*"
    path = PurePosixPath(key)
    return str(path.with_name(f"*{path.suffix}"))


def _resource(construct: IConstruct) -> CfnResource:
    resource = construct.node.default_child
    assert isinstance(resource, CfnResource)
    return resource


def _log_encryption() -> iam.PolicyStatement:
    """What a key's policy must allow ("Encrypt log data in CloudWatch Logs using AWS KMS")."""
    groups = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:*"
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.{Aws.URL_SUFFIX}")],
        actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        resources=["*"],
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
    )


#: The publisher of each stack.
_PUBLISHERS: Final[WeakKeyDictionary[Stack, ArtifactPublisher]] = WeakKeyDictionary()
