"""What the handler may do, to the letter: an action or a resource more, and a test fails here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import DefaultStackSynthesizer, FileAssetLocation, LegacyStackSynthesizer, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from lbdart_cdk import ArtifactPublisher, LambdaLayerArtifact, LambdaSourceArtifact
from tests.support.apps import make_app, properties, resources
from tests.support.permissions import handler_permissions, statements_as_lines

LAYER = """
    lambda:GetLayerVersion arn:aws:lambda:us-east-1:123456789012:layer:deps:*
    logs:CreateLogStream {log group}
    logs:PutLogEvents {log group}
    s3:GetObject arn:aws:s3:::{assets}/*.zip
    s3:GetObject {bucket}/deps/layer/*
    s3:GetObjectVersion {bucket}/deps/layer/*
    s3:PutObject {bucket}/deps/layer/*
    s3:ListBucket {bucket}
    s3:GetEncryptionConfiguration {bucket}
    lambda:ListLayerVersions arn:aws:lambda:us-east-1:123456789012:layer:deps
    lambda:PublishLayerVersion arn:aws:lambda:us-east-1:123456789012:layer:deps
"""
SOURCE = """
    logs:CreateLogStream {log group}
    logs:PutLogEvents {log group}
    s3:GetObject arn:aws:s3:::{assets}/*.zip
    s3:GetObject {bucket}/code/source/*
    s3:GetObjectVersion {bucket}/code/source/*
    s3:PutObject {bucket}/code/source/*
    s3:ListBucket {bucket}
    s3:GetEncryptionConfiguration {bucket}
"""
REMOVE_LAYER = """
    s3:DeleteObject {bucket}/deps/layer/*
    s3:DeleteObjectVersion {bucket}/deps/layer/*
    s3:ListBucketVersions {bucket} if StringLike s3:prefix deps/layer/*
    lambda:DeleteLayerVersion arn:aws:lambda:us-east-1:123456789012:layer:deps:*
"""
REMOVE_SOURCE = """
    s3:DeleteObject {bucket}/code/source/*
    s3:DeleteObjectVersion {bucket}/code/source/*
    s3:ListBucketVersions {bucket} if StringLike s3:prefix code/source/*
"""
EMPTY = """
    s3:DeleteObject {bucket}/*
    s3:DeleteObjectVersion {bucket}/*
    s3:ListBucketVersions {bucket}
"""
KEY = """
    kms:Decrypt {key}
    kms:GenerateDataKey {key}
"""


def lines(*tables: str) -> list[str]:
    return sorted({line.strip() for table in tables for line in table.strip().splitlines()})


@pytest.fixture
def stack(tmp_path: Path, cache: Path) -> Stack:
    return Stack(make_app(tmp_path / "cdk.out"), "Shop")


Define = Callable[[Stack, str], object]


def layer(**props: Any) -> Define:
    return lambda stack, project: LambdaLayerArtifact(
        stack, "Deps", project=project, layer_name="deps", **props
    )


def source(**props: Any) -> Define:
    return lambda stack, project: LambdaSourceArtifact(stack, "Code", project=project, prefix="code", **props)


def encrypted(stack: Stack, _: str) -> None:
    ArtifactPublisher(stack, encryption_key=kms.Key(stack, "Key"))


DESTROY: dict[str, Any] = {"removal_policy": RemovalPolicy.DESTROY}


@pytest.mark.parametrize(
    ("made", "allowed"),
    [
        pytest.param([layer()], lines(LAYER), id="a layer"),
        pytest.param([source()], lines(SOURCE), id="a source"),
        pytest.param([layer(), source()], lines(LAYER, SOURCE), id="both"),
        pytest.param([layer(parameter_name="/deps")], lines(LAYER), id="a parameter: CloudFormation sets it"),
        pytest.param([layer(**DESTROY)], lines(LAYER, REMOVE_LAYER, EMPTY), id="a layer to be destroyed"),
        pytest.param([layer(keep_versions=3)], lines(LAYER, REMOVE_LAYER), id="versions to be pruned"),
        pytest.param([source(**DESTROY)], lines(SOURCE, REMOVE_SOURCE, EMPTY), id="a source to be destroyed"),
        pytest.param(
            [layer(**DESTROY), source()], lines(LAYER, REMOVE_LAYER, SOURCE), id="only one to be destroyed"
        ),
        pytest.param([encrypted, layer(), source()], lines(LAYER, SOURCE, KEY), id="a customer's key"),
        pytest.param(
            [encrypted, layer(**DESTROY)],
            lines(LAYER, REMOVE_LAYER, EMPTY, KEY),
            id="a key, to be destroyed",
        ),
    ],
)
def test_the_handler_may_do_exactly_this(
    made: list[Define], allowed: list[str], orders: Path, stack: Stack
) -> None:
    for define in made:
        define(stack, str(orders))
    assert handler_permissions(stack) == allowed


@pytest.mark.parametrize("destroy", [False, True])
def test_a_bucket_of_the_user_brings_its_key(orders: Path, stack: Stack, destroy: bool) -> None:
    key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:us-east-1:123456789012:key/ours")
    bucket = s3.Bucket.from_bucket_attributes(stack, "Ours", bucket_name="ours", encryption_key=key)
    layer(bucket=bucket, **(DESTROY if destroy else {}))(stack, str(orders))
    tables = [LAYER, REMOVE_LAYER, KEY] if destroy else [LAYER, KEY]
    named = {"{bucket}": "arn:aws:s3:::ours", "{key}": "arn:aws:kms:us-east-1:123456789012:key/ours"}
    assert handler_permissions(stack) == lines(
        *(re.sub(r"\{bucket\}|\{key\}", lambda found: named[found[0]], table) for table in tables)
    )


def test_a_removal_keeps_its_key_when_the_layer_has_left_the_template(orders: Path, stack: Stack) -> None:
    """Its own policy outlives it: the role's knows the key no longer by then."""
    encrypted(stack, "")
    layer(**DESTROY)(stack, str(orders))
    (removal,) = (
        policy["Properties"]["PolicyDocument"]
        for name, policy in resources(stack, "AWS::IAM::Policy").items()
        if "Removal" in name
    )
    assert "kms:Decrypt {key}" in statements_as_lines(stack, removal)


class EncryptedAssets(DefaultStackSynthesizer):
    """The assets lie below a prefix of a bucket with a customer's key, and the synthesizer tells it."""

    def add_file_asset(self, asset: Any) -> FileAssetLocation:  # type: ignore[override]  # as jsii calls it
        key = f"team/{asset.source_hash}.zip"
        return FileAssetLocation(
            bucket_name="company-assets",
            object_key=key,
            http_url=f"https://s3.us-east-1.amazonaws.com/company-assets/{key}",
            s3_object_url=f"s3://company-assets/{key}",
            kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/assets",
        )


def test_assets_are_read_below_their_prefix_and_with_the_key_that_the_synthesizer_tells(
    orders: Path, tmp_path: Path, cache: Path
) -> None:
    synthesizer: Any = EncryptedAssets()
    stack = Stack(make_app(tmp_path / "cdk.out"), "Shop", synthesizer=synthesizer)
    source()(stack, str(orders))
    assert handler_permissions(stack) == lines(
        SOURCE.replace("{assets}", "company-assets/team"),
        "kms:Decrypt arn:aws:kms:us-east-1:123456789012:key/assets",
    )


def test_a_key_that_cdk_does_not_know_can_be_granted(orders: Path, stack: Stack) -> None:
    """That of ``cdk bootstrap --bootstrap-kms-key-id``."""
    arn = "arn:aws:kms:us-east-1:123456789012:key/bootstrap"
    source()(stack, str(orders))
    kms.Key.from_key_arn(stack, "Bootstrap", arn).grant_decrypt(ArtifactPublisher.of(stack).role)
    assert handler_permissions(stack) == lines(SOURCE, f"kms:Decrypt {arn}")


def test_assets_whose_keys_are_known_at_deployment_only_are_read_from_the_whole_bucket(
    orders: Path, tmp_path: Path, cache: Path
) -> None:
    stack = Stack(make_app(tmp_path / "cdk.out"), "Shop", synthesizer=LegacyStackSynthesizer())
    source()(stack, str(orders))
    (statement,) = (
        each
        for policy in resources(stack, "AWS::IAM::Policy").values()
        for each in policy["Properties"]["PolicyDocument"]["Statement"]
        if "AssetParameters" in str(each)
    )
    assert statement["Action"] == "s3:GetObject"
    assert statement["Resource"]["Fn::Join"][1][-1] == "/*"


def test_the_bucket_refuses_who_does_not_use_tls(orders: Path, stack: Stack) -> None:
    source()(stack, str(orders))
    (statement,) = properties(stack, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    (bucket,) = resources(stack, "AWS::S3::Bucket")
    arn = {"Fn::GetAtt": [bucket, "Arn"]}
    assert statement == {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [arn, {"Fn::Join": ["", [arn, "/*"]]}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_the_bucket_forgets_only_what_was_overwritten(orders: Path, stack: Stack) -> None:
    source()(stack, str(orders))
    declared = properties(stack, "AWS::S3::Bucket")
    assert declared["LifecycleConfiguration"] == {
        "Rules": [{"NoncurrentVersionExpiration": {"NoncurrentDays": 30}, "Status": "Enabled"}]
    }
    assert declared["VersioningConfiguration"] == {"Status": "Enabled"}


def test_a_key_encrypts_the_bucket_and_the_log(orders: Path, stack: Stack) -> None:
    encrypted(stack, "")
    source()(stack, str(orders))
    (key,) = resources(stack, "AWS::KMS::Key")
    arn = {"Fn::GetAtt": [key, "Arn"]}
    (rule,) = properties(stack, "AWS::S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn},
    }
    assert properties(stack, "AWS::Logs::LogGroup")["KmsKeyId"] == arn
    _, for_logs = properties(stack, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert for_logs.pop("Principal") == {
        "Service": {
            "Fn::Join": ["", ["logs.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}]],
        }
    }
    of_our_logs = (
        "if ArnLike kms:EncryptionContext:aws:logs:arn arn:aws:logs:us-east-1:123456789012:log-group:*"
    )
    assert statements_as_lines(stack, {"Statement": [for_logs]}) == [
        f"kms:{action} * {of_our_logs}"
        for action in ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey*", "ReEncrypt*")
    ]
