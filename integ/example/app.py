"""The example app: ``cdk synth`` at the root of the repository synthesises it."""

from __future__ import annotations

import sys
from pathlib import Path

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

#: The local AWS runs functions on this machine's interpreters, so the app uses its own Python version.
#: Name the runtime in your own app: lambda_.Runtime.PYTHON_3_13.
RUNTIME = lambda_.Runtime(
    f"python{sys.version_info.major}.{sys.version_info.minor}",
    lambda_.RuntimeFamily.PYTHON,
    supports_inline_code=True,
)


class OrdersStack(Stack):
    """One function that prices orders."""

    def __init__(self, scope: Construct, id: str, *, project: str) -> None:  # noqa: A002
        super().__init__(scope, id)
        deps = LambdaLayerArtifact(self, "Deps", tool="uv", project=project, runtime=RUNTIME)
        code = LambdaSourceArtifact(self, "Code", tool="uv", project=project, runtime=RUNTIME)
        function = lambda_.Function(
            self,
            "Pricing",
            runtime=RUNTIME,
            handler="orders.app.handler",
            code=code.code,
            layers=[deps],
            memory_size=512,
        )
        CfnOutput(self, "FunctionName", value=function.function_name)
        CfnOutput(self, "LayerVersionArn", value=deps.layer_version_arn)
        CfnOutput(self, "ManifestUri", value=deps.manifest_uri)
        CfnOutput(self, "SourceUri", value=code.s3_uri)


def main() -> None:
    """Synthesise the app; its project is beside this file."""
    app = App()
    OrdersStack(app, "Orders", project=str(Path(__file__).with_name("orders")))
    app.synth()


if __name__ == "__main__":
    main()
