"""A function's own code as a zip, under a key that contains the zip's hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import RemovalPolicy, Resource
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ..core.arguments import as_tuple
from ..core.artifacts.source import SourceArtifact
from ..core.credentials.environment import Given
from ..core.locking.manifest import find_project
from ..core.wheels.environment import BuildEnvironment
from .code_zip import CodeZip
from .error_hook import errors_at
from .props import target_of
from .publisher import ArtifactPublisher


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
        bytecode: bool = False,
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
        :param bytecode: whether the zip has the bytecode of its modules, for the runtime; without one, for
            the Python of ``.python-version``, else of the oldest Lambda runtime that ``requires-python``
            admits. See ``LambdaLayerArtifact``. Default: no bytecode.
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
        with errors_at(self):
            user_project, user_tool = find_project(project, tool)
            target = target_of(user_project, runtime, architecture) if runtime is not None else None
            artifact = SourceArtifact(
                user_project,
                user_tool,
                as_tuple(include),
                as_tuple(exclude),
                ArtifactPublisher.of(scope).store,
                credentials,
                environment=BuildEnvironment(build_environment or {}),
                bytecode=target_of(user_project, runtime, architecture) if bytecode else None,
            )
        self._zip = CodeZip(
            self, artifact, target=target, bucket=bucket, prefix=prefix, removal_policy=removal_policy
        )

    @property
    def code(self) -> lambda_.Code:
        """The code, for a ``Function``'s ``code=``."""
        return self._zip.code

    @property
    def source_sha256(self) -> str:
        """SHA-256 of the zip's bytes.

        It is the same whether the artifact's stack is deployed or not (``cdk deploy --exclusively``); a code
        that the cache does not know is built for it. Where no stack is deployed (``cdk ls``,
        ``cdk destroy``), it is zeros.
        """
        return self._zip.identity.sha256

    @property
    def source_version(self) -> str:
        """The project's version."""
        return self._zip.identity.version

    @property
    def object_key(self) -> str:
        """``{prefix}/source/{version}/{sha256}/source.zip``, a literal."""
        return self._zip.object_key

    @property
    def s3_uri(self) -> str:
        """The zip's URI, ``s3://bucket/key`` (the bucket may be a token)."""
        return self._zip.s3_uri
