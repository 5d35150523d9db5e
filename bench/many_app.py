"""An app with many layers and functions over several projects; prints the seconds it takes.

``python -m bench.many_app KIND OUTDIR LAYERS FUNCTIONS PROJECT...``: with KIND ``ours`` each project has
a source artifact and its share of the layers, with ``plain`` the functions have inline code.
"""

from __future__ import annotations

import itertools
import sys
import time

from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

_INLINE = "def handler(event, context): pass"


def main(kind: str, outdir: str, layers: int, functions: int, projects: list[str]) -> None:
    """Synthesise one stack."""
    started = time.perf_counter()
    app = App(outdir=outdir)
    stack = Stack(app, "Bench")
    targets = [
        (runtime, architecture)
        for runtime in (lambda_.Runtime.PYTHON_3_12, lambda_.Runtime.PYTHON_3_13, lambda_.Runtime.PYTHON_3_14)
        for architecture in (lambda_.Architecture.X86_64, lambda_.Architecture.ARM_64)
    ]
    codes: list[lambda_.Code] = [lambda_.Code.from_inline(_INLINE)]
    deps: list[tuple[int, LambdaLayerArtifact]] = []
    if kind == "ours":
        codes = [
            LambdaSourceArtifact(stack, f"Code{number}", project=path, tool="uv", prefix=f"code{number}").code
            for number, path in enumerate(projects)
        ]
        for number in range(layers):
            project, target = number % len(projects), number // len(projects)
            runtime, architecture = targets[target]
            deps.append(
                (
                    target,
                    LambdaLayerArtifact(
                        stack,
                        f"Deps{number}",
                        project=projects[project],
                        tool="uv",
                        runtime=runtime,
                        architecture=architecture,
                    ),
                )
            )
    chosen = itertools.cycle(deps)
    for number in range(functions):
        target, layer = next(chosen) if deps else (0, None)
        runtime, architecture = targets[target]
        lambda_.Function(
            stack,
            f"Function{number}",
            runtime=runtime,
            architecture=architecture,
            handler="index.handler",
            code=codes[number % len(codes)],
            layers=[layer] if layer is not None else None,
        )
    app.synth()
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
