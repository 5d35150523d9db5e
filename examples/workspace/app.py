"""Three functions of a uv workspace, which share a library."""

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import LambdaFunctionArtifact

app = App()
stack = Stack(app, "Shop")
for name in ("orders", "invoices", "stock"):
    function = LambdaFunctionArtifact(
        stack,
        name.capitalize(),
        project=f"functions/{name}",
        handler=f"{name}.app.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
    )
    CfnOutput(stack, f"{name.capitalize()}Name", value=function.function_name)
app.synth()
