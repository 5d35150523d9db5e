"""A layer in one stack, functions in others: the layer changes while they use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_cdk import CfnOutput, NestedStack, Stack
from aws_cdk import aws_lambda as lambda_

from integ.tests.support.deploying import RUNTIME, Assembly, Deployment, function
from integ.tests.support.projects import Project
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

pytestmark = pytest.mark.e2e


def test_layer_changes_while_a_stack_of_the_app_uses_it(
    stack: Deployment, other: Deployment, project: Project, tmp_path: Path
) -> None:
    produced: list[LambdaLayerArtifact] = []

    def producer(of: Stack) -> None:
        produced.append(LambdaLayerArtifact(of, "Deps", project=str(project.root), runtime=RUNTIME))
        CfnOutput(of, "LayerVersionArn", value=produced[-1].layer_version_arn)

    def consumer(of: Stack) -> None:
        function(of, "Function", produced[-1], LambdaSourceArtifact(of, "Code", project=str(project.root)))

    for status, version in (("CREATE_COMPLETE", "1.0"), ("UPDATE_COMPLETE", "2.0")):
        project.depend_on(version)
        assembly = Assembly.synth(
            tmp_path / f"cdk.out-{version}", {stack.name: producer, other.name: consumer}
        )
        before = other.layers() if other.created else []
        assert stack.deploy(assembly) == status
        # The consumer still has the version from before, which is still there.
        assert before == (other.layers() if other.created else [])
        if before:
            assert other.invoke()["alpha"] == "1.0"
        assert other.deploy(assembly) == status
        assert other.layers() == [stack.outputs["LayerVersionArn"]]
        assert other.invoke()["alpha"] == version


def test_layer_of_a_nested_stack_changes_while_other_stacks_use_it(
    stack: Deployment, other: Deployment, project: Project, tmp_path: Path
) -> None:
    produced: list[LambdaLayerArtifact] = []

    def add_function(of: Stack, scope: Stack, name: str) -> None:
        made = lambda_.Function(
            scope,
            name,
            runtime=RUNTIME,
            handler="index.handler",
            code=lambda_.Code.from_inline("import alpha\ndef handler(*_): return {'alpha': alpha.VERSION}"),
            layers=[produced[-1]],
        )
        CfnOutput(of, f"{name}Name", value=made.function_name)

    def producer(of: Stack) -> None:
        inner = NestedStack(NestedStack(of, "Outer"), "Inner")
        produced.append(LambdaLayerArtifact(inner, "Deps", project=str(project.root), runtime=RUNTIME))
        add_function(of, of, "InParent")
        add_function(of, NestedStack(of, "Sibling"), "InSibling")

    def consumer(of: Stack) -> None:
        add_function(of, of, "InOther")
        add_function(of, NestedStack(of, "Nested"), "InNested")

    for status, version in (("CREATE_COMPLETE", "1.0"), ("UPDATE_COMPLETE", "2.0")):
        project.depend_on(version)
        assembly = Assembly.synth(
            tmp_path / f"cdk.out-{version}", {stack.name: producer, other.name: consumer}
        )
        assert stack.deploy(assembly) == status, stack.reasons()
        assert other.deploy(assembly) == status, other.reasons()
        users = [(stack, "InParent"), (stack, "InSibling"), (other, "InOther"), (other, "InNested")]
        assert [of.invoke(name)["alpha"] for of, name in users] == [version] * len(users)


def test_alias_follows_the_layer_of_another_stack(
    stack: Deployment, other: Deployment, project: Project, tmp_path: Path
) -> None:
    produced: list[LambdaLayerArtifact] = []

    keep_versions: int | None = None

    def producer(of: Stack) -> None:
        deps = LambdaLayerArtifact(
            of, "Deps", project=str(project.root), runtime=RUNTIME, keep_versions=keep_versions
        )
        produced.append(deps)

    def consumer(of: Stack) -> None:
        code = LambdaSourceArtifact(of, "Code", project=str(project.root)).code
        made = lambda_.Function(
            of, "Function", runtime=RUNTIME, handler="orders.app.handler", code=code, layers=[produced[-1]]
        )
        CfnOutput(of, "FunctionName", value=made.add_alias("live").function_arn)

    def deploy() -> list[str]:
        folder = tmp_path / f"cdk.out-{len(produced)}"
        assembly = Assembly.synth(folder, {stack.name: producer, other.name: consumer})
        return [stack.deploy(assembly), other.deploy(assembly)]

    project.depend_on("1.0")
    assert deploy() == ["CREATE_COMPLETE", "CREATE_COMPLETE"]
    assert other.invoke()["alpha"] == "1.0"
    # What publishes nothing must not make a second version of the same function.
    keep_versions = 3
    assert deploy() == ["UPDATE_COMPLETE", "UNCHANGED"]
    project.depend_on("2.0")
    assert deploy() == ["UPDATE_COMPLETE", "UPDATE_COMPLETE"]
    assert other.invoke()["alpha"] == "2.0"


def test_layer_changes_while_another_app_uses_it_by_its_parameter(
    stack: Deployment, other: Deployment, project: Project
) -> None:
    parameter = f"/layers/{stack.name}"

    def producer(of: Stack) -> None:
        LambdaLayerArtifact(of, "Deps", project=str(project.root), runtime=RUNTIME, parameter_name=parameter)

    def consumer(of: Stack) -> None:
        deps = LambdaLayerArtifact.from_parameter_name(of, "Deps", parameter, runtime=RUNTIME)
        function(of, "Function", deps, LambdaSourceArtifact(of, "Code", project=str(project.root)))

    project.depend_on("1.0")
    assert stack.deploy(producer) == "CREATE_COMPLETE"
    assert other.deploy(consumer) == "CREATE_COMPLETE"
    assert other.invoke()["alpha"] == "1.0"
    project.depend_on("2.0")
    assert stack.deploy(producer) == "UPDATE_COMPLETE"
    assert other.invoke()["alpha"] == "1.0"
    assert other.deploy(consumer) == "UPDATE_COMPLETE"
    assert other.invoke()["alpha"] == "2.0"
