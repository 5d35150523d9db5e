"""The SSM parameters that carry the ARNs of layers, and the layers that are taken from parameters."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from aws_cdk import Annotations, Stack, Stage
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IConstruct

#: The ARN tokens by the parameters that carry them: by stage, then by account, Region and name.
_CARRIED: Final[WeakKeyDictionary[Stage, dict[tuple[str, str, str], str]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class ParameterLayer:
    """A layer whose ARN CloudFormation reads from a parameter.

    :param stack: the stack that reads the parameter.
    :param arn: the ARN, a token.
    """

    construct: IConstruct
    stack: Stack
    name: str
    arn: str


def declare_parameter(layer: Construct, stack: Stack, parameter_name: str, layer_name: str, arn: str) -> None:
    """Declare the parameter of a layer.

    :param arn: the ARN of the layer's current version, a token.
    """
    from aws_cdk import aws_ssm as ssm  # imported only when it is used

    ssm.StringParameter(
        layer,
        "Parameter",
        parameter_name=parameter_name,
        # CDK cannot see this in a token.
        simple_name="/" not in parameter_name,
        description=f"The current version of the layer {layer_name}",
        string_value=arn,
    )
    _carried_beside(stack)[_place(stack, parameter_name)] = arn


def arn_carried_by(stack: Stack, parameter_name: str) -> str | None:
    """Return the ARN token that a parameter carries, if a stack of this stage declares it.

    The token is worth more than the parameter: a function's version follows it, and CDK deploys its stack
    first.
    """
    return _carried_beside(stack).get(_place(stack, parameter_name))


def check_uses(
    stack: Stack,
    function: lambda_.CfnFunction,
    used: Iterable[ParameterLayer],
    versions: Collection[str],
) -> None:
    """Check a function that has layers from parameters.

    :param versions: the paths of the app's function versions.
    """
    for layer in used:
        if _outermost(layer.stack) is not _outermost(stack):
            Annotations.of(function).add_error(
                f"The layer {layer.construct.node.path} is read from the parameter {layer.name} in another "
                "stack than this function, which would not get what the parameter says later. "
                "Call from_parameter_name in the function's stack."
            )
        elif f"{function.node.path.removesuffix('/Resource')}/CurrentVersion/Resource" in versions:
            Annotations.of(function).add_warning_v2(
                f"lbdart_cdk:version:{layer.construct.node.path}",
                f"CloudFormation reads the parameter {layer.name} when it deploys, so CDK does not see that "
                "the layer has changed: this function's version, with its aliases, keeps the layer that it "
                "has until something else of the function changes. If this app declares the layer, use the "
                "layer itself. If not, pass lookup=True to from_parameter_name, so that the parameter is "
                "read at synth.",
            )


def stage_of(stack: Stack) -> Stage:
    """Return the stage or app that a stack is in."""
    stage = Stage.of(stack)
    assert stage is not None, "every stack is below a stage or an app"
    return stage


def _carried_beside(stack: Stack) -> dict[tuple[str, str, str], str]:
    return _CARRIED.setdefault(stage_of(stack), {})


def _place(stack: Stack, parameter_name: str) -> tuple[str, str, str]:
    name = json.dumps(stack.resolve(parameter_name)) if "${" in parameter_name else parameter_name
    return stack.account, stack.region, name


def _outermost(stack: Stack) -> Stack:
    while (parent := stack.nested_stack_parent) is not None:
        stack = parent
    return stack
