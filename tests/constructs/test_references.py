"""Functions in other stacks refer to a layer without holding it fast."""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from lbdart_cdk import LambdaLayerArtifact

RUNTIME = lambda_.Runtime.PYTHON_3_13


def test_a_reference_from_another_stack_is_no_export(orders: Path, tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path / "cdk.out"))
    deps = LambdaLayerArtifact(Stack(app, "Layers"), "Deps", project=str(orders), runtime=RUNTIME)
    code = lambda_.Code.from_inline("def handler(event, context): pass")
    lambda_.Function(
        Stack(app, "Functions"),
        "Function",
        runtime=RUNTIME,
        handler="index.handler",
        code=code,
        layers=[deps],
    )
    app.synth()
    producer, consumer = (
        json.loads((tmp_path / "cdk.out" / f"{name}.template.json").read_text())
        for name in ("Layers", "Functions")
    )
    assert all("Export" not in output for output in producer["Outputs"].values())
    (function,) = (
        resource for resource in consumer["Resources"].values() if resource["Type"] == "AWS::Lambda::Function"
    )
    (layer,) = function["Properties"]["Layers"]
    assert layer["Fn::GetStackOutput"]["StackName"] == "Layers"


def test_a_parameter_carries_the_current_arn_and_stays_with_the_layer(orders: Path, tmp_path: Path) -> None:
    stack = Stack(App(outdir=str(tmp_path / "cdk.out")), "Layers")
    LambdaLayerArtifact(
        stack,
        "Deps",
        project=str(orders),
        runtime=RUNTIME,
        parameter_name="/orders/deps",
        removal_policy=RemovalPolicy.DESTROY,
    )
    (parameter,) = Template.from_stack(stack).find_resources("AWS::SSM::Parameter").values()
    assert parameter["Properties"]["Name"] == "/orders/deps"
    assert parameter["Properties"]["Value"]["Fn::GetAtt"][1] == "LayerVersionArn"
    assert parameter["DeletionPolicy"] == "Delete"
