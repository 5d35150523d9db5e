"""Stacks of other shapes than the usual one."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnOutput, DefaultStackSynthesizer, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from integ.tests.support.deploying import Assembly, Deployment, function, orders
from integ.tests.support.projects import Project
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

pytestmark = pytest.mark.e2e

TARGETS = {
    "Intel311": (lambda_.Runtime.PYTHON_3_11, lambda_.Architecture.X86_64, "cp311", "x86_64"),
    "Intel313": (lambda_.Runtime.PYTHON_3_13, lambda_.Architecture.X86_64, "cp313", "x86_64"),
    "Arm313": (lambda_.Runtime.PYTHON_3_13, lambda_.Architecture.ARM_64, "cp313", "aarch64"),
}


def test_one_project_for_several_targets(stack: Deployment, project: Project) -> None:
    def define(of: Stack) -> None:
        code = LambdaSourceArtifact(of, "Code", project=str(project.root))
        for name, (runtime, architecture, _, _) in TARGETS.items():
            common: Any = {"runtime": runtime, "architecture": architecture}
            deps = LambdaLayerArtifact(
                of,
                f"{name}Deps",
                project=str(project.root),
                extras=["fast"],
                layer_name=f"{of.stack_name}-{name}",
                **common,
            )
            made = lambda_.Function(
                of, name, handler="orders.app.handler", code=code.code, layers=[deps], **common
            )
            CfnOutput(of, f"{name}Name", value=made.function_name)

    assert stack.deploy(define) == "CREATE_COMPLETE"
    client = stack.aws.client("lambda")
    for name, (runtime, architecture, python, machine) in TARGETS.items():
        found = client.get_layer_version(LayerName=f"{stack.name}-{name}", VersionNumber=1)
        assert found["CompatibleRuntimes"] == [runtime.name]
        assert found["CompatibleArchitectures"] == [architecture.name]
        assert stack.invoke(name)["native"] == f"{python}-{python}-manylinux_2_17_{machine}"


def test_two_stacks_for_two_architectures_in_one_app(
    stack: Deployment, other: Deployment, project: Project, tmp_path: Path
) -> None:
    architectures = {stack: lambda_.Architecture.X86_64, other: lambda_.Architecture.ARM_64}
    assembly = Assembly.synth(
        tmp_path / "cdk.out",
        {
            each.name: orders(project.root, layer={"architecture": architecture, "extras": ["fast"]})
            for each, architecture in architectures.items()
        },
    )
    for each, architecture in architectures.items():
        assert each.deploy(assembly) == "CREATE_COMPLETE"
        found = each.aws.client("lambda").get_layer_version(LayerName=each.layer_name, VersionNumber=1)
        assert found["CompatibleArchitectures"] == [architecture.name]
    assert stack.invoke()["native"].endswith("x86_64")
    assert other.invoke()["native"].endswith("aarch64")
    assert stack.outputs["SourceUri"].split("/")[-2] == other.outputs["SourceUri"].split("/")[-2]


def test_layer_and_source_of_two_functions(stack: Deployment, project: Project) -> None:
    def define(of: Stack) -> None:
        deps = LambdaLayerArtifact(of, "Deps", project=str(project.root))
        code = LambdaSourceArtifact(of, "Code", project=str(project.root))
        function(of, "One", deps, code)
        function(of, "Two", deps, code)

    assert stack.deploy(define) == "CREATE_COMPLETE"
    assert stack.layers("One") == stack.layers("Two")
    assert stack.invoke("One") == stack.invoke("Two")
    project.say("two")
    project.depend_on("2.0")
    assert stack.deploy(define) == "UPDATE_COMPLETE"
    for name in ("One", "Two"):
        assert (stack.invoke(name)["said"], stack.invoke(name)["alpha"]) == ("two", "2.0")


def test_layer_alone(stack: Deployment, project: Project) -> None:
    def define(of: Stack) -> None:
        deps = LambdaLayerArtifact(of, "Deps", project=str(project.root / "uv.lock"), layer_name=stack.name)
        CfnOutput(of, "LayerVersion", value=deps.layer_version)

    assert stack.deploy(define) == "CREATE_COMPLETE"
    assert stack.outputs == {"LayerVersion": "1"}
    assert stack.versions(stack.name) == [1]


def test_source_alone(stack: Deployment, project: Project) -> None:
    (project.root / "prices").mkdir()
    (project.root / "prices" / "list.csv").write_text("tea,4.5\n")

    def define(of: Stack) -> None:
        code = LambdaSourceArtifact(
            of, "Code", project=str(project.root), prefix="shop", include=["prices/**"]
        )
        CfnOutput(of, "Key", value=code.object_key)
        CfnOutput(of, "Sha256", value=code.source_sha256)

    assert stack.deploy(define) == "CREATE_COMPLETE"
    assert (
        stack.keys() == {f"shop/source/1.2.0/{stack.outputs['Sha256']}/source.zip"} == {stack.outputs["Key"]}
    )
    content, _ = stack.read(f"s3://{stack.bucket}/{stack.outputs['Key']}")
    assert zipfile.ZipFile(io.BytesIO(content)).read("prices/list.csv") == b"tea,4.5\n"
    assert stack.aws.calls.of("PublishLayerVersion") == []


@pytest.mark.parametrize("versioning", ["Enabled", "Suspended", None])
def test_bucket_of_the_user(stack: Deployment, project: Project, versioning: str | None) -> None:
    bucket, client = f"{stack.name}-own", stack.aws.client("s3")
    client.create_bucket(Bucket=bucket)
    if versioning:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": versioning})

    def define(of: Stack) -> None:
        place = {"bucket": s3.Bucket.from_bucket_name(of, "Own", bucket)}
        layer, source = {**place, "prefix": "/team/deps/"}, {**place, "prefix": "team/code"}
        orders(project.root, layer=layer, source=source)(of)

    assert stack.deploy(define) == "CREATE_COMPLETE"
    project.depend_on("2.0")
    assert stack.deploy(define) == "UPDATE_COMPLETE"
    assert (stack.invoke()["alpha"], stack.versions()) == ("2.0", [1, 2])
    assert {key.rsplit("/", 3)[0] for key in stack.keys(bucket) if "source" in key} == {"team/code/source"}
    assert {"team/deps/layer/000001/uv.lock", "team/deps/layer/000002/uv.lock"} <= stack.keys(bucket)
    assert stack.synth(define).resources(stack.name, "AWS::S3::Bucket") == {}
    pinned = [call.parameters["Content"].get("S3ObjectVersion") for call in stack.published]
    assert all(pinned) is (versioning == "Enabled")


def test_two_stacks_at_once_publish_one_version(
    stack: Deployment, other: Deployment, project: Project
) -> None:
    bucket, layer = f"{stack.name}-both", f"{stack.name}-both"
    stack.aws.client("s3").create_bucket(Bucket=bucket)

    def define(of: Stack) -> None:
        place = s3.Bucket.from_bucket_name(of, "Both", bucket)
        orders(project.root, layer={"bucket": place, "layer_name": layer})(of)

    assemblies = {each: each.synth(define) for each in (stack, other)}
    status: dict[str, str] = {}

    def deploy(each: Deployment) -> None:
        status[each.name] = each.deploy(assemblies[each])

    threads = [threading.Thread(target=deploy, args=(each,)) for each in assemblies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert status == {stack.name: "CREATE_COMPLETE", other.name: "CREATE_COMPLETE"}
    assert stack.versions(layer) == [1]
    assert stack.layers() == other.layers()
    assert stack.invoke()["alpha"] == other.invoke()["alpha"] == "1.0"


def test_bootstrap_with_a_qualifier_of_the_stack(stack: Deployment, project: Project, tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path / "cdk.out"))
    orders(project.root)(Stack(app, stack.name, synthesizer=DefaultStackSynthesizer(qualifier="tests")))
    app.synth()
    assert stack.deploy(Assembly(tmp_path / "cdk.out")) == "CREATE_COMPLETE"
    assert stack.invoke()["alpha"] == "1.0"
