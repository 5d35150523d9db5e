"""A function's own code as a zip at a key that names its hash."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import RemovalPolicy, Resource
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ..core.arguments import as_tuple
from ..core.artifacts.source import SourceArtifact
from ..core.credentials.environment import Given
from ..core.locking.manifest import find_project
from ..core.publishing.layouts import SourceS3Layout
from ..core.publishing.s3 import S3Path
from ..core.store.store import Store
from .error_hook import errors_at
from .function_checks import KnownSource, source_warnings, warn
from .native_construct import attribute
from .props import checked_prefix, target_of
from .publisher import ArtifactPublisher
from .staging import NOT_BUILT


class LambdaSourceArtifact(Resource):
    """A project's own code, without its dependencies, built at synth and kept under its hash.

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
        credentials: Given = None,
        bucket: s3.IBucket | None = None,
        prefix: str | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        """Build the zip, unless the stack needs no bundling, and declare its copy into the bucket.

        :param tool: the packaging tool: ``"uv"``, ``"poetry"``, ``"pdm"``, ``"pip"`` or ``"pylock"``.
            Default: told by the manifest that is there.
        :param project: path of the project's directory or manifest, relative to the app's working
            directory. Default: that directory.
        :param runtime: the function's runtime, to be checked against ``requires-python``. Default: not
            checked.
        :param architecture: the function's architecture; pure Python code is the same for both.
        :param include: glob patterns of further files of the project, kept at their relative paths.
            Default: none.
        :param exclude: glob patterns of files in the zip to leave out. Default: none.
        :param credentials: for the private indexes that packages come from, or a function that returns
            them, called once when something is built; they change no hash and get into no file. Default:
            what the tool's own settings, the environment and netrc say.
        :param bucket: where the zips are kept; it should be versioned. Default: one bucket for the
            stack: versioned, encrypted, private, retained.
        :param prefix: key prefix in the bucket. Default: the project's name.
        :param removal_policy: what happens to the zips when the construct is removed. Default: RETAIN.

        Raises :class:`LbdartError` for what the user can put right.
        """
        super().__init__(scope, id)
        publisher = ArtifactPublisher.of(scope)
        with errors_at(self):
            found, chosen = find_project(project, tool)
            target = target_of(found, runtime, architecture) if runtime is not None else None
            artifact = SourceArtifact(
                found, chosen.frontend, as_tuple(include), as_tuple(exclude), Store(), credentials
            )
            folder = checked_prefix(prefix, default=found.name)
            built = artifact.build() if publisher.staging.wanted else None
            warnings = (
                source_warnings(built.native, target) if built is not None and target is not None else ()
            )
        self._sha256 = built.sha256 if built is not None else NOT_BUILT
        self._version = built.version if built is not None else found.version or "0.0.0"
        kept_in = publisher.artifact_bucket(bucket)
        self._bucket_name = kept_in.name
        s3dir = S3Path("bucket", folder)
        self._key = SourceS3Layout(s3dir).get_s3path_source_zip(self._version, self._sha256).key
        path = built.path if built is not None else None
        asset = publisher.staging.stage_file(self, "Zip", path, self._sha256)
        resource = publisher.custom_resource(
            self,
            "Custom::LbdartSource",
            {
                "AssetBucket": asset.bucket_name,
                "AssetKey": asset.object_key,
                "Bucket": self._bucket_name,
                "Prefix": folder,
                "SourceVersion": self._version,
                "SourceSha256": self._sha256,
            },
            removal_policy,
        )
        publisher.grant_reading(asset)
        publisher.grant_keeping(kept_in, f"{folder}/source")
        if removal_policy == RemovalPolicy.DESTROY:
            publisher.grant_removing(self, resource, kept_in, f"{folder}/source")
        warn(self, warnings)
        if built is not None:
            publisher.checks.add_source(KnownSource(self._key, found.name, built, target))
        # The bucket as the copy names it: a function waits for the copy, in whatever stack it is.
        copied_to = s3.Bucket.from_bucket_name(self, "CopiedTo", attribute(resource, "Bucket"))
        self._code = lambda_.S3Code(copied_to, self._key)

    @property
    def code(self) -> lambda_.Code:
        """The code, for a ``Function``'s ``code=``."""
        return self._code

    @property
    def source_sha256(self) -> str:
        """SHA-256 of the zip's bytes; zeros when the stack needs no bundling."""
        return self._sha256

    @property
    def source_version(self) -> str:
        """The project's version."""
        return self._version

    @property
    def object_key(self) -> str:
        """``{prefix}/source/{version}/{sha256}/source.zip``, a literal."""
        return self._key

    @property
    def s3_uri(self) -> str:
        """Where the zip is kept: ``s3://bucket/key`` (the bucket may be a token)."""
        return f"s3://{self._bucket_name}/{self._key}"
