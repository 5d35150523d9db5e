"""pandas for both CPUs of Lambda, with bytecode and without what no function needs."""

from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

RUNTIME = lambda_.Runtime.PYTHON_3_13
#: Tests, and what compilers and type checkers read: a third of the layer.
NOT_NEEDED = ["tests/", "*.pyi", "*.pxd", "*.pyx", "numpy/f2py/", "numpy/_core/include/"]

app = App()
stack = Stack(app, "Report")
code = LambdaSourceArtifact(stack, "Code", runtime=RUNTIME, bytecode=True)
for name, architecture in (("X86", lambda_.Architecture.X86_64), ("Arm", lambda_.Architecture.ARM_64)):
    deps = LambdaLayerArtifact(
        stack,
        f"Pandas{name}",
        runtime=RUNTIME,
        architecture=architecture,
        exclude_files=NOT_NEEDED,
        bytecode=True,
    )
    lambda_.Function(
        stack,
        f"Totals{name}",
        runtime=RUNTIME,
        architecture=architecture,
        handler="report.app.handler",
        code=code.code,
        layers=[deps],
        memory_size=1024,
    )
app.synth()
