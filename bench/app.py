"""A small app with one layer or asset: ``python -m bench.app ours|asset|layer OUTDIR ZIP_OR_PROJECT``.

Prints the seconds that the synth takes after the imports, and its calls into Node.
"""

from __future__ import annotations

import sys
import time

from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as s3_assets

from bench.calls import counting
from lbdart_cdk import LambdaLayerArtifact


def main(kind: str, outdir: str, path: str) -> None:
    """Synthesise a stack with a function and a layer or an asset."""
    started, calls = time.perf_counter(), counting()
    app = App(outdir=outdir)
    stack = Stack(app, "Bench")
    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): pass"),
    )
    if kind == "asset":
        s3_assets.Asset(stack, "Deps", path=path)
    elif kind == "layer":
        function.add_layers(lambda_.LayerVersion(stack, "Deps", code=lambda_.Code.from_asset(path)))
    else:
        function.add_layers(
            LambdaLayerArtifact(stack, "Deps", project=path, runtime=lambda_.Runtime.PYTHON_3_13)
        )
    app.synth()
    print(time.perf_counter() - started, calls())


if __name__ == "__main__":
    main(*sys.argv[1:])
