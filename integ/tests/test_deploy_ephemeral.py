"""A stack for each branch: deployed and destroyed again and again, beside those of other branches."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from integ.local_aws import LocalAws
from integ.tests.support.deploying import ASSETS, RUNTIME, Assembly, Define, Deployment
from integ.tests.support.projects import Project
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

pytestmark = pytest.mark.e2e


def branch(project: Path, bucket: str | None = None) -> Define:
    """What a team deploys for each branch: everything goes with the stack.

    :param bucket: the one bucket of all branches, in which each has a prefix; each has its own if None.
    """

    def define(stack: Stack) -> None:
        goes: dict[str, Any] = {
            "project": str(project),
            "runtime": RUNTIME,
            "removal_policy": RemovalPolicy.DESTROY,
        }
        if bucket is not None:
            # Without the prefix, branches with the same code share one zip, and what is shared stays.
            goes["bucket"] = s3.Bucket.from_bucket_name(stack, "Place", bucket)
            goes["prefix"] = stack.stack_name
        parameter = f"/{stack.stack_name}/deps"
        deps = LambdaLayerArtifact(stack, "Deps", parameter_name=parameter, **goes)
        function = lambda_.Function(
            stack,
            "Function",
            runtime=RUNTIME,
            handler="orders.app.handler",
            code=LambdaSourceArtifact(stack, "Code", **goes).code,
            layers=[deps],
            # Without one of its own, Lambda makes the group, and the stack doesn't know it.
            log_group=logs.LogGroup(stack, "Logs", removal_policy=RemovalPolicy.DESTROY),
        )
        CfnOutput(stack, "FunctionName", value=function.function_name)
        CfnOutput(stack, "LayerVersionArn", value=deps.layer_version_arn)

    return define


def everything(aws: LocalAws) -> set[str]:
    """What is in the account, but for the assets that the cdk CLI has uploaded."""
    return set(_everything(aws))


def _everything(aws: LocalAws) -> Iterator[str]:
    def rows(service: str, operation: str, field: str, **given: str) -> Iterator[dict[str, Any]]:
        for page in aws.client(service).get_paginator(operation).paginate(**given):
            yield from page.get(field, [])

    for function in rows("lambda", "list_functions", "Functions"):
        yield str(function["FunctionArn"])
    for layer in rows("lambda", "list_layers", "Layers"):
        for version in rows("lambda", "list_layer_versions", "LayerVersions", LayerName=layer["LayerName"]):
            yield str(version["LayerVersionArn"])
    for bucket in aws.client("s3").list_buckets()["Buckets"]:
        yield f"s3://{bucket['Name']}"
        for kind in ("Versions", "DeleteMarkers") if bucket["Name"] != ASSETS else ():
            for row in rows("s3", "list_object_versions", kind, Bucket=bucket["Name"]):
                yield f"s3://{bucket['Name']}/{row['Key']} {row['VersionId']}"
    for group in rows("logs", "describe_log_groups", "logGroups"):
        yield str(group["arn"])
    for role in rows("iam", "list_roles", "Roles"):
        yield str(role["Arn"])
    for policy in rows("iam", "list_policies", "Policies", Scope="Local"):
        yield str(policy["Arn"])
    for parameter in rows("ssm", "describe_parameters", "Parameters"):
        yield f"parameter {parameter['Name']}"
    for stack in rows("cloudformation", "list_stacks", "StackSummaries"):
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield str(stack["StackId"])


@pytest.fixture(params=["own bucket", "shared bucket"])
def bucket(request: pytest.FixtureRequest, aws: LocalAws, name: str) -> str | None:
    """The bucket that all branches share; None, if each has its own."""
    if request.param == "own bucket":
        return None
    bucket = f"{name}-artifacts"
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def test_branches_come_and_go_ten_times_and_leave_nothing(
    stack: Deployment, other: Deployment, project: Project, bucket: str | None, tmp_path: Path
) -> None:
    assemblies = {}
    for version in ("1.0", "2.0"):
        project.depend_on(version)
        stacks = {each.name: branch(project.root, bucket) for each in (stack, other)}
        assemblies[version] = Assembly.synth(tmp_path / f"cdk.out-{version}", stacks)
    before = everything(stack.aws)

    def come_and_go(of: Deployment, first: str, second: str) -> None:
        for number in range(10):
            assert of.deploy(assemblies[first]) == "CREATE_COMPLETE", of.reasons()
            assert of.invoke()["alpha"] == first
            if number % 5 == 0:
                assert of.deploy(assemblies[second]) == "UPDATE_COMPLETE", of.reasons()
                assert of.invoke()["alpha"] == second
            assert of.delete() == "DELETE_COMPLETE", of.reasons()
            assert of.reasons() == []

    with ThreadPoolExecutor() as pool:
        branches = [
            pool.submit(come_and_go, stack, "1.0", "2.0"),
            pool.submit(come_and_go, other, "2.0", "1.0"),
        ]
    for each in branches:
        each.result()
    assert everything(stack.aws) - before == set()


def test_branch_that_goes_takes_nothing_of_another(
    stack: Deployment, other: Deployment, project: Project, bucket: str | None, tmp_path: Path
) -> None:
    stacks = {each.name: branch(project.root, bucket) for each in (stack, other)}
    assembly = Assembly.synth(tmp_path / "cdk.out", stacks)
    assert other.deploy(assembly) == "CREATE_COMPLETE"
    before = everything(stack.aws)
    assert stack.deploy(assembly) == "CREATE_COMPLETE"
    assert stack.outputs["LayerVersionArn"] != other.outputs["LayerVersionArn"]
    assert stack.delete() == "DELETE_COMPLETE"
    assert everything(stack.aws) == before
    assert other.invoke()["alpha"] == "1.0"


def test_branch_that_cannot_be_deployed_leaves_nothing(
    stack: Deployment, project: Project, bucket: str | None
) -> None:
    before = everything(stack.aws)
    stack.aws.faults.add("PutParameter", "AccessDeniedException", status=400, caller="cloudformation")
    assert stack.deploy(branch(project.root, bucket)) == "ROLLBACK_COMPLETE"
    assert stack.delete() == "DELETE_COMPLETE"
    assert everything(stack.aws) == before
