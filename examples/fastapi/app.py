"""A FastAPI application behind a function URL."""

from aws_cdk import App, CfnOutput, Duration, Stack
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import LambdaFunctionArtifact

app = App()
stack = Stack(app, "Books")
api = LambdaFunctionArtifact(
    stack,
    "Api",
    handler="books.app.handler",
    runtime=lambda_.Runtime.PYTHON_3_13,
    memory_size=512,
    timeout=Duration.seconds(10),
)
# Anybody may call it; AWS_IAM instead asks callers for a signature.
url = api.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)
CfnOutput(stack, "Url", value=url.url)
CfnOutput(stack, "FunctionName", value=api.function_name)
app.synth()
