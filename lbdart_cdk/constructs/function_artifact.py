"""A function from a project: its code and its dependencies, in one construct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from aws_cdk import RemovalPolicy, Stack, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ..core.arguments import as_tuple
from ..core.credentials.environment import Given
from ..core.errors import InvalidError, LbdartError
from ..core.locking.manifest import find_code, without_lock
from ..core.locking.tool import Options
from ..core.wheels.build_image import BuildContainer
from .error_hook import errors_at
from .function_build import Dependencies, FunctionBuild
from .function_checks import warn
from .handlers import refuse_missing_handler
from .layer_artifact import LambdaLayerArtifact
from .props import runtime_of, target_of

#: Props of PythonFunction, and what is said here instead.
_ELSEWHERE: Final = {
    "entry": "Pass project=, the directory of the project",
    "index": 'Name the module in handler=, such as "orders.app.handler"',
    "bundling": "Leave it out: nothing is installed, and props of this construct say what the zip has",
    "code": "Leave it out: the code is the project's own",
}
#: Layers that Lambda accepts for a function ("Lambda quotas").
_MAX_LAYERS: Final = 5


class LambdaFunctionArtifact(lambda_.Function):
    """A function that runs a project's code with its locked dependencies.

    It is a ``Function`` of CDK, and takes its props::

        LambdaFunctionArtifact(
            self, "Orders", project="services/orders", handler="orders.app.handler", memory_size=512
        )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002  (CDK's name)
        *,
        handler: str,
        project: str = ".",
        tool: str | None = None,
        runtime: lambda_.Runtime | None = None,
        architecture: lambda_.Architecture | None = None,
        packaging: Literal["layer", "zip"] = "layer",
        extras: Sequence[str] = (),
        groups: Sequence[str] = (),
        exclude: Sequence[str] = (),
        keep: Sequence[str] = (),
        prefer: Sequence[str] = (),
        include: Sequence[str] = (),
        exclude_code: Sequence[str] = (),
        exclude_files: Sequence[str] = (),
        bytecode: bool = False,
        build_in_container: bool | BuildContainer = False,
        build_environment: Mapping[str, str] | None = None,
        credentials: Given = None,
        bucket: s3.IBucket | None = None,
        removal_policy: RemovalPolicy | None = None,
        layers: Sequence[lambda_.ILayerVersion] = (),
        **function_props: Any,
    ) -> None:
        """Declare the function, its code and the layer with its dependencies.

        The functions of a stack share one layer and one copy of the code, as far as these are built from the
        same. A project that requires no packages has no layer, and needs no lock.

        :param handler: the module and the function in it: ``"orders.app.handler"``.
        :param project: path of the project's directory or manifest, relative to the app's working
            directory. Default: the working directory itself.
        :param tool: the packaging tool, see ``LambdaLayerArtifact``.
        :param runtime: the function's runtime. Default: the Python of ``.python-version``, else the oldest
            Lambda runtime that ``requires-python`` admits.
        :param architecture: the function's architecture. Default: x86_64.
        :param packaging: ``"layer"`` for dependencies in a layer, or ``"zip"`` for code and dependencies in
            one zip: for Lambda@Edge, for small functions, and beside five other layers. Default: ``"layer"``.
        :param extras: the project's extras to include. Default: none.
        :param groups: the project's dependency groups to include. Default: none.
        :param exclude: names of packages to leave out, in addition to the default list. Default: none.
        :param keep: names of packages on the default list to keep as locked, with what they require.
        :param prefer: names of packages whose files are taken where two packages bring one.
        :param include: glob patterns of more files of the project to add to the code. Default: none.
        :param exclude_code: glob patterns of files to leave out of the code. Default: none.
        :param exclude_files: patterns of files to leave out of the layer, or of the one zip of code and
            dependencies, in the syntax of ``.gitignore``. Default: none.
        :param bytecode: whether the layer and the code have the bytecode of their modules, see
            ``LambdaLayerArtifact``. Default: no bytecode.
        :param build_in_container: whether Docker builds packages with compiled code, see
            ``LambdaLayerArtifact``.
        :param build_environment: further environment variables for builds. Default: none.
        :param credentials: one ``Credentials``, or several, for private indexes; or a function that returns
            them. Default: the tool's own settings, the environment and netrc.
        :param bucket: the bucket for the artifacts. Default: the stack's own.
        :param removal_policy: what happens to the artifacts when nothing uses them any more. Default: RETAIN.
        :param layers: further layers, whose files win over those of the dependencies. Default: none.
        :param function_props: the other props of CDK's ``Function``.
        :raises LbdartError: when a prop is invalid, the code has no such handler, or it cannot be built.
        """
        with errors_at(scope, id):
            _refuse_props_of_others(function_props)
            options = Options(as_tuple(extras), as_tuple(groups))
            asks_for_packages = bool(options.extras or options.groups)
            found, found_tool = find_code(project, tool, requires_packages=asks_for_packages)
            build = FunctionBuild(
                path=project,
                project=found,
                tool=found_tool,
                target=target_of(found, runtime, architecture),
                runtime=runtime,
                architecture=architecture,
                options=options,
                exclude=as_tuple(exclude),
                keep=as_tuple(keep),
                prefer=as_tuple(prefer),
                include=as_tuple(include),
                exclude_code=as_tuple(exclude_code),
                exclude_files=as_tuple(exclude_files),
                bytecode=bytecode,
                container=BuildContainer.asked(build_in_container),
                environment=build_environment or {},
                credentials=credentials,
                bucket=bucket,
                removal_policy=removal_policy,
            )
            stack = Stack.of(scope)
            if packaging == "zip":
                dependencies, code = Dependencies(), build.one_zip_in(stack)
            elif packaging == "layer":
                dependencies, code = build.dependencies_in(stack), build.code_in(stack)
            else:
                raise InvalidError(f"There is no packaging {packaging!r}.", 'Pass "layer" or "zip".')
            own_layers = [dependencies.layer] if dependencies.layer is not None else []
            _refuse_too_many(own_layers, layers)
            if code.built is not None and not layers and not Token.is_unresolved(handler):
                archives = [(layer.zip_path, "python/") for layer in own_layers if layer.zip_path is not None]
                refuse_missing_handler(
                    handler,
                    found,
                    [(code.built.path, ""), *archives],
                    is_package=found_tool.frontend_of(found) is not None,
                )
        self._dependencies = dependencies.layer
        if architecture is not None:
            function_props["architecture"] = architecture
        super().__init__(
            scope,
            id,
            handler=handler,
            runtime=runtime or runtime_of(build.target),
            code=code.code,
            layers=[*own_layers, *layers],
            **function_props,
        )
        warn(self, [*dependencies.warnings, *without_lock(found)])

    @property
    def dependencies(self) -> LambdaLayerArtifact | None:
        """The layer with the dependencies, which other functions may share; None without one."""
        return self._dependencies


def _refuse_props_of_others(given: Mapping[str, object]) -> None:
    for name, instead in _ELSEWHERE.items():
        if name in given:
            raise InvalidError(f"LambdaFunctionArtifact has no prop {name}.", f"{instead}.")


def _refuse_too_many(
    own_layers: Sequence[lambda_.ILayerVersion], layers: Sequence[lambda_.ILayerVersion]
) -> None:
    if own_layers and len(layers) == _MAX_LAYERS:
        raise LbdartError(
            f"A function has at most {_MAX_LAYERS} layers, and the layer of its dependencies is one more.",
            'Pass packaging="zip", which has code and dependencies in one zip, or fewer layers=.',
        )
