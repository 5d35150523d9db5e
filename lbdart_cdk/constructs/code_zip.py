"""A zip of a function's code in a stack: published under its hash, or an ordinary asset.

CDK asks the code of a function for its place (``bind``), and then gives it the function's resource
(``bind_to_resource``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ..core.artifacts.built import Buildable
from ..core.artifacts.source import SourceIdentity, source_warnings
from ..core.errors import BuildWarning
from ..core.native.found import NativeScan
from ..core.project.project import Project
from ..core.project.target import Target
from ..core.publishing.layouts import SourceS3Layout
from ..core.publishing.s3 import S3Path
from .error_hook import errors_at
from .function_checks import KnownCode, warn
from .grants import ArtifactBucket, Folder
from .identity import UNKNOWN, Identity
from .places import Place, check_place
from .props import checked_prefix
from .publisher import ArtifactPublisher
from .staging import StagedAsset
from .synth_line import built_at


class BuiltCode(Protocol):
    """A finished zip of code."""

    @property
    def path(self) -> Path:
        """The zip."""
        ...

    @property
    def identity(self) -> SourceIdentity:
        """The version and the hash in its key."""
        ...

    @property
    def size(self) -> int:
        """Bytes, unzipped."""
        ...

    @property
    def native(self) -> NativeScan | None:
        """The scan of its compiled files; None when the build checked them for the target."""
        ...

    @property
    def warnings(self) -> tuple[BuildWarning, ...]:
        """What may not be as the user expects."""
        ...

    @property
    def bytecode(self) -> int:
        """The bytes of ``size`` that are bytecode."""
        ...


class CodeArtifact(Buildable[BuiltCode], Protocol):
    """What a zip of code is built from."""

    @property
    def project(self) -> Project:
        """The project whose code it is."""
        ...

    @property
    def bytecode(self) -> Target | None:
        """The target for which the zip has bytecode."""
        ...

    def known_identity(self) -> SourceIdentity | None:
        """Return the identity that the store knows."""
        ...


class CodeZip:
    """A zip of code for the functions of any stack, declared in the stack of its construct."""

    def __init__(
        self,
        construct: Construct,
        artifact: CodeArtifact,
        *,
        target: Target | None,
        bucket: s3.IBucket | None,
        prefix: str | None,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Build the zip unless the stack needs no bundling, and declare it.

        :param construct: the artifact's construct; what the zip needs is declared below it.
        :param target: what the zip's compiled files are checked for. Default: the target of each function.
        :raises LbdartError: when a prop is invalid, or the zip cannot be built.
        """
        self._construct, self._artifact = construct, artifact
        publisher = self._publisher = ArtifactPublisher.of(construct)
        project = artifact.project
        with errors_at(construct):
            key_prefix = checked_prefix(prefix, default=project.name)
            self.built = built_at(construct, artifact) if publisher.staging.wanted else None
            if self.built is not None:
                warn(construct, self.built.warnings)
            if self.built is not None and self.built.native is not None and target is not None:
                warn(construct, source_warnings(self.built.native, target))
        self._is_checked = target is not None
        self._layout = SourceS3Layout(S3Path("bucket", key_prefix))
        self._asset = self._stage(construct)
        self._copy: CfnResource | None = None
        unknown = SourceIdentity(project.version or "0.0.0", UNKNOWN)
        found = self.built.identity if self.built is not None else None
        self._identity = Identity(
            construct,
            publisher.staging,
            found=found,
            find=lambda: artifact.known_identity() or artifact.build().identity,
            unknown=unknown,
            declare=self._declare,
        )
        self._code: _Plain | _Published
        if publisher.has_plain_assets:
            self._bucket_name = self._asset.bucket_name
            self._code = _Plain(publisher.stack, self._asset, self._stage, self._check)
        else:
            artifact_bucket = publisher.artifact_bucket(bucket, removal_policy)
            self._bucket_name = artifact_bucket.name
            self._copy = self._publish(artifact_bucket, key_prefix, removal_policy, found or unknown)
            place = Place(construct, publisher.stack, publisher.environment, is_own_bucket=bucket is None)
            self._code = _Published(self._bucket_name, self._key_in, self._copy, place, self._check)

    @property
    def code(self) -> lambda_.Code:
        """The code, for a ``Function``'s ``code=``."""
        return self._code

    @property
    def identity(self) -> SourceIdentity:
        """The version and the hash of the zip."""
        return self._identity.get()

    @property
    def object_key(self) -> str:
        """The zip's key in its bucket, a literal."""
        return self._asset.object_key if self._copy is None else self._key_of(self.identity)

    @property
    def s3_uri(self) -> str:
        """The zip's URI (the bucket may be a token)."""
        return f"s3://{self._bucket_name}/{self.object_key}"

    def _stage(self, scope: Construct) -> StagedAsset:
        """Stage the zip in the stack of a construct, unless this stack is not deployed."""
        staging = ArtifactPublisher.of(scope).staging
        with errors_at(self._construct):
            built = self.built or (self._artifact.build() if staging.wanted else None)
            if built is None:
                return staging.stage_file(scope, "Zip", None, UNKNOWN)
            return staging.stage_file(scope, "Zip", built.path, built.identity.sha256)

    def _publish(
        self,
        bucket: ArtifactBucket,
        key_prefix: str,
        removal_policy: RemovalPolicy,
        identity: SourceIdentity,
    ) -> CfnResource:
        """Declare the copy of the zip into the bucket."""
        publisher = self._publisher
        resource = publisher.custom_resource(
            self._construct,
            "Custom::LbdartSource",
            {
                "AssetBucket": self._asset.bucket_name,
                "AssetKey": self._asset.object_key,
                "Bucket": bucket.name,
                "Prefix": key_prefix,
                **_properties(identity),
            },
            removal_policy,
        )
        publisher.grant_reading(self._asset)
        folder = Folder(bucket, key_prefix, "source")
        publisher.grant_keeping(folder)
        if removal_policy == RemovalPolicy.DESTROY:
            publisher.grant_removing(resource, folder)
        return resource

    def _declare(self, found: SourceIdentity) -> None:
        """Write an identity that was found later into the copy."""
        if self._copy is not None:
            for property_name, value in _properties(found).items():
                self._copy.add_property_override(property_name, value)

    def _key_in(self, scope: Construct) -> str:
        """Return the key for a function; its hash is looked for only if the function's stack is deployed."""
        is_wanted = not self._identity.is_found and Stack.of(scope).bundling_required
        return self._key_of(self.identity if is_wanted else self._identity.peek())

    def _key_of(self, identity: SourceIdentity) -> str:
        return self._layout.get_s3path_source_zip(identity.version, identity.sha256).key

    def _check(self, function: lambda_.CfnFunction) -> None:
        """Check a function that has the code at the end of the synthesis."""
        if self.built is not None:
            native = self.built.native if not self._is_checked else None
            known = KnownCode(
                self._artifact.project.name,
                self.built.size,
                native,
                self.built.bytecode,
                self._artifact.bytecode,
            )
            self._publisher.checks.add_code(function, known)


def _properties(identity: SourceIdentity) -> Mapping[str, str]:
    """Return the properties that name what is copied."""
    return {"SourceVersion": identity.version, "SourceSha256": identity.sha256}


class _Published(lambda_.Code):
    """A zip that a custom resource copies to a key that names its hash.

    A function refers to the bucket itself, and not to an attribute of the copy, so that ``cdk deploy
    --hotswap`` can read it. A hotswap copies nothing: it finds no zip under a new key, and fails loudly.
    """

    def __init__(
        self,
        bucket_name: str,
        key_in: Callable[[Construct], str],
        copy: CfnResource,
        place: Place,
        check: Callable[[lambda_.CfnFunction], None],
    ) -> None:
        super().__init__()
        self._bucket_name, self._key_in, self._copy = bucket_name, key_in, copy
        self._place, self._check = place, check

    @property
    def is_inline(self) -> bool:
        """No: it is in S3."""
        return False

    def bind(self, scope: Construct) -> lambda_.CodeConfig:
        """Return the place of the zip for a function."""
        location = s3.Location(bucket_name=self._bucket_name, object_key=self._key_in(scope))
        return lambda_.CodeConfig(s3_location=location)

    def bind_to_resource(self, resource: CfnResource, *, resource_property: str | None = None) -> None:
        """Let a function wait for the copy."""
        resource.node.add_dependency(self._copy)
        if isinstance(resource, lambda_.CfnFunction):
            check_place(resource, self._place)
            self._check(resource)


class _Plain(lambda_.Code):
    """A zip that is an asset of each stack that has a function with it.

    :param stage: stages the asset in the stack of a construct.
    """

    def __init__(
        self,
        stack: Stack,
        asset: StagedAsset,
        stage: Callable[[Construct], StagedAsset],
        check: Callable[[lambda_.CfnFunction], None],
    ) -> None:
        super().__init__()
        self._assets = {stack: asset}
        self._stage, self._check = stage, check

    @property
    def is_inline(self) -> bool:
        """No: it is in S3."""
        return False

    def bind(self, scope: Construct) -> lambda_.CodeConfig:
        """Return the place of the zip for a function."""
        asset = self._asset_in(scope)
        location = s3.Location(bucket_name=asset.bucket_name, object_key=asset.object_key)
        return lambda_.CodeConfig(s3_location=location)

    def bind_to_resource(self, resource: CfnResource, *, resource_property: str | None = None) -> None:
        """Name the file in the function's metadata, where SAM looks for it."""
        self._asset_in(resource).describe(resource, resource_property or "Code")
        if isinstance(resource, lambda_.CfnFunction):
            self._check(resource)

    def _asset_in(self, scope: Construct) -> StagedAsset:
        stack = Stack.of(scope)
        if stack not in self._assets:
            self._assets[stack] = self._stage(scope)
        return self._assets[stack]
