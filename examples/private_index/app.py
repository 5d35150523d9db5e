"""A function with a package from a private index."""

import os

from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import Credentials, LambdaFunctionArtifact

INDEX = "https://packages.example.com/simple/"


def team() -> Credentials:
    """Log in with the token in the environment, as CI has it, or with the one in Secrets Manager."""
    if token := os.environ.get("TEAM_TOKEN"):
        return Credentials("team", INDEX, "ci", token)
    return Credentials.from_secrets_manager("team", INDEX, "ci/packages")


app = App()
stack = Stack(app, "Prices")
LambdaFunctionArtifact(
    stack,
    "Prices",
    handler="prices.app.handler",
    runtime=lambda_.Runtime.PYTHON_3_13,
    credentials=team,
)
app.synth()
