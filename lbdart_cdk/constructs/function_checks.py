"""Checks whole functions: their size with all their layers, and whether the architectures agree.

Each stage has one check, at the end of its synthesis. It reads the functions from the construct tree in one
call. It reads their layers as the template has them, in one call for each stack, whatever constructs declare
them. It asks more only about functions that use an artifact, and nothing when there is nothing to check.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from aws_cdk import Annotations, Aspects, Stack, Stage, Token
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct

from ..core.artifacts.report import LayerReport
from ..core.artifacts.source import source_warnings
from ..core.errors import BuildWarning, LbdartError
from ..core.native.found import NativeScan
from ..core.packing.merge import is_too_large, refuse_too_large
from ..core.project.target import Target
from .environments import Environment
from .layer_parameters import ParameterLayer, check_uses
from .stand_in import reference_of
from .synthesis import AtAspects, AtValidation

#: The architecture that CDK and CloudFormation use when a function names none.
_DEFAULT_ARCHITECTURE: Final = "x86_64"
#: After the app's own aspects, which may change the layers of functions (AspectPriority.DEFAULT is 500).
_LATE: Final = 1000


@dataclass(frozen=True, slots=True)
class KnownLayer:
    """A layer of this app.

    :param arn: the ARN of its version, a token.
    :param build_key: returns the build key, which is found for that when the layer's stack is not deployed.
    :param report: None when it is not built, because its stack is not deployed.
    :param shared_with: the accounts that may use it, besides its own.
    """

    construct: IConstruct
    stack: Stack
    arn: str
    build_key: Callable[[], str]
    target: Target
    report: LayerReport | None
    shared_with: Collection[str] = ()

    @property
    def size(self) -> int:
        """The bytes of its contents, as far as they are known."""
        return self.report.size if self.report is not None else 0


@dataclass(frozen=True, slots=True)
class KnownCode:
    """The code of an artifact of this app.

    :param size: bytes, unzipped.
    :param native: the scan of its compiled files, if they are not yet checked for a target.
    :param bytecode: the bytes of ``size`` that are bytecode.
    :param compiled_for: the target for which it has bytecode.
    """

    project: str
    size: int
    native: NativeScan | None
    bytecode: int = 0
    compiled_for: Target | None = None

    @property
    def is_unchecked(self) -> bool:
        """Whether it has compiled files that are not yet checked for a target."""
        return self.native is not None and bool(self.native.files)


def warn(scope: IConstruct, warnings: Sequence[BuildWarning]) -> None:
    """Add warnings and information to a construct; an app can acknowledge each by its id."""
    for warning in warnings:
        annotations = Annotations.of(scope)
        add = annotations.add_info_v2 if warning.is_info else annotations.add_warning_v2
        add(warning.id, warning.text)


@dataclass(frozen=True, slots=True)
class _Use:
    """A function with the layers of this app that it uses."""

    function: lambda_.CfnFunction
    layers: Sequence[KnownLayer]
    parameters: Sequence[ParameterLayer]


class FunctionChecks:
    """Knows the artifacts of a stage, and checks its functions when the stage is synthesised."""

    _of_stage: Final[WeakKeyDictionary[Stage, FunctionChecks]] = WeakKeyDictionary()

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._layers: list[KnownLayer] = []
        self._code: dict[str, KnownCode] = {}
        self._parameters: list[ParameterLayer] = []
        AtValidation.add(stage, self.check)

    @classmethod
    def of(cls, stage: Stage) -> FunctionChecks:
        """Return the checks of a stage."""
        if stage not in cls._of_stage:
            cls._of_stage[stage] = cls(stage)
        return cls._of_stage[stage]

    def add_layer(self, layer: KnownLayer) -> None:
        """Check the functions that use a layer."""
        self._layers.append(layer)

    def add_code(self, function: lambda_.CfnFunction, code: KnownCode) -> None:
        """Check a function that has this code."""
        self._code[reference_of(function)] = code

    def add_parameter(self, layer: ParameterLayer) -> None:
        """Check the functions that use a layer from a parameter."""
        self._parameters.append(layer)

    def identify_at(self, scope: IConstruct) -> None:
        """Find what deployed functions use of stacks that are not deployed, when aspects reach ``scope``.

        The names of function versions depend on it, and CDK asks for these before it validates.
        """
        Aspects.of(scope).add(AtAspects(self.identify), priority=_LATE)

    def identify(self) -> None:
        """Find the build keys of the layers that functions of deployed stacks use."""
        for stack, functions in self._functions(self._stage.node.find_all()).items():
            if stack.bundling_required:
                for use in self._uses(stack, functions):
                    for layer in use.layers:
                        layer.build_key()

    def check(self) -> None:
        """Add errors and warnings to the functions, before CDK writes the templates."""
        if not (self._layers or self._parameters or any(map(_matters, self._code.values()))):
            return
        constructs = self._stage.node.find_all()
        versions = self._versions(constructs)
        for stack, functions in self._functions(constructs).items():
            self._check(stack, functions, versions)

    def _functions(self, constructs: Sequence[IConstruct]) -> dict[Stack, list[lambda_.CfnFunction]]:
        """Return the functions of the stage by their stacks."""
        stacks = [construct for construct in constructs if isinstance(construct, Stack)]
        by_stack: dict[Stack, list[lambda_.CfnFunction]] = {}
        for construct in constructs:
            if isinstance(construct, lambda_.CfnFunction):
                stack = stacks[0] if len(stacks) == 1 else construct.stack
                by_stack.setdefault(stack, []).append(construct)
        return {stack: each for stack, each in by_stack.items() if Stage.of(stack) is self._stage}

    def _versions(self, constructs: Sequence[IConstruct]) -> set[str]:
        """Return the paths of the functions' versions, if they matter."""
        if not self._parameters:
            return set()
        return {construct.node.path for construct in constructs if isinstance(construct, lambda_.CfnVersion)}

    def _uses(self, stack: Stack, functions: Sequence[lambda_.CfnFunction]) -> list[_Use]:
        """Return the functions of a stack, each with what it uses of this app."""
        # A layer is recognised by what its ARN resolves to in the function's stack. The stack's own layers
        # come last and win: an ARN that resolves to a name of this stack belongs to a layer of this stack.
        known = sorted(self._layers, key=lambda layer: layer.stack is stack)
        resolved = stack.resolve(
            {
                "known": [layer.arn for layer in known],
                "parameters": [layer.arn for layer in self._parameters],
                "layers": [{"of": function.layers} for function in functions],
            }
        )
        parameters = {
            _text(arn): layer
            for arn, layer in zip(resolved.get("parameters", ()), self._parameters, strict=True)
        }
        layers = {_text(arn): layer for arn, layer in zip(resolved.get("known", ()), known, strict=True)}
        uses = []
        for function, declared in zip(functions, resolved["layers"], strict=True):
            texts = [_text(arn) for arn in _as_list(declared.get("of", []))]
            uses.append(
                _Use(
                    function,
                    [layers[text] for text in texts if text in layers],
                    [parameters[text] for text in texts if text in parameters],
                )
            )
        return uses

    def _check(
        self, stack: Stack, functions: Sequence[lambda_.CfnFunction], versions: Collection[str]
    ) -> None:
        for use in self._uses(stack, functions):
            function, used, code = use.function, use.layers, self._code.get(reference_of(use.function))
            check_uses(stack, function, use.parameters, versions)
            if not used and (code is None or not _matters(code)):
                continue
            architecture = _architecture(stack, function)
            for layer in used:
                _check_architecture(function, layer, architecture)
            foreign = [layer for layer in used if layer.stack is not stack]
            if foreign:
                _check_environments(function, stack, foreign)
            _check_size(function, used, code)
            if code is not None:
                _check_code(function, code, architecture)
                _check_bytecode(function, code)


def _architecture(stack: Stack, function: lambda_.CfnFunction) -> object:
    """Return the function's architecture as the template has it."""
    declared = function.architectures or [_DEFAULT_ARCHITECTURE]
    return declared[0] if "{Token[" not in declared[0] else _as_list(stack.resolve(declared))[0]


def _check_architecture(function: lambda_.CfnFunction, layer: KnownLayer, architecture: object) -> None:
    if architecture not in ("x86_64", "arm64") or architecture == layer.target.architecture:
        return  # a parameter's value is known only when the stack is deployed
    path = layer.construct.node.path
    text = (
        f"This function runs on {architecture}, but the layer {path} is built for "
        f"{layer.target.architecture}. Give both the same architecture."
    )
    if layer.report is None:
        return  # the deployment of its stack checks it
    if layer.report.compiled:
        Annotations.of(function).add_error(text)
    else:
        text += " The layer has no compiled files, so it may work."
        warn(function, [BuildWarning(f"lbdart_cdk:architecture:{path}", text)])


def _check_environments(function: lambda_.CfnFunction, stack: Stack, layers: Sequence[KnownLayer]) -> None:
    here = Environment.of(stack)
    for layer in layers:
        there, path = Environment.of(layer.stack), layer.construct.node.path
        if here.has_other_region(there):
            Annotations.of(function).add_error(
                f"This function is in {here.region}, but the layer {path} is in {there.region}, and Lambda "
                "accepts only layers of the function's own Region. "
                f"Create a layer in a stack in {here.region}."
            )
        elif here.has_other_account(there) and not any(
            account in (here.account, "*") or Token.is_unresolved(account) for account in layer.shared_with
        ):
            text = (
                f"This function is in the account {here.account}, but the layer {path} is in {there.account} "
                "and the app does not share it. Share it with add_permission of the layer: "
                f'account_id="{here.account}".'
            )
            warn(function, [BuildWarning(f"lbdart_cdk:account:{path}", text)])


def _check_size(function: lambda_.CfnFunction, layers: Sequence[KnownLayer], code: KnownCode | None) -> None:
    sizes: dict[str, int] = {}
    for layer in layers:
        for name, size in (layer.report.sizes if layer.report is not None else {}).items():
            sizes[name] = sizes.get(name, 0) + size
    total = sum(layer.size for layer in layers)
    if code is not None:
        sizes[code.project] = sizes.get(code.project, 0) + code.size
        total += code.size
    bytecode = code.bytecode if code is not None else 0
    bytecode += sum(layer.report.bytecode for layer in layers if layer.report is not None)
    try:
        refuse_too_large(total, sizes, "this function with its layers", bytecode=bytecode)
    except LbdartError as error:
        Annotations.of(function).add_error(f"{error.problem} {error.remedy}")


def _matters(code: KnownCode) -> bool:
    """Tell whether code could fail a check in a function without layers."""
    return code.is_unchecked or is_too_large(code.size) or code.compiled_for is not None


def _check_code(function: lambda_.CfnFunction, code: KnownCode, architecture: object) -> None:
    """Check code for the function's target, unless it was already checked for a target."""
    if code.native is None or not code.native.files or (runtime := function.runtime) is None:
        return
    try:
        target = Target.from_runtime(str(runtime), str(architecture))
        warn(function, source_warnings(code.native, target))
    except LbdartError as error:
        Annotations.of(function).add_error(f"{error.problem} {error.remedy}")


def _check_bytecode(function: lambda_.CfnFunction, code: KnownCode) -> None:
    """Warn of a function whose Python cannot use the bytecode in its code."""
    target = code.compiled_for
    if target is None:
        return
    runtime = function.runtime
    if runtime in (None, target.runtime) or Token.is_unresolved(runtime):
        return
    text = (
        f"This function runs on {runtime}, but the bytecode in the code of {code.project} is for "
        f"{target.runtime}, so that each cold start compiles the code. Pass runtime= to the artifact of the "
        "code, too."
    )
    warn(function, [BuildWarning(f"lbdart_cdk:bytecode:{code.project}", text)])


def _as_list(resolved: object) -> list[object]:
    """Return a list as it is, and a CloudFormation function as a list of one."""
    return resolved if isinstance(resolved, list) else [resolved]


def _text(resolved: object) -> str:
    return json.dumps(resolved, sort_keys=True)
