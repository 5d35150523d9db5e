"""The service, as it is deployed once for each stage."""

from aws_cdk import CfnOutput, RemovalPolicy, Stack, Stage
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lbdart_cdk import LambdaFunctionArtifact


class Service(Stage):
    """One stage: ``dev`` leaves nothing when it is destroyed, ``prod`` keeps all versions of its layer."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        stack = Stack(self, "Greeter")
        function = LambdaFunctionArtifact(
            stack,
            "Greet",
            handler="greeter.app.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            environment={"STAGE": name},
            removal_policy=RemovalPolicy.RETAIN if name == "prod" else RemovalPolicy.DESTROY,
        )
        # An alias that follows the newest version, which a change of code or layer makes.
        function.add_alias("live")
        CfnOutput(stack, "FunctionName", value=function.function_name)
