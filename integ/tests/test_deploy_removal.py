"""What stays when an artifact or its stack goes, and what a stack finds that is made again."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm

from integ.local_aws import LocalAws
from integ.tests.support.deploying import RUNTIME, Define, Deployment, orders
from integ.tests.support.projects import Project
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

pytestmark = pytest.mark.e2e


def kept_in(bucket: str, project: Path, policy: RemovalPolicy, **layer: str) -> Define:
    """The usual stack with its artifacts in a bucket of the user's."""

    def define(stack: Stack) -> None:
        place = {"bucket": s3.Bucket.from_bucket_name(stack, "Place", bucket), "removal_policy": policy}
        orders(project, layer={**place, **layer}, source=place)(stack)

    return define


@pytest.fixture
def bucket(aws: LocalAws, name: str) -> str:
    """A bucket of the user's, versioned."""
    bucket, client = f"{name}-artifacts", aws.client("s3")
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def all_versions(aws: LocalAws, bucket: str) -> list[str]:
    """Keys of everything in a bucket, old versions and delete markers too."""
    found = aws.client("s3").list_object_versions(Bucket=bucket)
    return [row["Key"] for row in (*found.get("Versions", []), *found.get("DeleteMarkers", []))]


def test_by_default_everything_stays(stack: Deployment, project: Project) -> None:
    stack.deploy(orders(project.root))
    layer, bucket, keys = stack.layer_name, stack.bucket, stack.keys()
    stack.aws.calls.clear()
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.versions(layer) == [1]
    assert stack.keys(bucket) == keys
    assert not [call for call in stack.aws.calls.by("function") if call.service in ("s3", "lambda")]


def test_stack_made_again_finds_its_version(stack: Deployment, project: Project, bucket: str) -> None:
    define = kept_in(bucket, project.root, RemovalPolicy.RETAIN)
    stack.deploy(define)
    arn, keys = stack.outputs["LayerVersionArn"], stack.keys(bucket)
    stack.delete()
    assert stack.deploy(define) == "CREATE_COMPLETE"
    assert (stack.outputs["LayerVersionArn"], stack.versions()) == (arn, [1])
    assert stack.invoke()["alpha"] == "1.0"
    assert stack.keys(bucket) == keys


def test_stack_made_again_with_a_bucket_of_its_own_has_its_own_version(
    stack: Deployment, project: Project
) -> None:
    """The former one may be another app's, which has its history elsewhere and may prune it."""
    define = orders(project.root)
    stack.deploy(define)
    arn, bucket = stack.outputs["LayerVersionArn"], stack.bucket
    stack.delete()
    assert stack.deploy(define) == "CREATE_COMPLETE"
    assert stack.outputs["LayerVersionArn"] != arn
    assert stack.versions() == [1, 2]
    assert stack.bucket != bucket
    manifest, _ = stack.read(stack.outputs["ManifestUri"])
    assert manifest == project.locks["1.0"][1]


def test_destroy_leaves_nothing(stack: Deployment, project: Project, bucket: str) -> None:
    stack.deploy(kept_in(bucket, project.root, RemovalPolicy.DESTROY))
    project.say("two")
    project.depend_on("2.0")
    stack.deploy(kept_in(bucket, project.root, RemovalPolicy.DESTROY))
    layer = stack.layer_name
    assert stack.versions() == [1, 2]
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.versions(layer) == []
    assert all_versions(stack.aws, bucket) == []


def test_destroy_takes_nothing_of_another_stack(
    stack: Deployment, other: Deployment, project: Project, bucket: str
) -> None:
    stack.deploy(kept_in(bucket, project.root, RemovalPolicy.DESTROY))
    other.deploy(kept_in(bucket, project.root, RemovalPolicy.DESTROY))  # the same source, a layer of its own
    layer = stack.layer_name
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.versions(layer) == []
    assert {key.split("/")[0] for key in all_versions(stack.aws, bucket)} == {other.layer_name, "orders"}
    assert (other.versions(), other.invoke()["alpha"]) == ([1], "1.0")
    project.depend_on("2.0")
    assert other.deploy(kept_in(bucket, project.root, RemovalPolicy.DESTROY)) == "UPDATE_COMPLETE"
    assert other.read(other.outputs["SourceUri"])


def test_destroy_keeps_a_layer_that_two_stacks_publish(
    stack: Deployment, other: Deployment, project: Project, bucket: str
) -> None:
    define = kept_in(bucket, project.root, RemovalPolicy.DESTROY, layer_name=f"{stack.name}-shared")
    for each in (stack, other):
        assert each.deploy(define) == "CREATE_COMPLETE"
    assert stack.layers() == other.layers()
    assert stack.delete() == "DELETE_COMPLETE"
    assert (other.versions(), other.invoke()["alpha"]) == ([1], "1.0")
    assert other.read(other.outputs["ManifestUri"])[0] == project.locks["1.0"][1]


@pytest.mark.parametrize(("policy", "left"), [(RemovalPolicy.RETAIN, [1]), (RemovalPolicy.DESTROY, [])])
def test_removed_layer_of_a_stack_that_stays(
    stack: Deployment, project: Project, bucket: str, policy: RemovalPolicy, left: list[int]
) -> None:
    both = kept_in(bucket, project.root, policy)
    stack.deploy(both)
    layer = stack.layer_name

    def code_alone(of: Stack) -> None:
        place = s3.Bucket.from_bucket_name(of, "Place", bucket)
        LambdaSourceArtifact(of, "Code", project=str(project.root), bucket=place, removal_policy=policy)

    assert stack.deploy(code_alone) == "UPDATE_COMPLETE"
    assert stack.versions(layer) == left
    assert stack.reasons() == []
    assert bool([key for key in stack.keys(bucket) if "/layer/0" in key]) is bool(left)
    assert [key for key in stack.keys(bucket) if key.startswith("orders/source/1.2.0/")]


@pytest.mark.parametrize(("policy", "left"), [(RemovalPolicy.RETAIN, [1]), (RemovalPolicy.DESTROY, [])])
def test_renamed_layer_is_another_layer(
    stack: Deployment, project: Project, bucket: str, policy: RemovalPolicy, left: list[int]
) -> None:
    stack.deploy(kept_in(bucket, project.root, policy, layer_name=f"{stack.name}-old"))
    renamed = kept_in(bucket, project.root, policy, layer_name=f"{stack.name}-new")
    assert stack.deploy(renamed) == "UPDATE_COMPLETE"
    assert stack.reasons() == []
    assert (stack.versions(), stack.layers()) == ([1], [stack.outputs["LayerVersionArn"]])
    assert stack.layer_name == f"{stack.name}-new"
    assert stack.invoke()["alpha"] == "1.0"
    assert stack.versions(f"{stack.name}-old") == left


def both(project: Path, policy: RemovalPolicy, **layer: str) -> Define:
    """The usual stack with its own bucket."""
    return orders(project, layer={"removal_policy": policy, **layer}, source={"removal_policy": policy})


def buckets(aws: LocalAws) -> set[str]:
    return {row["Name"] for row in aws.client("s3").list_buckets()["Buckets"]}


def test_stack_whose_artifacts_are_all_destroyed_leaves_nothing(stack: Deployment, project: Project) -> None:
    stack.deploy(both(project.root, RemovalPolicy.DESTROY))
    project.depend_on("2.0")
    project.say("two")
    stack.deploy(both(project.root, RemovalPolicy.DESTROY))
    layer, bucket = stack.layer_name, stack.bucket
    assert bucket in buckets(stack.aws)
    assert stack.delete() == "DELETE_COMPLETE"
    assert (stack.versions(layer), stack.reasons()) == ([], [])
    assert bucket not in buckets(stack.aws)


def test_artifacts_that_are_to_be_kept_after_all_stay_with_their_bucket(
    stack: Deployment, project: Project
) -> None:
    stack.deploy(both(project.root, RemovalPolicy.DESTROY))
    keys = stack.keys()
    assert stack.deploy(both(project.root, RemovalPolicy.RETAIN)) == "UPDATE_COMPLETE"
    layer, bucket = stack.layer_name, stack.bucket
    assert stack.delete() == "DELETE_COMPLETE"
    assert (stack.versions(layer), stack.keys(bucket)) == ([1], keys)
    policy = stack.aws.client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
    assert "aws:SecureTransport" in policy


@pytest.mark.parametrize("changed", ["prefix", "prefix and lock", "bucket"])
def test_moved_layer_leaves_nothing_where_it_was(
    stack: Deployment, project: Project, bucket: str, changed: str
) -> None:
    define = kept_in(bucket, project.root, RemovalPolicy.DESTROY, prefix="here")
    stack.deploy(define)
    if "lock" in changed:
        project.depend_on("2.0")
    moved = kept_in(bucket, project.root, RemovalPolicy.DESTROY, prefix="there")
    if changed == "bucket":
        moved = both(project.root, RemovalPolicy.DESTROY, prefix="here")
    assert stack.deploy(moved) == "UPDATE_COMPLETE"
    assert stack.reasons() == []
    layer, lock, versions = stack.layer_name, "1.0", [1]
    if "lock" in changed:
        lock, versions = "2.0", [1, 2]
    assert (stack.versions(), stack.layers()) == (versions, [stack.outputs["LayerVersionArn"]])
    assert not [key for key in all_versions(stack.aws, bucket) if key.startswith("here/")]
    assert stack.read(stack.outputs["ManifestUri"])[0] == project.locks[lock][1]
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.versions(layer) == []
    assert all_versions(stack.aws, bucket) == []


def test_move_that_is_rolled_back_leaves_everything_where_it_was(
    stack: Deployment, project: Project, bucket: str
) -> None:
    stack.deploy(kept_in(bucket, project.root, RemovalPolicy.DESTROY, prefix="here"))
    before = {key for key in stack.keys(bucket) if "/0" in key}
    layer = stack.layer_name

    def moved(of: Stack) -> None:
        kept_in(bucket, project.root, RemovalPolicy.DESTROY, prefix="there")(of)
        name = of.node.find_child("Function").function_name  # type: ignore[attr-defined]
        ssm.StringParameter(of, "Late", string_value=name, parameter_name=f"/{of.stack_name}/late")

    stack.aws.faults.add("PutParameter", "AccessDeniedException", status=400, caller="cloudformation")
    assert stack.deploy(moved) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.versions(layer) == [1]
    assert {key for key in stack.keys(bucket) if "/0" in key} == before
    assert not [key for key in all_versions(stack.aws, bucket) if key.startswith("there/")]
    assert stack.invoke()["alpha"] == "1.0"
    assert stack.delete() == "DELETE_COMPLETE"
    assert (stack.versions(layer), all_versions(stack.aws, bucket)) == ([], [])


def test_stack_whose_bucket_is_gone_can_be_deleted(stack: Deployment, project: Project, bucket: str) -> None:
    stack.deploy(kept_in(bucket, project.root, RemovalPolicy.DESTROY))
    client = stack.aws.client("s3")
    found = client.list_object_versions(Bucket=bucket)["Versions"]
    for row in found:
        client.delete_object(Bucket=bucket, Key=row["Key"], VersionId=row["VersionId"])
    client.delete_bucket(Bucket=bucket)
    assert stack.delete() == "DELETE_COMPLETE"


def test_many_layers_are_published_pruned_and_removed(stack: Deployment, project: Project) -> None:
    """IAM limits all inline policies of a role; a former one is there until its layers are gone."""

    def many(names: range, policy: RemovalPolicy) -> Define:
        def define(stack: Stack) -> None:
            for number in names:
                LambdaLayerArtifact(
                    stack,
                    f"Layer{number}",
                    project=str(project.root),
                    runtime=RUNTIME,
                    layer_name=f"{stack.node.id}-{number}",
                    keep_versions=1,
                    removal_policy=policy,
                )

        return define

    layers = [f"{stack.name}-{number}" for number in range(14)]
    assert stack.deploy(many(range(14), RemovalPolicy.DESTROY)) == "CREATE_COMPLETE"
    project.depend_on("2.0")
    assert stack.deploy(many(range(12), RemovalPolicy.DESTROY)) == "UPDATE_COMPLETE"
    assert [stack.versions(layer) for layer in layers] == [[1, 2]] * 12 + [[], []]
    assert stack.delete() == "DELETE_COMPLETE"
    assert not any(stack.versions(layer) for layer in layers)
