"""Deployments by the real cdk command line."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from integ.local_aws import LocalAws
from integ.tests.support.cdk_cli import CDK, ROOT, Cdk
from integ.tests.support.projects import Project

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.cli,
    pytest.mark.skipif(not CDK.exists(), reason="the cdk CLI is not installed: run make setup"),
]

APP: Final = """
import sys
from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

app = App()
stack = Stack(app, "{stack}")
runtime = lambda_.Runtime("python%d.%d" % sys.version_info[:2], lambda_.RuntimeFamily.PYTHON)
deps = LambdaLayerArtifact(stack, "Deps", project="orders", runtime=runtime)
code = LambdaSourceArtifact(stack, "Code", project="orders", runtime=runtime)
function = lambda_.Function(
    stack, "Function", runtime=runtime, handler="orders.app.handler", code=code.code, layers=[deps]
)
CfnOutput(stack, "FunctionName", value=function.function_name)
CfnOutput(stack, "LayerVersionArn", value=deps.layer_version_arn)
CfnOutput(stack, "SourceUri", value=code.s3_uri)
app.synth()
"""


APP_OF_TWO_STACKS: Final = """
import sys
from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

app = App(context={{"@aws-cdk/aws-lambda:recognizeLayerVersion": True}})
runtime = lambda_.Runtime("python%d.%d" % sys.version_info[:2], lambda_.RuntimeFamily.PYTHON)
shared = Stack(app, "{stack}-shared")
deps = LambdaLayerArtifact(shared, "Deps", project="orders", runtime=runtime)
code = LambdaSourceArtifact(shared, "Code", project="orders", runtime=runtime)
stack = Stack(app, "{stack}")
function = lambda_.Function(
    stack, "Function", runtime=runtime, handler="orders.app.handler", code=code.code, layers=[deps]
)
CfnOutput(stack, "FunctionName", value=function.add_alias("live").function_arn)
app.synth()
"""


def without_uv(folder: Path) -> dict[str, str]:
    """An environment in which uv is neither on PATH nor beside this library."""
    tools = folder / "tools"
    (folder / "hidden" / "uv").mkdir(parents=True)
    (folder / "hidden" / "uv" / "__init__.py").write_text("raise ImportError('uv is hidden')\n")
    tools.mkdir()
    for tool in ("node", "sh", "env"):
        found = shutil.which(tool)
        assert found is not None
        (tools / tool).symlink_to(found)
    return {"PATH": str(tools), "PYTHONPATH": os.pathsep.join((str(folder / "hidden"), str(ROOT)))}


@pytest.fixture(autouse=True, scope="module")
def _cdk_bootstrapped(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> None:
    cdk = Cdk(local_aws, tmp_path_factory.mktemp("bootstrap"), "app.py", "none")
    cdk("bootstrap", "aws://123456789012/us-east-1", "--app", "")


def source_keys(text: str) -> set[str]:
    """The literal keys of source zips in what a command printed."""
    return set(re.findall(r"orders/source/1\.2\.0/[0-9a-f]{64}/source\.zip", text))


def test_life_of_a_stack(aws: LocalAws, name: str, project: Project, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(stack=name))
    cdk = Cdk(aws, tmp_path, "app.py", name)
    deploy = ("deploy", "--require-approval", "never")

    # Listing builds nothing, and needs nothing to build with.
    assert cdk("ls", **without_uv(tmp_path)).split() == [name]
    assert not cache.exists()

    # The template shows the code's hash.
    (first_key,) = source_keys(cdk("synth"))

    # First deployment.
    cdk(*deploy)
    first = cdk.outputs
    assert first["SourceUri"].endswith(first_key)
    assert (cdk.invoke()["said"], cdk.invoke()["alpha"]) == ("one", "1.0")
    assert cdk.versions(first["LayerVersionArn"]) == [1]

    # Deployed again, unchanged.
    built = {path: path.stat().st_ino for path in cache.rglob("*")}
    assert "no changes" in cdk(*deploy)
    assert {path: path.stat().st_ino for path in cache.rglob("*")} == built
    assert not aws.calls.of("PublishLayerVersion") + aws.calls.of("CopyObject")

    # The code changed.
    project.say("two")
    diff = cdk("diff")
    assert "S3Key" in diff
    keys = source_keys(diff)
    assert first_key in keys
    (second_key,) = keys - {first_key}
    cdk(*deploy)
    second = cdk.outputs
    assert second == {**first, "SourceUri": first["SourceUri"].replace(first_key, second_key)}
    assert (cdk.invoke()["said"], cdk.versions(first["LayerVersionArn"])) == ("two", [1])

    # A dependency changed, and its publication is refused.
    project.depend_on("2.0")
    project.say("three")
    aws.faults.refuse("PublishLayerVersion", caller="function")
    failed = cdk.run(*deploy)
    assert failed.returncode == 1
    assert "AWS refused PublishLayerVersion" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert cdk.outputs == second
    assert (cdk.invoke()["said"], cdk.invoke()["alpha"]) == ("two", "1.0")

    # And now it is not.
    aws.faults.clear()
    cdk(*deploy)
    third = cdk.outputs["LayerVersionArn"]
    assert third == first["LayerVersionArn"][:-1] + "2"
    assert (cdk.invoke()["said"], cdk.invoke()["alpha"]) == ("three", "2.0")

    # What was published outlives the stack.
    shutil.rmtree(cache)
    cdk("destroy", "--force", **without_uv(tmp_path / "again"))
    assert not cache.exists()
    assert cdk.versions(third) == [1, 2]


def test_functions_of_another_stack_follow_the_layer_and_the_code(
    aws: LocalAws, name: str, project: Project, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(APP_OF_TWO_STACKS.format(stack=name))
    cdk = Cdk(aws, tmp_path, "app.py", name)
    deploy = ("deploy", "--all", "--require-approval", "never")
    for version, said in (("1.0", "one"), ("2.0", "one"), ("2.0", "two")):
        project.depend_on(version)
        project.say(said)
        cdk(*deploy)
        assert (cdk.invoke()["alpha"], cdk.invoke()["said"]) == (version, said)
    assert cdk(*deploy).count("no changes") == 2


def test_example_runs_its_numpy_and_pydantic(aws: LocalAws, tmp_path: Path) -> None:
    """The only test that downloads: what the user's cache does not have of the example's wheels."""
    example = shutil.copytree(ROOT / "integ" / "example", tmp_path / "example")
    cdk = Cdk(aws, tmp_path, "-m example.app", "Orders")
    cdk.environment["PYTHONPATH"] = os.pathsep.join((str(tmp_path), str(ROOT)))
    assert (example / "orders" / "uv.lock").is_file(), "run make setup"
    cdk("deploy", "--require-approval", "never")
    items = [
        {"sku": "tea", "quantity": 3, "unit_price": 4.5},
        {"sku": "cup", "quantity": 1, "unit_price": 12},
    ]
    answer = cdk.invoke({"items": items, "discount": 10})
    assert (answer["total"], answer["currency"]) == (22.95, "EUR")
    lock = (example / "orders" / "uv.lock").read_text()
    for package in ("numpy", "pydantic"):
        assert f'name = "{package}"\nversion = "{answer[package]}"\n' in lock
    cdk("destroy", "--force")
