"""What only a whole function shows: its size with all its layers, and whether it fits their architecture.

One check for each stage, at the end of its synthesis: it takes the functions from the construct tree in one
call, and the template's own words for their layers in one call a stack, whatever constructs declare them.
More is asked of a function that uses one of ours, and nothing when there is nothing to check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Annotations, Stack, Stage, Token
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct, IValidation

from ..core.artifacts.report import LayerReport
from ..core.artifacts.source import SourceZip
from ..core.errors import BuildWarning, LbdartError
from ..core.native.scan import NativeScan
from ..core.packing.merge import is_too_large, refuse_too_large
from ..core.project.target import Target

#: What CDK and CloudFormation take for a function that names no architecture.
_DEFAULT_ARCHITECTURE: Final = "x86_64"


@dataclass(frozen=True, slots=True)
class KnownLayer:
    """A layer of this app; ``arn`` is a token."""

    construct: IConstruct
    stack: Stack
    arn: str
    build_key: str
    target: Target
    report: LayerReport


@dataclass(frozen=True, slots=True)
class KnownSource:
    """Code of this app, at ``key``; ``target`` is what it was checked for already, if it was."""

    key: str
    project: str
    zip: SourceZip
    target: Target | None


def warn(scope: IConstruct, warnings: Sequence[BuildWarning]) -> None:
    """Add warnings to a construct, each to be acknowledged by its id."""
    for warned in warnings:
        Annotations.of(scope).add_warning_v2(warned.id, warned.text)


@jsii.implements(IValidation)
class FunctionChecks:
    """Knows the artifacts of a stage, and looks at its functions when the stage is synthesised."""

    _of_stage: Final[WeakKeyDictionary[Stage, FunctionChecks]] = WeakKeyDictionary()

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._layers: list[KnownLayer] = []
        self._sources: dict[str, KnownSource] = {}
        stage.node.add_validation(self)

    @classmethod
    def of(cls, stage: Stage) -> FunctionChecks:
        """Return the checks of a stage."""
        if stage not in cls._of_stage:
            cls._of_stage[stage] = cls(stage)
        return cls._of_stage[stage]

    def add_layer(self, layer: KnownLayer) -> None:
        """Check the functions that use a layer."""
        self._layers.append(layer)

    def add_source(self, source: KnownSource) -> None:
        """Check the functions that run this code."""
        self._sources[source.key] = source

    def validate(self) -> list[str]:
        """Add errors and warnings to the functions; CDK calls it before it writes the templates."""
        if not self._layers and not self._sources_matter_beside(0):
            return []
        constructs = self._stage.node.find_all()
        stacks = [construct for construct in constructs if isinstance(construct, Stack)]
        by_stack: dict[Stack, list[lambda_.CfnFunction]] = {}
        for construct in constructs:
            if isinstance(construct, lambda_.CfnFunction):
                stack = stacks[0] if len(stacks) == 1 else construct.stack
                by_stack.setdefault(stack, []).append(construct)
        for stack, functions in by_stack.items():
            if Stage.of(stack) is self._stage:
                self._check(stack, functions)
        return []

    def _check(self, stack: Stack, functions: Sequence[lambda_.CfnFunction]) -> None:
        # A layer's ARN is known by what it resolves to in the function's stack. The stack's own layers come
        # last: what resolves to a name of this stack is one of its own.
        known = sorted(self._layers, key=lambda layer: layer.stack is stack)
        arns = [layer.arn for layer in known]
        resolved = stack.resolve({"known": arns, "layers": [{"of": one.layers} for one in functions]})
        layers = {_text(arn): layer for arn, layer in zip(resolved.get("known", ()), known, strict=True)}
        sources_matter = self._sources_matter_beside(0)
        for function, listed in zip(functions, resolved["layers"], strict=True):
            texts = [_text(arn) for arn in _listed(listed.get("of", []))]
            used = [layers[text] for text in texts if text in layers]
            if not used and not sources_matter:
                continue
            architecture = _architecture(stack, function)
            for layer in used:
                _check_architecture(function, layer, architecture)
            foreign = [layer for layer in used if layer.stack is not stack]
            if foreign:
                # A reference to another stack stays as it is when the layer changes, and the cdk command line
                # deploys no stack whose template is the one that was deployed.
                function.add_metadata("lbdart:layers", [layer.build_key for layer in foreign])
                _check_regions(function, stack, foreign)
            source = self._source_of(stack, function, used)
            _check_size(function, used, source)
            if source is not None:
                _check_source(function, source, architecture)

    def _source_of(
        self, stack: Stack, function: lambda_.CfnFunction, used: Sequence[KnownLayer]
    ) -> KnownSource | None:
        # Reading a function's code costs more than all the rest: it is done where it can matter.
        if not self._sources_matter_beside(sum(layer.report.size for layer in used)):
            return None
        code: Any = function.code
        key = code.get("s3Key") if isinstance(code, Mapping) else getattr(code, "s3_key", None)
        return self._sources.get(stack.resolve(key)) if key is not None else None

    def _sources_matter_beside(self, size: int) -> bool:
        """Tell whether code of this app may be wrong in a function whose layers have ``size`` bytes."""
        return any(
            (source.target is None and source.zip.native.files) or is_too_large(size + source.zip.size)
            for source in self._sources.values()
        )


def _architecture(stack: Stack, function: lambda_.CfnFunction) -> object:
    """Return the function's architecture as the template has it."""
    named = function.architectures or [_DEFAULT_ARCHITECTURE]
    return named[0] if "{Token[" not in named[0] else _listed(stack.resolve(named))[0]


def _check_architecture(function: lambda_.CfnFunction, layer: KnownLayer, architecture: object) -> None:
    if architecture not in ("x86_64", "arm64") or architecture == layer.target.architecture:
        return  # a parameter's value is known when the stack is deployed
    path = layer.construct.node.path
    text = (
        f"This function runs on {architecture}, and the layer {path} is built for "
        f"{layer.target.architecture}. Give both the same architecture."
    )
    if layer.report.compiled:
        Annotations.of(function).add_error(text)
    else:
        text += " The layer has nothing compiled, so it may work."
        warn(function, [BuildWarning(f"lbdart_cdk:architecture:{path}", text)])


def _check_regions(function: lambda_.CfnFunction, stack: Stack, layers: Sequence[KnownLayer]) -> None:
    for layer in layers:
        here, there = stack.region, layer.stack.region
        if here != there and not (Token.is_unresolved(here) or Token.is_unresolved(there)):
            Annotations.of(function).add_error(
                f"This function is in {here}, and the layer {layer.construct.node.path} in {there}: Lambda "
                f"takes layers of the function's Region only. Make a layer in a stack of {here}."
            )


def _check_size(
    function: lambda_.CfnFunction, layers: Sequence[KnownLayer], source: KnownSource | None
) -> None:
    sizes: dict[str, int] = {}
    for layer in layers:
        for name, size in layer.report.sizes.items():
            sizes[name] = sizes.get(name, 0) + size
    total = sum(layer.report.size for layer in layers)
    if source is not None:
        sizes[source.project] = sizes.get(source.project, 0) + source.zip.size
        total += source.zip.size
    try:
        refuse_too_large(total, sizes, "this function with its layers")
    except LbdartError as error:
        Annotations.of(function).add_error(f"{error.problem} {error.remedy}")


def _check_source(function: lambda_.CfnFunction, source: KnownSource, architecture: object) -> None:
    """Check code that does not know its target for the target of the function."""
    if source.target is not None or function.runtime is None:
        return
    try:
        target = Target.from_runtime(str(function.runtime), str(architecture))
        warn(function, source_warnings(source.zip.native, target))
    except LbdartError as error:
        Annotations.of(function).add_error(f"{error.problem} {error.remedy}")


def source_warnings(native: NativeScan, target: Target) -> tuple[BuildWarning, ...]:
    """Return the warnings about a function's own code; raises :class:`LbdartError` for what cannot load."""
    if not native.files:
        return ()
    from ..core.native.check import CODE_ROOT, check

    found = check([native], target, CODE_ROOT)
    found.raise_errors(target)
    return found.warnings


def _listed(resolved: object) -> list[object]:
    """Return a list as it is, and a function of CloudFormation in the place of one."""
    return resolved if isinstance(resolved, list) else [resolved]


def _text(resolved: object) -> str:
    return json.dumps(resolved, sort_keys=True)
