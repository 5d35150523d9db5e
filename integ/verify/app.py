"""The app that is deployed to verify a release: one stack, whose artifacts leave nothing behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aws_cdk import App, CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ssm as ssm

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

#: The variable with the stack's name.
STACK_VARIABLE = "LBDART_VERIFY_STACK"
#: The variable that makes the deployment fail after the layer is published.
FAILS_VARIABLE = "LBDART_VERIFY_FAILS"


def main() -> None:
    """Synthesise the app; its project is beside this file."""
    runtime = lambda_.Runtime(
        f"python{sys.version_info.major}.{sys.version_info.minor}",
        lambda_.RuntimeFamily.PYTHON,
        supports_inline_code=True,
    )
    project = str(Path(__file__).with_name("orders"))
    app = App()
    stack = Stack(app, os.environ[STACK_VARIABLE])
    deps = LambdaLayerArtifact(
        stack, "Deps", tool="uv", project=project, runtime=runtime, removal_policy=RemovalPolicy.DESTROY
    )
    code = LambdaSourceArtifact(
        stack, "Code", tool="uv", project=project, runtime=runtime, removal_policy=RemovalPolicy.DESTROY
    )
    function = lambda_.Function(
        stack,
        "Pricing",
        runtime=runtime,
        handler="orders.app.handler",
        code=code.code,
        layers=[deps],
        memory_size=512,
    )
    alias = function.add_alias("live")
    if os.environ.get(FAILS_VARIABLE):
        # SSM refuses it, when the layer is published already.
        refused = ssm.CfnParameter(stack, "Refused", type="String", value="x", name="/aws/refused")
        refused.node.add_dependency(deps)
    CfnOutput(stack, "FunctionName", value=function.function_name)
    CfnOutput(stack, "AliasName", value=alias.alias_name)
    CfnOutput(stack, "LayerName", value=deps.layer_name)
    CfnOutput(stack, "LayerVersionArn", value=deps.layer_version_arn)
    CfnOutput(stack, "ManifestUri", value=deps.manifest_uri)
    CfnOutput(stack, "SourceUri", value=code.s3_uri)
    app.synth()


if __name__ == "__main__":
    main()
