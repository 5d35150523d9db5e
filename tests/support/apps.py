"""CDK apps: one stack, its template and what lies beside it in the cloud assembly."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import App, Stack, assertions
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_s3_assets import Asset

from lbdart_cdk import LambdaLayerArtifact

PYTHON_3_13 = lambda_.Runtime.PYTHON_3_13
#: The runtime of this Python, which can always compile.
PYTHON_HERE = lambda_.Runtime(
    f"python{sys.version_info[0]}.{sys.version_info[1]}", lambda_.RuntimeFamily.PYTHON
)


def make_app(outdir: Path, *, bundling: bool = True) -> App:
    """Return an app; without ``bundling`` it is one whose stacks are not going to be deployed."""
    return App(outdir=str(outdir), context=None if bundling else {"aws:cdk:bundling-stacks": []})


def function(stack: Stack, **props: Any) -> lambda_.Function:
    props = {"runtime": PYTHON_3_13, "code": lambda_.Code.from_inline("x = 1"), **props}
    return lambda_.Function(stack, "Fn", handler="index.handler", **props)


def template_of(stack: Stack) -> assertions.Template:
    return assertions.Template.from_stack(stack)


def resources(stack: Stack, type_name: str) -> Mapping[str, Mapping[str, Any]]:
    return template_of(stack).find_resources(type_name)


def properties(stack: Stack, type_name: str) -> dict[str, Any]:
    """Return the properties of the only resource of a type."""
    (resource,) = resources(stack, type_name).values()
    return dict(resource["Properties"])


def messages(app: App, kind: str) -> dict[str, list[str]]:
    """Return what a synthesis says of each construct."""
    found: dict[str, list[str]] = {}
    for artifact in app.synth().stacks_recursively:
        for message in artifact.messages:
            if message.level.name == kind:
                found.setdefault(message.id, []).append(str(message.entry.data))
    return found


def staged(outdir: Path, key: str) -> Path:
    """Return where the cloud assembly has the asset of a key."""
    (path,) = outdir.glob(f"**/asset.{asset_hash(key)}*")
    return path


def staged_layer(outdir: Path, deps: LambdaLayerArtifact) -> Path:
    """Return where the cloud assembly has the zip of a layer."""
    asset = deps.node.find_child("Zip")
    assert isinstance(asset, Asset)
    (path,) = outdir.glob(f"**/{Path(asset.asset_path).name}")
    return path


def asset_hash(key: str) -> str:
    """Return what CDK makes of a custom asset hash."""
    return hashlib.sha256(key.encode()).hexdigest()
