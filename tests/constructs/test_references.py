"""Functions in other stacks refer to a layer without holding it fast."""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import LambdaLayerArtifact
from tests.support.apps import function, make_app, resources

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


def test_a_layer_that_changed_changes_the_templates_of_the_stacks_that_use_it(
    orders: Path, tmp_path: Path
) -> None:
    # The cdk command line deploys no stack whose template is the one that was deployed.
    consumers = []
    for number, extras in enumerate(((), (), ("fast",))):
        app = make_app(tmp_path / f"cdk.out{number}")
        layers = Stack(app, "Layers")
        deps = LambdaLayerArtifact(layers, "Deps", project=str(orders), runtime=RUNTIME, extras=extras)
        function(Stack(app, "Functions"), layers=[deps])
        consumers.append(app.synth().get_stack_by_name("Functions").template)
    assert consumers[0] == consumers[1]
    assert consumers[1] != consumers[2]


def test_a_parameter_carries_the_current_arn_and_goes_with_the_construct(
    orders: Path, tmp_path: Path
) -> None:
    # One that stayed would be in the way of the next deployment.
    stack = Stack(make_app(tmp_path / "cdk.out"), "Layers")
    LambdaLayerArtifact(
        stack, "Deps", project=str(orders), runtime=RUNTIME, parameter_name=f"/{stack.region}/deps"
    )
    (parameter,) = resources(stack, "AWS::SSM::Parameter").values()
    assert parameter["Properties"]["Name"] == {"Fn::Join": ["", ["/", {"Ref": "AWS::Region"}, "/deps"]]}
    assert parameter["Properties"]["Value"]["Fn::GetAtt"][1] == "LayerVersionArn"
    assert "Retain" not in parameter.get("DeletionPolicy", "")
