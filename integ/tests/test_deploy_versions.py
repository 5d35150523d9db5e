"""The life of published versions: how many stay, and who may use them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ssm as ssm

from integ.tests.support.deploying import RUNTIME, Define, Deployment, function, orders
from integ.tests.support.projects import Project
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

pytestmark = pytest.mark.e2e


def keeping(project: Project, build: int, keep: int | None, *, late: bool = False) -> Define:
    """The usual stack, with the project's code in the layer, too; ``build`` is in the code."""

    def define(stack: Stack) -> None:
        project.say(str(build))
        layer: dict[str, Any] = {"own_code": True, "keep_versions": keep}
        orders(project.root, layer=layer)(stack)
        if late:
            parameter = ssm.StringParameter(stack, "Late", string_value="x")
            parameter.node.add_dependency(stack.node.find_child("Function"))

    return define


def history(stack: Deployment) -> list[int]:
    """Numbers of the folders in the history."""
    folders = [key.partition("/layer/")[2].partition("/") for key in sorted(stack.keys())]
    return sorted({int(number) for number, _, name in folders if name})


def test_older_versions_are_pruned_and_a_rollback_finds_its_own(stack: Deployment, project: Project) -> None:
    for build in range(4):
        stack.deploy(keeping(project, build, 2))
        assert stack.versions() == history(stack) == [1, 2, 3, 4][max(0, build - 1) : build + 1]
    before = stack.outputs["LayerVersionArn"]
    stack.aws.faults.add("PutParameter", "AccessDeniedException", status=400, caller="cloudformation")
    assert stack.deploy(keeping(project, 4, 1, late=True)) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.outputs["LayerVersionArn"] == before
    assert stack.layers() == [before]
    assert stack.invoke()["alpha"] == "1.0"
    assert stack.versions() == history(stack) == [4, 5]


def test_keeping_can_begin_and_end_later(stack: Deployment, project: Project) -> None:
    for build, keep in enumerate([None, None, None, 2, None, None]):
        stack.deploy(keeping(project, build, keep))
        assert stack.reasons() == []
    assert stack.versions() == history(stack) == [3, 4, 5, 6]


def test_refused_pruning_is_no_failure(stack: Deployment, project: Project) -> None:
    for build in range(3):
        stack.deploy(keeping(project, build, None))
    fault = stack.aws.faults.refuse("DeleteLayerVersion", caller="function")
    assert stack.deploy(keeping(project, 3, 1)) == "UPDATE_COMPLETE"
    assert fault.hits
    assert stack.versions() == [1, 2, 3, 4]
    stack.aws.faults.clear()
    assert stack.deploy(keeping(project, 4, 1)) == "UPDATE_COMPLETE"
    assert stack.versions() == history(stack) == [4, 5]


def test_who_a_layer_is_shared_with_keeps_the_old_versions(stack: Deployment, project: Project) -> None:
    def shared(of: Stack) -> None:
        deps = LambdaLayerArtifact(of, "Deps", project=str(project.root), runtime=RUNTIME, layer_name=name)
        code = LambdaSourceArtifact(of, "Code", project=str(project.root), runtime=RUNTIME)
        function(of, "Function", deps, code)
        deps.add_permission("Partner", account_id="111122223333")
        deps.add_permission("Company", account_id="*", organization_id="o-a1b2c3d4e5")

    def principals(version: int) -> list[tuple[str, str | None]]:
        answer = stack.aws.client("lambda").get_layer_version_policy(LayerName=name, VersionNumber=version)
        found = []
        for statement in json.loads(answer["Policy"])["Statement"]:
            principal = statement["Principal"]
            text = principal if isinstance(principal, str) else principal["AWS"]
            condition = statement.get("Condition", {}).get("StringEquals", {})
            found.append((text, condition.get("aws:PrincipalOrgID")))
        return sorted(found)

    name = f"{stack.name}-shared"
    stack.deploy(shared)
    expected = principals(1)
    assert [who.strip("*").count("111122223333") for who, _ in expected] in ([0, 1], [1, 0])
    project.depend_on("2.0")
    assert stack.deploy(shared) == "UPDATE_COMPLETE"
    assert stack.versions(name) == [1, 2]
    assert principals(2) == principals(1) == expected
    assert stack.delete() == "DELETE_COMPLETE"
    assert principals(2) == principals(1) == expected
