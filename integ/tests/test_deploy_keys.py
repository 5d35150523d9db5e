"""Artifacts encrypted with a customer's key: every call of the handler is held against what KMS asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from integ.tests.support.deploying import Define, Deployment, orders
from integ.tests.support.projects import Project
from lbdart_cdk import ArtifactPublisher, LambdaSourceArtifact

pytestmark = pytest.mark.e2e

DESTROY: dict[str, Any] = {"removal_policy": RemovalPolicy.DESTROY}


def encrypted(define: Define) -> Define:
    def defined(stack: Stack) -> None:
        ArtifactPublisher(stack, encryption_key=kms.Key(stack, "Key"))
        define(stack)

    return defined


def test_stack_with_a_key_of_its_own(stack: Deployment, project: Project) -> None:
    define = encrypted(orders(project.root, layer=DESTROY, source=DESTROY))
    assert stack.deploy(define) == "CREATE_COMPLETE"
    (rule,) = stack.aws.client("s3").get_bucket_encryption(Bucket=stack.bucket)[
        "ServerSideEncryptionConfiguration"
    ]["Rules"]
    key = rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert (key.split(":")[2], rule["BucketKeyEnabled"]) == ("kms", True)
    project.say("two")
    project.depend_on("2.0")
    assert stack.deploy(define) == "UPDATE_COMPLETE"
    assert stack.invoke()["said"] == "two"
    assert stack.versions() == [1, 2]

    # The layer leaves the template, and the rest a deployment later.
    def code_alone(of: Stack) -> None:
        LambdaSourceArtifact(of, "Code", project=str(project.root), **DESTROY)

    assert stack.deploy(encrypted(code_alone)) == "UPDATE_COMPLETE"
    assert not any("/layer/" in key for key in sorted(stack.keys()))
    bucket = stack.bucket
    assert stack.delete() == "DELETE_COMPLETE"
    assert bucket not in {row["Name"] for row in stack.aws.client("s3").list_buckets()["Buckets"]}


@pytest.fixture
def bucket(stack: Deployment) -> tuple[str, str]:
    """A bucket of the user's with the ARN of its key."""
    name, client = f"{stack.name}-own", stack.aws.client("s3")
    key = stack.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    client.create_bucket(Bucket=name)
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    client.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]},
    )
    return name, key


def test_bucket_of_the_user_with_its_key(
    stack: Deployment, project: Project, bucket: tuple[str, str]
) -> None:
    def define(of: Stack) -> None:
        key = kms.Key.from_key_arn(of, "Key", bucket[1])
        own = s3.Bucket.from_bucket_attributes(of, "Own", bucket_name=bucket[0], encryption_key=key)
        orders(project.root, layer={"bucket": own, **DESTROY}, source={"bucket": own, **DESTROY})(of)

    assert stack.deploy(define) == "CREATE_COMPLETE"
    project.depend_on("2.0")
    assert stack.deploy(define) == "UPDATE_COMPLETE"
    assert (stack.invoke()["alpha"], stack.versions()) == ("2.0", [1, 2])
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.keys(bucket[0]) == set()


def test_bucket_that_is_imported_without_its_key_lacks_the_permissions(
    stack: Deployment, project: Project, bucket: tuple[str, str]
) -> None:
    def define(of: Stack) -> None:
        own = s3.Bucket.from_bucket_name(of, "Own", bucket[0])
        orders(project.root, layer={"bucket": own}, source={"bucket": own})(of)

    with pytest.raises(AssertionError, match="no policy of the handler's role allows") as caught:
        stack.deploy(define)
    assert {"kms:Decrypt", "kms:GenerateDataKey"} == {
        action for action in ("kms:Decrypt", "kms:GenerateDataKey", "s3:") if action in str(caught.value)
    }


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms"])
def test_bucket_that_denies_writes_which_do_not_name_their_encryption(
    stack: Deployment, project: Project, algorithm: str
) -> None:
    """The first examples of bucket policies in S3's documentation."""
    name, s3_client = f"{stack.name}-denies", stack.aws.client("s3")
    header = "s3:x-amz-server-side-encryption"
    conditions: list[Any] = [{"Null": {header: "true"}}, {"StringNotEquals": {header: algorithm}}]
    denials = [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{name}/*",
            "Condition": condition,
        }
        for condition in conditions
    ]
    s3_client.create_bucket(Bucket=name)
    s3_client.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": denials}))
    if algorithm == "aws:kms":
        rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]
        s3_client.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})

    def define(of: Stack) -> None:
        place = s3.Bucket.from_bucket_name(of, "Place", name)
        orders(project.root, layer={"bucket": place}, source={"bucket": place})(of)

    assert stack.deploy(define) == "CREATE_COMPLETE"
    assert stack.invoke()["alpha"] == "1.0"
    stored = [s3_client.head_object(Bucket=name, Key=key) for key in stack.keys(name)]
    assert {each["ServerSideEncryption"] for each in stored} == {algorithm}
