"""An app with many layers and functions of several projects: prints its synth's seconds and calls into Node.

``python -m bench.many_app KIND OUTDIR LAYERS FUNCTIONS PROJECT...``. With KIND ``ours``, each project has a
source artifact and its share of the layers. With ``cdk``, CDK's own constructs take finished zips of the same
names from ``{PROJECT}-zips``. With ``plain``, the functions have inline code and no layers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

from bench.calls import counting
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

_INLINE = "def handler(event, context): pass"


def main(kind: str, outdir: str, layers: int, functions: int, projects: Sequence[str]) -> None:
    """Synthesise one stack in which each function has a layer for its target."""
    started, calls = time.perf_counter(), counting()
    app = App(outdir=outdir)
    stack = Stack(app, "Bench")
    targets = [
        (runtime, architecture)
        for runtime in (lambda_.Runtime.PYTHON_3_12, lambda_.Runtime.PYTHON_3_13, lambda_.Runtime.PYTHON_3_14)
        for architecture in (lambda_.Architecture.X86_64, lambda_.Architecture.ARM_64)
    ]
    codes = [_code(kind, stack, f"Code{number}", project) for number, project in enumerate(projects)]
    of_layer = [targets[number // len(projects)] for number in range(layers)]
    deps = [
        _layers(kind, stack, f"Deps{number}", projects[number % len(projects)], target)
        for number, target in enumerate(of_layer)
    ]
    for number in range(functions):
        runtime, architecture = of_layer[number % layers]
        lambda_.Function(
            stack,
            f"Function{number}",
            runtime=runtime,
            architecture=architecture,
            handler="index.handler",
            code=codes[number % len(codes)],
            layers=deps[number % layers],
        )
    app.synth()
    print(time.perf_counter() - started, calls())


def _code(kind: str, stack: Stack, name: str, project: str) -> lambda_.Code:
    if kind == "ours":
        return LambdaSourceArtifact(stack, name, project=project, tool="uv", prefix=name).code
    if kind == "cdk":
        return lambda_.Code.from_asset(f"{project}-zips/{name}.zip")
    return lambda_.Code.from_inline(_INLINE)


def _layers(
    kind: str,
    stack: Stack,
    name: str,
    project: str,
    target: tuple[lambda_.Runtime, lambda_.Architecture],
) -> list[lambda_.ILayerVersion]:
    runtime, architecture = target
    if kind == "ours":
        return [
            LambdaLayerArtifact(
                stack, name, project=project, tool="uv", runtime=runtime, architecture=architecture
            )
        ]
    if kind == "cdk":
        code = lambda_.Code.from_asset(f"{project}-zips/{name}.zip")
        return [
            lambda_.LayerVersion(
                stack,
                name,
                code=code,
                compatible_runtimes=[runtime],
                compatible_architectures=[architecture],
            )
        ]
    return []


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
