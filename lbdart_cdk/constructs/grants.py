"""Collects the permissions that artifacts need, and gives them to the handler's role at synthesis.

IAM allows 10,240 characters, without whitespace, in all inline policies of a role together ("IAM and AWS STS
quotas"). CDK splits a default policy that is longer, but only of a role that it made, and no other policy. So
the artifacts of a stack share a few statements, and each kind of name has a limited room in these. In a stack
with few artifacts, every one is named. Where the names need more room, they are shortened to their beginnings
(:mod:`.name_patterns`).

All permissions to delete are in a policy of their own, which the deleting resources depend on. When
CloudFormation deletes a resource that was replaced or left the template, the role's policy no longer has its
names. A policy that the resource depends on outlives the resource. It is named by its contents, so another
set of names makes another policy, and CloudFormation deletes the former one after all that depended on it.
For that while the role has both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from .cdk_nag import Suppressions
from .name_patterns import covering, length_of

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

#: The most characters of all names of a kind, in the role's policy and in the one for deletions. All of them,
#: the latter twice, and what surrounds them, are less than IAM allows.
_ROOM_TO_KEEP: Final = 1500
_ROOM_TO_PUBLISH: Final = 800
_ROOM_TO_COMPARE: Final = 800
_ROOM_TO_REMOVE: Final = 900
_ROOM_TO_LIST: Final = 400
_ROOM_TO_LIST_VERSIONS: Final = 450
_ROOM_TO_REMOVE_VERSIONS: Final = 600
#: The most characters of what is the same in all ARNs of objects, and of layers, with two quotes and a comma.
_OBJECT: Final = len('"arn:aws-us-gov:s3:::",')
_LAYER: Final = len('"arn:aws-us-gov:lambda:ap-southeast-2:123456789012:layer:",')


@dataclass(frozen=True)
class ArtifactBucket:
    """The name, the ARN and the encryption key of a bucket for artifacts."""

    name: str
    arn: str
    key: kms.IKey | None


@dataclass(frozen=True, slots=True)
class Folder:
    """Where an artifact keeps its objects: below ``{prefix}/{kind}/``.

    :param kind: ``layer`` or ``source``.
    """

    bucket: ArtifactBucket
    prefix: str
    kind: str


@dataclass
class _Needs:
    """What was asked for since the role got its last permissions."""

    assets: dict[str, None] = field(default_factory=dict)  # in their order
    kept: list[Folder] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    removed: list[Folder] = field(default_factory=list)
    removed_layers: list[str] = field(default_factory=list)
    removing: list[CfnResource] = field(default_factory=list)


class Grants:
    """Permissions for ``role``, collected until :meth:`give`, and given as they are asked for from then on.

    :param scope: the scope of a further policy.
    :param stack: its stack.
    :param own_role: whether the role is below the scope of ``suppressions``.
    :param policy: the role's own policy; None if CDK cannot change the role, which then gets no further one.
    :param layer_arns: what the ARNs of all layers begin with.
    """

    def __init__(
        self,
        scope: Construct,
        stack: Stack,
        role: iam.IRole,
        *,
        own_role: bool,
        policy: iam.Policy | None,
        suppressions: Suppressions,
        layer_arns: str,
    ) -> None:
        self._scope = scope
        self._stack = stack
        self._role = role
        self._own_role = own_role
        self._policy = policy
        self._suppressions = suppressions
        self._layer_arns = layer_arns
        self._needs = _Needs()
        self._is_given = False

    def read(self, asset_pattern: str) -> None:
        """Allow to read the assets that match an ARN."""
        self._needs.assets[asset_pattern] = None
        self._give_late()

    def keep(self, folder: Folder) -> None:
        """Allow to read and write the objects of a folder."""
        self._needs.kept.append(folder)
        self._give_late()

    def publish(self, layer_name: str) -> None:
        """Allow to publish versions of a layer."""
        self._needs.published.append(layer_name)
        self._give_late()

    def remove(self, resource: CfnResource, folder: Folder, layer_name: str | None) -> None:
        """Allow to delete what ``resource`` published: objects of a folder, versions of a layer."""
        self._needs.removed.append(folder)
        if layer_name is not None:
            self._needs.removed_layers.append(layer_name)
        self._needs.removing.append(resource)
        self._give_late()

    def give(self) -> None:
        """Give the permissions to the role."""
        self._is_given = True
        self._give_late()

    def _give_late(self) -> None:
        """Give what is asked for after the others were given: an aspect adds an artifact."""
        if not self._is_given:
            return
        needs, self._needs = self._needs, _Needs()
        kept = self._objects(needs.kept, _ROOM_TO_KEEP)
        buckets = [*{folder.bucket.arn: None for folder in needs.kept}]
        published = self._layers(needs.published, _ROOM_TO_PUBLISH)
        versions = self._layers(needs.published, _ROOM_TO_COMPARE, ":*")
        given = [
            (["s3:GetObject"], [*needs.assets]),
            (["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], kept),
            # Without these S3 denies to look at an object that is not there, as if a permission were missing.
            # A condition on s3:prefix would not do: only requests that list have a prefix.
            (["s3:ListBucket", "s3:GetEncryptionConfiguration"], buckets),
            (["lambda:PublishLayerVersion", "lambda:ListLayerVersions"], published),
            (["lambda:GetLayerVersion"], versions),
        ]
        self._allow([statement(actions, resources) for actions, resources in given if resources])
        arns = [*needs.assets, *kept, *published, *versions]
        self._suppressions.add_arns(arns, None if self._own_role else self._role)
        if needs.removing:
            self._give_removal(needs)

    def _allow(self, statements: Sequence[iam.PolicyStatement]) -> None:
        """Add statements to what the role is allowed: all in one call into CDK, if the policy is known."""
        if self._policy is not None:
            self._policy.add_statements(*statements)
            return
        for allowed in statements:
            self._role.add_to_principal_policy(allowed)

    def _give_removal(self, needs: _Needs) -> None:
        objects = self._objects(needs.removed, _ROOM_TO_REMOVE)
        listed = self._layers(needs.removed_layers, _ROOM_TO_LIST_VERSIONS)
        versions = self._layers(needs.removed_layers, _ROOM_TO_REMOVE_VERSIONS, ":*")
        statements = [
            statement(["s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"], objects),
            *self._listing(needs.removed),
        ]
        if versions:
            statements.append(statement(["lambda:ListLayerVersions"], listed))
            statements.append(statement(["lambda:DeleteLayerVersion"], versions))
        keys = {folder.bucket.arn: folder.bucket.key for folder in needs.removed}
        arns = {key.key_arn: None for key in keys.values() if key is not None}
        if arns:
            statements.append(statement(["kms:Decrypt"], [*arns]))
        if self._policy is None:  # the deployment may not be allowed to create a policy
            self._allow(statements)
            return
        contents = self._stack.resolve([removal.to_json() for removal in statements])
        digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:8]
        policy = iam.Policy(self._scope, f"Removal{digest}", roles=[self._role], statements=statements)
        self._suppressions.add_policy(policy)
        self._suppressions.add_arns([*objects, *listed, *versions])
        for resource in needs.removing:
            resource.node.add_dependency(policy)

    def _objects(self, folders: Sequence[Folder], room: int) -> list[str]:
        """Return ARNs that match the objects of folders."""
        return [
            f"{bucket.arn}/{pattern}"
            for bucket, patterns in _below(folders, room, with_bucket=True)
            for pattern in patterns
        ]

    def _listing(self, folders: Sequence[Folder]) -> Iterator[iam.PolicyStatement]:
        """Yield the statements that allow to list folders."""
        by_bucket: dict[str, list[str]] = {}
        for bucket, patterns in _below(folders, _ROOM_TO_LIST, with_bucket=False):
            by_bucket.setdefault(bucket.arn, []).extend(patterns)
        for arn, patterns in by_bucket.items():
            yield statement(["s3:ListBucketVersions"], [arn], {"StringLike": {"s3:prefix": patterns}})

    def _layers(self, names: Sequence[str], room: int, suffix: str = "") -> list[str]:
        """Return ARNs that match layers."""
        patterns = covering(names, room, _LAYER + len(suffix))
        return [f"{self._layer_arns}:{pattern}{suffix}" for pattern in patterns]


def _below(
    folders: Iterable[Folder], room: int, *, with_bucket: bool
) -> Iterator[tuple[ArtifactBucket, list[str]]]:
    """Yield each bucket with patterns of the keys below its folders, by their kinds.

    :param with_bucket: whether each pattern takes the room of its bucket's ARN, too.
    """
    groups: dict[tuple[str, str], tuple[ArtifactBucket, list[str]]] = {}
    for folder in folders:
        group = groups.setdefault((folder.bucket.arn, folder.kind), (folder.bucket, []))
        group[1].append(folder.prefix)
    for (_, kind), (bucket, prefixes) in groups.items():
        around = len(f'"/{kind}/*",') + (_OBJECT + length_of(bucket.name) if with_bucket else 0)
        patterns = covering(prefixes, room // len(groups), around)
        yield bucket, [f"{pattern}/{kind}/*" for pattern in patterns]


def statement(
    actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, Any] | None = None
) -> iam.PolicyStatement:
    """Return a statement that allows ``actions`` on ``resources``."""
    return iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)
