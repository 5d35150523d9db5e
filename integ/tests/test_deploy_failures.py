"""Deployments that fail: what is said, and what is there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ssm as ssm

from integ.tests.support.deploying import ASSETS, Define, Deployment, orders
from integ.tests.support.projects import Project

pytestmark = pytest.mark.e2e


def with_parameter(project: Path) -> Define:
    """The usual stack, and a parameter that is made when everything else has been updated."""

    def define(stack: Stack) -> None:
        orders(project)(stack)
        late = ssm.StringParameter(stack, "Late", string_value="x")
        late.node.add_dependency(stack.node.find_child("Function"))

    return define


def refuse_parameter(stack: Deployment) -> None:
    """Let the parameter of :func:`with_parameter` fail."""
    stack.aws.faults.add("PutParameter", "AccessDeniedException", status=400, caller="cloudformation")


@pytest.fixture
def deployed(stack: Deployment, project: Project) -> Callable[[], dict[str, Any]]:
    """The usual stack, deployed, and its project changed; returns what can be seen of it from outside."""
    stack.deploy(orders(project.root))

    def seen() -> dict[str, Any]:
        return {"answer": stack.invoke(), "layers": stack.layers(), "outputs": stack.outputs}

    seen()
    project.say("two")
    project.depend_on("2.0")
    return seen


def reason_of(stack: Deployment, *words: str) -> str:
    """The one reason with these words; it is short enough to be shown whole."""
    (reason,) = {reason for reason in stack.reasons() if all(word in reason for word in words)}
    assert len(reason.encode()) < 4096
    assert "Traceback" not in reason
    return reason


def test_failure_elsewhere_brings_back_layer_and_code(
    stack: Deployment, project: Project, deployed: Callable[[], dict[str, Any]]
) -> None:
    before = deployed()
    refuse_parameter(stack)
    assert stack.deploy(with_parameter(project.root)) == "UPDATE_ROLLBACK_COMPLETE"
    assert deployed() == before
    assert stack.versions() == [1, 2]  # published before the failure, and found by the next deployment
    assert stack.deploy(orders(project.root)) == "UPDATE_COMPLETE"
    assert (stack.invoke()["alpha"], stack.versions()) == ("2.0", [1, 2])


def test_refused_publication_brings_back_layer_and_code(
    stack: Deployment, project: Project, deployed: Callable[[], dict[str, Any]]
) -> None:
    before = deployed()
    stack.aws.faults.refuse("PublishLayerVersion", message="Not you.", caller="function")
    assert stack.deploy(orders(project.root)) == "UPDATE_ROLLBACK_COMPLETE"
    assert deployed() == before
    assert stack.versions() == [1]
    reason = reason_of(stack, "refused PublishLayerVersion")
    assert "AWS refused PublishLayerVersion (Not you); it was called to publish s3://" in reason
    assert "Allow the call in the role's policies" in reason
    stack.aws.faults.clear()
    assert stack.deploy(orders(project.root)) == "UPDATE_COMPLETE"
    assert (stack.invoke()["alpha"], stack.versions()) == ("2.0", [1, 2])


def test_first_deployment_that_fails_leaves_no_stack(stack: Deployment, project: Project) -> None:
    refuse_parameter(stack)
    assert stack.deploy(with_parameter(project.root)) == "ROLLBACK_COMPLETE"
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.deploy(orders(project.root)) == "CREATE_COMPLETE"
    assert stack.versions() == [1, 2]  # the history of 1 is in the bucket that the failed stack retained


@pytest.mark.parametrize("asset", ["Deps/Zip", "Deps/Records", "Code/Zip"])
def test_missing_asset_is_named(
    stack: Deployment,
    project: Project,
    deployed: Callable[[], dict[str, Any]],
    asset: str,
) -> None:
    before = deployed()
    assembly = stack.synth(orders(project.root))
    stack.publish(assembly)
    key = assembly.asset_key(stack.name, asset)
    stack.aws.client("s3").delete_object(Bucket=ASSETS, Key=key)
    assert stack.apply(assembly) == "UPDATE_ROLLBACK_COMPLETE"
    assert deployed() == before
    reason = reason_of(stack, "GetObject" if "Records" in asset else "CopyObject")
    assert reason.count(f"s3://{ASSETS}/{key}") == 1


@pytest.mark.parametrize("operation", ["PublishLayerVersion", "ListLayerVersions", "CopyObject", "PutObject"])
def test_throttling_that_passes_is_waited_out(stack: Deployment, project: Project, operation: str) -> None:
    fault = stack.aws.faults.throttle(operation, caller="function")
    assert stack.deploy(orders(project.root)) == "CREATE_COMPLETE"
    assert fault.hits == 1
    assert (stack.invoke()["alpha"], stack.versions()) == ("1.0", [1])


def test_policy_that_spreads_slowly_is_waited_for(stack: Deployment, project: Project) -> None:
    stack.aws.faults.spread_slowly(1.5)
    assert stack.deploy(orders(project.root)) == "CREATE_COMPLETE"
    assert [call.status for call in stack.aws.calls.by("function")].count(403) > 0
    assert (stack.invoke()["alpha"], stack.versions()) == ("1.0", [1])


def test_lost_answer_of_a_publication_is_no_second_version(stack: Deployment, project: Project) -> None:
    fault = stack.aws.faults.add("PublishLayerVersion", when="after", caller="function")
    assert stack.deploy(orders(project.root)) == "CREATE_COMPLETE"
    assert fault.hits == 1
    assert (stack.invoke()["alpha"], stack.versions()) == ("1.0", [1])


def test_failed_deletion_is_told_and_can_be_repeated(stack: Deployment, project: Project) -> None:
    stack.deploy(orders(project.root, layer={"removal_policy": RemovalPolicy.DESTROY}))
    name = stack.outputs["LayerVersionArn"].split(":")[-2]
    stack.aws.faults.refuse("DeleteLayerVersion", caller="function")
    assert stack.delete() == "DELETE_FAILED"
    assert f"remove layer {name}" in reason_of(stack, "refused DeleteLayerVersion")
    stack.aws.faults.clear()
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.versions(name) == []
