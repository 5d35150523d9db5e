"""Powertools in one layer, for functions of two stacks."""

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

RUNTIME = lambda_.Runtime.PYTHON_3_13


def function(
    stack: Stack, name: str, handler: str, code: LambdaSourceArtifact, layer: LambdaLayerArtifact
) -> None:
    """Add a function that logs and measures under its own name."""
    made = lambda_.Function(
        stack,
        name,
        runtime=RUNTIME,
        handler=handler,
        code=code.code,
        layers=[layer],
        environment={"POWERTOOLS_SERVICE_NAME": name.lower(), "POWERTOOLS_METRICS_NAMESPACE": "Shop"},
    )
    CfnOutput(stack, f"{name}Name", value=made.function_name)


app = App()
shop = Stack(app, "Shop")
powertools = LambdaLayerArtifact(shop, "Powertools", runtime=RUNTIME, description="Powertools for AWS Lambda")
code = LambdaSourceArtifact(shop, "Code", runtime=RUNTIME)
function(shop, "Orders", "shop.orders.handler", code, powertools)
# The stack of the layer can change the layer at any time: this reference makes no export of it.
function(Stack(app, "Reports"), "Daily", "shop.daily.handler", code, powertools)
app.synth()
