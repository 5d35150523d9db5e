"""The parts that all artifacts of a stack share: the custom resources' handler and the default bucket."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from aws_cdk import (
    App,
    Aspects,
    Aws,
    CfnResource,
    Duration,
    ReferenceStrength,
    RemovalPolicy,
    Stack,
    Stage,
)
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct, IConstruct, Node

from ..core.errors import LbdartError
from ..core.store.store import Store
from .app_store import store_of
from .cdk_nag import Suppressions
from .environments import Environment
from .error_hook import errors_at
from .function_checks import FunctionChecks
from .grants import ArtifactBucket, Folder, Grants, statement
from .handler_zip import handler_zip
from .identity import UNKNOWN
from .layer_parameters import stage_of
from .plain_assets import PlainAssets
from .reservations import Reservation, reserve
from .staging import StagedAsset, Staging
from .synthesis import AtAspects, AtValidation

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

_ID: Final = "LbdartPublisher"
# Minutes as a number: to create a Duration at import would start Node.
_TIMEOUT: Final = 5
#: Before the aspect of a role, which splits its policy (AspectPriority.MUTATING is 200).
_BEFORE_SPLITTING: Final = 100
#: Seconds. Lambda retries a crashed handler twice, after pauses of one minute and of two.
_SERVICE_TIMEOUT: Final = 20 * 60

#: Why each suppression of a cdk-nag finding is right.
_WILDCARDS: Final = (
    "The handler stores objects below its own prefixes, under keys with versions and hashes, and reads "
    "assets whose keys change with each build. A policy that named each object would change with each build."
)
_NO_ACCESS_LOGS: Final = (
    "Access logs need a bucket whose retention and readers the app chooses: "
    "pass an artifact a bucket= that has server access logs."
)
_RUNTIME: Final = "The runtime is the newest that this version of lbdart_cdk is tested with."


class ArtifactPublisher(Construct):
    """The handler that publishes a stack's artifacts, with its role and the default bucket.

    Each stack has one, which its first artifact creates. To choose a role or a key, create it before that::

        ArtifactPublisher(self, role=role, encryption_key=key)

    Each call into CDK takes about a millisecond, and a stack may have hundreds of artifacts. So the publisher
    asks CDK only once for the values that all artifacts share.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        role: iam.IRole | None = None,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        """Create the publisher of the stack that ``scope`` is in.

        :param role: the handler's role; Lambda must be allowed to assume it. It gets the permissions, unless
            CDK cannot change it. Default: a new role.
        :param encryption_key: encrypts the default bucket and the handler's log. Default: S3's and
            CloudWatch Logs' own keys.
        :raises LbdartError: when the stack already has a publisher.
        """
        stack = scope if isinstance(scope, Stack) else Stack.of(scope)
        with errors_at(stack):
            if stack in _PUBLISHERS:
                raise LbdartError(
                    f"The stack {stack.node.path} already has an ArtifactPublisher.",
                    "Create one for each stack, before its first artifact.",
                )
        super().__init__(stack, _ID)
        _PUBLISHERS[stack] = self
        self._given_role = role
        self._encryption_key = encryption_key
        self._buckets: dict[s3.IBucket, ArtifactBucket] = {}
        #: Whether something in the stack's own bucket is to be retained.
        self._is_kept = False
        self._is_settled = self._may_empty = False
        #: The stack whose artifacts it publishes.
        self.stack = stack
        _refer_weakly_into(stack)
        self._reads = False
        self._partition = Aws.PARTITION
        self.staging = Staging(stack, self._node_of_stack, self._stage)
        # A construct without children, created before the role: CDK visits it once, and first.
        waiting = Construct(self, "Grants")
        if self.staging.another_is_deployed:
            self.checks.identify_at(waiting)
        Aspects.of(waiting).add(AtAspects(self._settle), priority=_BEFORE_SPLITTING)
        #: The role's policy; None if CDK cannot change the role: an imported role may be immutable, and
        #: ``iam.Role.customize_roles`` makes all roles immutable.
        self._policy: iam.Policy | None = None
        self._suppressions = Suppressions(self, stack, _WILDCARDS)
        AtValidation.add(self._stage, self._suppressions.acknowledge)

    @classmethod
    def of(cls, scope: Construct) -> ArtifactPublisher:
        """Return the publisher of the stack that ``scope`` is in."""
        stack = scope if isinstance(scope, Stack) else Stack.of(scope)
        return _PUBLISHERS.get(stack) or cls(stack)

    def custom_resource(
        self,
        scope: Construct,
        type_name: str,
        properties: Mapping[str, Any],
        removal_policy: RemovalPolicy,
        *,
        id: str = "Resource",  # noqa: A002  (CDK's name)
    ) -> CfnResource:
        """Declare a custom resource of the handler.

        It waits for the role's policy, because the function does.

        Other stacks refer to it weakly. CDK's default reference is a CloudFormation export, and an export
        that is in use cannot change, so the layer could never be updated again (aws-cdk#1972). A weak
        reference reads the producing stack's output when the consuming stack is deployed. Nothing breaks in
        between, because replaced versions are retained.

        :raises LbdartError: for a removal policy other than RETAIN and DESTROY.
        """
        if removal_policy not in (RemovalPolicy.RETAIN, RemovalPolicy.DESTROY):
            policy_name = getattr(removal_policy, "name", repr(removal_policy))
            with errors_at(scope):
                raise LbdartError(
                    f"The removal policy {policy_name} does not apply to published artifacts.",
                    "Use RemovalPolicy.RETAIN or RemovalPolicy.DESTROY.",
                )
        resource = CfnResource(
            scope,
            id,
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

    @property
    def bucket(self) -> s3.IBucket:
        """The bucket for artifacts without ``bucket=``: versioned, encrypted, private and retained.

        It is deleted with the stack if all artifacts in it have the removal policy DESTROY, and nobody else
        asked for it here.
        """
        self._is_kept = True
        return self._own_bucket

    @property
    def _has_own_bucket(self) -> bool:
        return "_own_bucket" in vars(self)

    @cached_property
    def _own_bucket(self) -> s3.Bucket:
        key = self._encryption_key
        bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            encryption=s3.BucketEncryption.KMS if key is not None else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            # S3 calls KMS once for many objects, with the same permissions.
            bucket_key_enabled=True if key is not None else None,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            removal_policy=RemovalPolicy.RETAIN,
            # Each publication overwrites layer.zip, and a published version does not need the old one.
            lifecycle_rules=[s3.LifecycleRule(noncurrent_version_expiration=Duration.days(30))],
        )
        # The bucket of functions of other stacks; an export would keep the bucket's stack from going.
        resource = self._own_bucket_resource = _resource(bucket)
        resource.apply_cross_stack_reference_strength(ReferenceStrength.WEAK)
        self._suppressions.add(resource, "AwsSolutions-S1", _NO_ACCESS_LOGS)
        return bucket

    @cached_property
    def _emptying(self) -> CfnResource:
        """Empties the stack's own bucket before CloudFormation deletes it, if that is its removal policy."""
        properties = {"Bucket": self._own_bucket_resource.ref}
        return self.custom_resource(
            Construct(self, "Emptying"), "Custom::LbdartBucket", properties, RemovalPolicy.RETAIN
        )

    def _settle(self) -> None:
        """Decide what all artifacts of the stack decide together."""
        if self._has_own_bucket:
            self._settle_bucket()
        if "_grants" in vars(self):
            self._grants.give()
        self._is_settled = True

    def _settle_bucket(self) -> None:
        """Retain the stack's own bucket and its policy, unless everything in it goes with the stack."""
        bucket, emptying = self._own_bucket, self._emptying
        removal_policy = RemovalPolicy.RETAIN if self._is_kept else RemovalPolicy.DESTROY
        policy = bucket.policy
        if policy is not None:
            policy.apply_removal_policy(removal_policy)
        if not self._is_kept or self._is_settled:  # both are declared with RETAIN
            bucket.apply_removal_policy(removal_policy)
            emptying.add_property_override("RemovalPolicy", removal_policy.name.lower())
        if not self._is_kept and not self._may_empty:
            self._may_empty = True
            objects = f"{bucket.bucket_arn}/*"
            statements = [
                statement(["s3:DeleteObject", "s3:DeleteObjectVersion"], [objects]),
                statement(["s3:ListBucketVersions"], [bucket.bucket_arn]),
            ]
            self._allow_removing(self, "EmptyingPolicy", emptying, statements, [objects])

    @cached_property
    def plain_assets(self) -> PlainAssets:
        """Whether the stack's layers and code are ordinary assets.

        :raises LbdartError: when the context has another value than it may have.
        """
        with errors_at(self.stack):
            return PlainAssets.of(self._node_of_stack)

    @property
    def has_plain_assets(self) -> bool:
        """Whether the stack's layers and code are ordinary assets."""
        return self.plain_assets is not PlainAssets.NO

    @cached_property
    def checks(self) -> FunctionChecks:
        """The checks of the functions that use the stack's artifacts."""
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
        """The role that the handler runs as."""
        role = self._given_role or iam.Role(
            self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
        )
        logging = statement(["logs:CreateLogStream", "logs:PutLogEvents"], [self._log_group.log_group_arn])
        added = role.add_to_principal_policy(logging)
        policy = added.policy_dependable if self._given_role is not None else None
        if not isinstance(policy, iam.Policy):
            policy = role.node.try_find_child("DefaultPolicy")
        if isinstance(policy, iam.Policy):
            self._policy = policy
            self._suppressions.add_policy(policy)
        return role

    @cached_property
    def _grants(self) -> Grants:
        role = self.role
        grants = Grants(
            self,
            self.stack,
            role,
            own_role=self._given_role is None,
            policy=self._policy,
            suppressions=self._suppressions,
            layer_arns=self._layer_arns,
        )
        if self._is_settled:
            grants.give()
        return grants

    @cached_property
    def _service_token(self) -> str:
        packed = handler_zip() if self.staging.wanted else None
        key = hashlib.sha256(packed).hexdigest() if packed is not None else UNKNOWN
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
        self._suppressions.add(_resource(function), "AwsSolutions-L1", _RUNTIME)
        return function.function_arn

    def artifact_bucket(self, bucket: s3.IBucket | None, removal_policy: RemovalPolicy) -> ArtifactBucket:
        """Return the bucket's name, ARN and key; those of the stack's own bucket if it is None.

        :param removal_policy: that of the artifact.
        """
        if bucket is None:
            bucket = self._own_bucket
            self._is_kept |= removal_policy != RemovalPolicy.DESTROY
            if self._is_settled:  # an aspect adds the artifact
                self._settle_bucket()
        if bucket not in self._buckets:
            is_own = self._has_own_bucket and bucket is self._own_bucket
            key = self._encryption_key if is_own else bucket.encryption_key
            # Not the own bucket's bucket_name: CDK would not even synthesise a function of another Region,
            # which is to have an error that says what to do.
            name = self._own_bucket_resource.ref if is_own else bucket.bucket_name
            self._buckets[bucket] = ArtifactBucket(name, bucket.bucket_arn, key)
            if key is not None:
                # S3 needs both to read and write ("Using server-side encryption with AWS KMS keys").
                key.grant(self.role, "kms:Decrypt", "kms:GenerateDataKey")
        return self._buckets[bucket]

    @cached_property
    def _node_of_stack(self) -> Node:
        return self.stack.node

    @cached_property
    def _app(self) -> IConstruct:
        return self._stage if isinstance(self._stage, App) else self._node_of_stack.root

    @cached_property
    def store(self) -> Store:
        """The store that the stack's artifacts are built in."""
        return store_of(self._app)

    @cached_property
    def environment(self) -> Environment:
        """The account and Region of the stack."""
        return Environment.of(self.stack)

    @cached_property
    def _stage(self) -> Stage:
        return stage_of(self.stack)

    def reserve_name(self, layer_name: str, construct: Construct) -> None:
        """Reserve a layer's name: no other layer of the app may mix its versions with it.

        :raises LbdartError: when another layer would.
        """
        reserve(self._app, Reservation("layer_name", layer_name, construct, self._stage, self.environment))

    def reserve_folder(self, bucket: ArtifactBucket, prefix: str, construct: Construct) -> None:
        """Reserve the folder of a layer, as :meth:`reserve_name` does its name."""
        folder = f"{bucket.name}/{prefix}"
        is_global = "${Token[" not in folder
        reserved = Reservation(
            "bucket and prefix", folder, construct, self._stage, self.environment, is_global
        )
        reserve(self._app, reserved)

    def grant_reading(self, asset: StagedAsset) -> None:
        """Let the handler read all assets with the folder and the suffix of an asset.

        A policy that named each object would change with every deployment, and IAM takes longer to spread a
        changed policy than a deployment waits. If the synthesizer names a key, the handler may decrypt with
        it, as with CDK's own ``Asset.grant_read``.
        """
        self._grants.read(f"{self._bucket_arn(asset.bucket_name)}/{_key_pattern(asset.object_key)}")
        if not self._reads:  # a stack's assets are all in one bucket
            self._reads = True
            key = asset.encryption_key
            if key is not None:
                key.grant(self.role, "kms:Decrypt")

    def grant_keeping(self, folder: Folder) -> None:
        """Let the handler read and write the objects of a folder."""
        self._grants.keep(folder)

    def grant_publishing(self, layer_name: str) -> None:
        """Let the handler publish versions of one layer."""
        self._grants.publish(layer_name)

    def grant_removing(self, resource: CfnResource, folder: Folder, layer_name: str | None = None) -> None:
        """Let the handler delete what ``resource`` published: objects of a folder, versions of a layer."""
        self._grants.remove(resource, folder, layer_name)
        if self._has_own_bucket and folder.bucket is self._buckets.get(self._own_bucket):
            # The bucket is emptied after what this resource published is removed.
            resource.node.add_dependency(self._emptying)

    def _allow_removing(
        self,
        scope: Construct,
        id: str,  # noqa: A002  (CDK's name)
        resource: CfnResource,
        statements: Sequence[iam.PolicyStatement],
        arns: Sequence[str],
    ) -> None:
        """Give the role statements in a policy that outlives ``resource``.

        :param arns: the ARNs in the statements.
        """
        if self._policy is None:  # the deployment may not be allowed to create a policy
            for removal in statements:
                self.role.add_to_principal_policy(removal)
            return
        policy = iam.Policy(scope, id, roles=[self.role], statements=statements)
        self._suppressions.add_policy(policy)
        self._suppressions.add_arns(arns)
        resource.node.add_dependency(policy)

    @cached_property
    def _layer_arns(self) -> str:
        here = self.environment
        return f"arn:{self._partition}:lambda:{here.region}:{here.account}:layer"

    def _bucket_arn(self, name: str) -> str:
        return f"arn:{self._partition}:s3:::{name}"


def _refer_weakly_into(stack: Stack) -> None:
    """Make references from other stacks to what is in a nested stack weak, as to a custom resource.

    CDK hands a value out of a nested stack as an output of the nested stack's resource in the parent, and the
    strength of the reference is that of this resource.
    """
    while (parent := stack.nested_stack_parent) is not None:
        resource = stack.nested_stack_resource
        assert resource is not None, "a nested stack has a resource in its parent"
        resource.apply_cross_stack_reference_strength(ReferenceStrength.WEAK)
        stack = parent


def _key_pattern(key: str) -> str:
    """Return a pattern for the keys with the same folder and the same suffix."""
    if "${" in key:
        return "*"
    path = PurePosixPath(key)
    return str(path.with_name(f"*{path.suffix}"))


def _resource(construct: IConstruct) -> CfnResource:
    resource = construct.node.default_child
    assert isinstance(resource, CfnResource)
    return resource


def _log_encryption() -> iam.PolicyStatement:
    """Return what a key's policy must allow ("Encrypt log data in CloudWatch Logs using AWS KMS")."""
    groups = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:*"
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.{Aws.URL_SUFFIX}")],
        actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        resources=["*"],
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
    )


#: The publisher of each stack.
_PUBLISHERS: Final[WeakKeyDictionary[Stack, ArtifactPublisher]] = WeakKeyDictionary()
