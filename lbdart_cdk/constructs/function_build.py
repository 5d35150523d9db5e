"""What a function is built from, and what a stack has of it: a layer, code, or one zip of both."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ..core.artifacts.function import FunctionArtifact
from ..core.artifacts.layer import EmptyLayerError, LayerArtifact
from ..core.artifacts.source import SourceArtifact
from ..core.credentials.environment import Given
from ..core.errors import BuildWarning
from ..core.keys import Json, key_of
from ..core.locking.manifest import may_require_packages
from ..core.locking.tool import Options, Tool
from ..core.project.project import Project
from ..core.project.target import Target
from ..core.wheels.build_image import BuildContainer
from ..core.wheels.environment import BuildEnvironment
from .code_zip import CodeArtifact, CodeZip
from .layer_artifact import LambdaLayerArtifact
from .publisher import ArtifactPublisher
from .shared import names_after, shared

#: The constructs that the shared artifacts of a stack are below.
_LAYERS: Final = "FunctionLayers"
_CODE: Final = "FunctionCode"


class SharedCode(Construct):
    """The code of one or more functions of a stack."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002  (CDK's name)
        artifact: CodeArtifact,
        build: FunctionBuild,
    ) -> None:
        super().__init__(scope, id)
        removal_policy = build.removal_policy or RemovalPolicy.RETAIN
        #: The zip.
        self.zip = CodeZip(
            self, artifact, target=None, bucket=build.bucket, prefix=None, removal_policy=removal_policy
        )


class _DependenciesLayer(LambdaLayerArtifact):
    """A layer beside the code of its project."""

    _hints_at_own_code = False


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The dependencies of one or more functions of a stack.

    :param layer: None when no package is selected.
    :param warnings: those about a selection without packages.
    """

    layer: LambdaLayerArtifact | None = None
    warnings: tuple[BuildWarning, ...] = ()


@dataclass(frozen=True)
class FunctionBuild:
    """What a function is built from, and where that is kept.

    :param path: the project's path, as the user gave it.
    :param runtime: the user's own object, if given.
    :param exclude: names of packages to leave out.
    :param include: glob patterns of more files of the project.
    :param exclude_code: glob patterns of files to leave out of the code.
    :param exclude_files: patterns of files to leave out of the layer, or of the one zip.
    :param bytecode: whether the modules of all have bytecode.
    """

    path: str
    project: Project
    tool: Tool
    target: Target
    runtime: lambda_.Runtime | None
    architecture: lambda_.Architecture | None
    options: Options
    exclude: tuple[str, ...]
    keep: tuple[str, ...]
    prefer: tuple[str, ...]
    include: tuple[str, ...]
    exclude_code: tuple[str, ...]
    exclude_files: tuple[str, ...]
    bytecode: bool
    container: BuildContainer | None
    environment: Mapping[str, str]
    credentials: Given
    bucket: s3.IBucket | None
    removal_policy: RemovalPolicy | None

    def dependencies_in(self, stack: Stack) -> Dependencies:
        """Return the layer that a stack has for the dependencies."""
        if not self._may_require_packages:
            return Dependencies()
        options = (*self.options.extras, *self.options.groups)
        python = self.target.runtime.replace(".", "")
        details = "-".join(["", python, self.target.architecture, *options])
        return shared(
            stack,
            _LAYERS,
            (self._kept, self._packages),
            names_after(self.project.name, self.project.root, f"{details}{_suffix(self._further_packages)}"),
            self._make_layer,
        )

    def code_in(self, stack: Stack) -> CodeZip:
        """Return the code that a stack has of the project."""
        return self._zip_in(stack, self._source(stack), None)

    def one_zip_in(self, stack: Stack) -> CodeZip:
        """Return the zip that a stack has of code and dependencies."""
        source = replace(self._source(stack), exclude_files=self.exclude_files)
        return self._zip_in(stack, source, self._layer(stack) if self._may_require_packages else None)

    def _zip_in(self, stack: Stack, source: SourceArtifact, dependencies: LayerArtifact | None) -> CodeZip:
        artifact: CodeArtifact = source
        details = ""
        inputs = (*self._code, source.exclude_files)
        further: dict[str, Json] = {
            "include": self.include,
            "exclude_code": self.exclude_code,
            "exclude_files": source.exclude_files,
            "bytecode": self.target.python_version if self.bytecode else None,
            "environment": self.environment,
        }
        if dependencies is not None:
            artifact = FunctionArtifact(source, dependencies)
            details = "-".join(["", self.target.runtime.replace(".", ""), self.target.architecture])
            inputs += self._packages
            further |= self._further_packages
            further |= {"extras": self.options.extras, "groups": self.options.groups}
        code = shared(
            stack,
            _CODE,
            (self._kept, inputs),
            names_after(self.project.name, self.project.root, f"{details}{_suffix(further)}"),
            lambda scope, name: SharedCode(scope, name, artifact, self),
        )
        return code.zip

    @property
    def _may_require_packages(self) -> bool:
        return may_require_packages(self.project, self.options)

    @property
    def _kept(self) -> Hashable:
        """Where artifacts are kept, and how long. Credentials change nothing that is built."""
        return id(self.bucket), self.removal_policy

    @property
    def _code(self) -> tuple[Hashable, ...]:
        """What the code is built from."""
        environment = tuple(sorted(self.environment.items()))
        lists = self.include, self.exclude_code
        compiled_for = self.target.python if self.bytecode else None
        return self.project, self.tool.name, lists, environment, compiled_for

    @property
    def _packages(self) -> tuple[Hashable, ...]:
        """What the packages are built from."""
        lists = self.exclude, self.keep, self.prefer, self.exclude_files
        environment = tuple(sorted(self.environment.items()))
        built = self.container, environment, self.bytecode
        return self.project, self.tool.name, self.target, self.options, lists, built

    @property
    def _further_packages(self) -> dict[str, Json]:
        """What the packages are built from, as far as most functions leave it out."""
        container = self.container.inputs(self.target) if self.container is not None else None
        return {
            "exclude": self.exclude,
            "keep": self.keep,
            "prefer": self.prefer,
            "exclude_files": self.exclude_files,
            "bytecode": self.target.python_version if self.bytecode else None,
            "environment": self.environment,
            "container": container,
        }

    def _make_layer(self, scope: Construct, name: str) -> Dependencies:
        try:
            layer = _DependenciesLayer(
                scope,
                name,
                tool=self.tool.name,
                project=self.path,
                runtime=self.runtime,
                architecture=self.architecture,
                extras=self.options.extras,
                groups=self.options.groups,
                exclude=self.exclude,
                keep=self.keep,
                prefer=self.prefer,
                exclude_files=self.exclude_files,
                bytecode=self.bytecode,
                build_in_container=self.container or False,
                build_environment=self.environment,
                credentials=self.credentials,
                bucket=self.bucket,
                removal_policy=self.removal_policy,
            )
        except EmptyLayerError as error:
            scope.node.try_remove_child(name)
            return Dependencies(warnings=error.warnings)
        return Dependencies(layer)

    def _source(self, stack: Stack) -> SourceArtifact:
        environment = BuildEnvironment(self.environment)
        return SourceArtifact(
            self.project,
            self.tool,
            self.include,
            self.exclude_code,
            ArtifactPublisher.of(stack).store,
            self.credentials,
            environment=environment,
            bytecode=self.target if self.bytecode else None,
            container=self.container,
        )

    def _layer(self, stack: Stack) -> LayerArtifact:
        return LayerArtifact(
            self.project,
            self.tool,
            self.target,
            self.options,
            self.exclude,
            ArtifactPublisher.of(stack).store,
            self.credentials,
            self.container,
            environment=BuildEnvironment(self.environment),
            prefer=self.prefer,
            keep=self.keep,
        )


def _suffix(further: Mapping[str, Json]) -> str:
    """Return the end of an id for what most functions leave out; nothing when it is left out."""
    given = {name: value for name, value in further.items() if value}
    return f"-{key_of(given)[:8]}" if given else ""
