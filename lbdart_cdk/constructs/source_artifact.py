"""A function's own code as a zip, under a key that contains the zip's hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aws_cdk import RemovalPolicy, Resource, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ..core.arguments import as_tuple
from ..core.artifacts.source import SourceArtifact, SourceIdentity
from ..core.credentials.environment import Given
from ..core.locking.manifest import find_project
from ..core.publishing.layouts import SourceS3Layout
from ..core.publishing.s3 import S3Path
from ..core.store.store import Store
from ..core.wheels.environment import BuildEnvironment
from .error_hook import errors_at
from .function_checks import KnownSource, source_warnings, warn
from .grants import Folder
from .identity import UNKNOWN, Identity
from .places import KnownPlace
from .props import checked_prefix, target_of
from .publisher import ArtifactPublisher
from .tokens import attribute


class LambdaSourceArtifact(Resource):
    """A project's own code, without its dependencies, built at synth and stored under its hash.

    The key is a literal in the template, so ``cdk diff`` shows when the code changes::

        code = LambdaSourceArtifact(self, "Code", tool="uv")
        lambda_.Function(self, "Fn", ..., code=code.code)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002  (CDK's name)
        *,
        tool: str | None = None,
        project: str = ".",
        runtime: lambda_.Runtime | None = None,
        architecture: lambda_.Architecture | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        build_environment: Mapping[str, str] | None = None,
        credentials: Given = None,
        bucket: s3.IBucket | None = None,
        prefix: str | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        """Declare the zip's copy into the bucket, and build the zip unless the stack needs no bundling.

        :param tool: the packaging tool: ``"uv"``, ``"poetry"``, ``"pdm"``, ``"pip"`` or ``"pylock"``.
            Default: the tool of the only known manifest in the project.
        :param project: path of the project's directory or manifest, relative to the app's working
            directory. Default: the working directory itself.
        :param runtime: the function's runtime, which is checked against ``requires-python``. Default: no
            check.
        :param architecture: the function's architecture; pure Python code is the same for both.
        :param include: glob patterns of more files of the project to add, at their relative paths.
            Default: none.
        :param exclude: glob patterns of files to leave out of the zip. Default: none.
        :param build_environment: further environment variables for builds of packages and of local projects.
            Builds see a listed environment only; what is named here is part of the build key. Default: none.
        :param credentials: one ``Credentials``, or several, for private indexes; or a function that returns
            them, called once when something is built. They change no hash and are written to no file.
            Default: the tool's own settings, the environment and netrc.
        :param bucket: the bucket for the zips; it should be versioned. Default: one bucket for each stack:
            versioned, encrypted, private, retained.
        :param prefix: the key prefix in the bucket. Default: the project's name.
        :param removal_policy: what happens to the zips when the construct is removed. Default: RETAIN.
        :raises LbdartError: when a prop is invalid, or the zip cannot be built.
        """
        super().__init__(scope, id)
        publisher = ArtifactPublisher.of(scope)
        with errors_at(self):
            user_project, user_tool = find_project(project, tool)
            target = target_of(user_project, runtime, architecture) if runtime is not None else None
            artifact = SourceArtifact(
                user_project,
                user_tool,
                as_tuple(include),
                as_tuple(exclude),
                Store(),
                credentials,
                environment=BuildEnvironment(build_environment or {}),
            )
            key_prefix = checked_prefix(prefix, default=user_project.name)
            source_zip = artifact.build() if publisher.staging.wanted else None
            warnings = (
                source_warnings(source_zip.native, target)
                if source_zip is not None and target is not None
                else ()
            )
        unknown = SourceIdentity(user_project.version or "0.0.0", UNKNOWN)
        identity = source_zip.identity if source_zip is not None else unknown
        artifact_bucket = publisher.artifact_bucket(bucket, removal_policy)
        self._bucket_name = artifact_bucket.name
        self._layout = SourceS3Layout(S3Path("bucket", key_prefix))
        path = source_zip.path if source_zip is not None else None
        with errors_at(self):
            asset = publisher.staging.stage_file(self, "Zip", path, identity.sha256)
        resource = publisher.custom_resource(
            self,
            "Custom::LbdartSource",
            {
                "AssetBucket": asset.bucket_name,
                "AssetKey": asset.object_key,
                "Bucket": self._bucket_name,
                "Prefix": key_prefix,
                **_properties(identity),
            },
            removal_policy,
        )
        publisher.grant_reading(asset)
        folder = Folder(artifact_bucket, key_prefix, "source")
        publisher.grant_keeping(folder)
        if removal_policy == RemovalPolicy.DESTROY:
            publisher.grant_removing(resource, folder)
        warn(self, warnings)

        def declare(found: SourceIdentity) -> None:
            for property_name, value in _properties(found).items():
                resource.add_property_override(property_name, value)

        self._identity = Identity(
            self,
            publisher.staging,
            found=source_zip.identity if source_zip is not None else None,
            recall=artifact.known_identity,
            find=lambda: artifact.known_identity() or artifact.build().identity,
            unknown=unknown,
            declare=declare,
        )
        if source_zip is not None:
            publisher.checks.add_source(KnownSource(self.object_key, user_project.name, source_zip, target))
        # The bucket's name is an attribute of the copy, so a function in any stack waits for the copy.
        bucket_name = attribute(resource, "Bucket")
        copied_to = s3.Bucket.from_bucket_name(self, "CopiedTo", bucket_name)
        if publisher.staging.wanted or publisher.staging.another_is_deployed:
            publisher.checks.add_place(
                KnownPlace(self, publisher.stack, publisher.environment, bucket_name, bucket is None)
            )
        self._code: lambda_.Code
        if source_zip is not None:
            self._code = lambda_.S3Code(copied_to, self.object_key)
        else:
            self._code = _CodeOfOtherStack(copied_to, self._key_in)

    @property
    def code(self) -> lambda_.Code:
        """The code, for a ``Function``'s ``code=``."""
        return self._code

    @property
    def source_sha256(self) -> str:
        """SHA-256 of the zip's bytes.

        It is the same whether the artifact's stack is deployed or not (``cdk deploy --exclusively``); a code
        that the cache does not know is built for it. Where no stack is deployed (``cdk ls``,
        ``cdk destroy``), it is zeros unless the cache knows it.
        """
        return self._identity.get().sha256

    @property
    def source_version(self) -> str:
        """The project's version."""
        return self._identity.get().version

    @property
    def object_key(self) -> str:
        """``{prefix}/source/{version}/{sha256}/source.zip``, a literal."""
        return self._key_of(self._identity.get())

    @property
    def s3_uri(self) -> str:
        """The zip's URI, ``s3://bucket/key`` (the bucket may be a token)."""
        return f"s3://{self._bucket_name}/{self.object_key}"

    def _key_in(self, stack: Stack) -> str:
        """Return the key for a function; its hash is asked for only if the function's stack is deployed."""
        return self._key_of(self._identity.get() if stack.bundling_required else self._identity.peek())

    def _key_of(self, identity: SourceIdentity) -> str:
        return self._layout.get_s3path_source_zip(identity.version, identity.sha256).key


def _properties(identity: SourceIdentity) -> dict[str, str]:
    """Return the properties that name what is copied."""
    return {"SourceVersion": identity.version, "SourceSha256": identity.sha256}


class _CodeOfOtherStack(lambda_.Code):
    """The code of an artifact whose stack is not deployed, for functions whose stack may be."""

    def __init__(self, bucket: s3.IBucket, key_in: Callable[[Stack], str]) -> None:
        super().__init__()
        self._bucket = bucket
        self._key_in = key_in

    @property
    def is_inline(self) -> bool:
        """No: it is in S3."""
        return False

    def bind(self, scope: Construct) -> lambda_.CodeConfig:
        """Return the place of the code for a function."""
        location = s3.Location(bucket_name=self._bucket.bucket_name, object_key=self._key_in(Stack.of(scope)))
        return lambda_.CodeConfig(s3_location=location)
