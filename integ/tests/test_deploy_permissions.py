"""What the role of the custom resources' handler may do, to the letter: a new permission fails here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3

from integ.tests.support.deploying import ASSETS, Deployment, orders
from integ.tests.support.projects import Project

pytestmark = pytest.mark.e2e

READING = {("s3:GetObject", f"arn:aws:s3:::{ASSETS}/*")}


def kept_in_place(project: Path, policy: RemovalPolicy, **more: Any) -> Any:
    """The usual stack, with all names given."""

    def define(stack: Stack) -> None:
        place = {"bucket": s3.Bucket.from_bucket_name(stack, "Place", "place"), "removal_policy": policy}
        layer = {**place, "layer_name": "deps", "prefix": "team", **more}
        orders(project, layer=layer, source={**place, "prefix": "team"})(stack)

    return define


def permissions(stack: Deployment, define: Any) -> set[tuple[str, ...]]:
    """Each action with the resource and the prefix that it is allowed for."""
    assembly = stack.synth(define)
    (role,) = (
        name
        for name in assembly.resources(stack.name, "AWS::IAM::Role")
        if name.startswith("LbdartPublisher")
    )
    assert "ManagedPolicyArns" not in assembly.resources(stack.name, "AWS::IAM::Role")[role]
    found = set()
    for policy in assembly.resources(stack.name, "AWS::IAM::Policy").values():
        if {"Ref": role} not in policy["Roles"]:
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            prefixes = statement.pop("Condition", {}).get("StringLike", {}).get("s3:prefix", [])
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    found.add((action, text_of(resource), *listed(prefixes)))
    return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text_of(value: Any) -> str:
    """A text of a template; attributes of other resources are named by their logical ids."""
    if isinstance(value, str):
        return value
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(text_of(part) for part in parts)
        case {"Fn::Sub": text}:
            return (
                str(text).replace("${AWS::AccountId}", "123456789012").replace("${AWS::Region}", "us-east-1")
            )
        case {"Fn::GetAtt": [name, "Arn"]}:
            return f"arn of {name[: name.index('Logs') + 4]}"
        case {"Ref": name}:
            pseudo = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}
            return pseudo[name]
    raise AssertionError(value)


KEEPING = {
    *READING,
    ("logs:CreateLogStream", "arn of LbdartPublisherLogs"),
    ("logs:PutLogEvents", "arn of LbdartPublisherLogs"),
    ("s3:GetObject", "arn:aws:s3:::place/team/layer/*"),
    ("s3:GetObjectVersion", "arn:aws:s3:::place/team/layer/*"),
    ("s3:PutObject", "arn:aws:s3:::place/team/layer/*"),
    ("s3:GetObject", "arn:aws:s3:::place/team/source/*"),
    ("s3:GetObjectVersion", "arn:aws:s3:::place/team/source/*"),
    ("s3:PutObject", "arn:aws:s3:::place/team/source/*"),
    ("lambda:ListLayerVersions", "arn:aws:lambda:us-east-1:123456789012:layer:deps"),
    ("lambda:PublishLayerVersion", "arn:aws:lambda:us-east-1:123456789012:layer:deps"),
}
REMOVING = {
    ("s3:DeleteObject", "arn:aws:s3:::place/team/layer/*"),
    ("s3:DeleteObjectVersion", "arn:aws:s3:::place/team/layer/*"),
    ("s3:ListBucketVersions", "arn:aws:s3:::place", "team/layer/*"),
    ("s3:DeleteObject", "arn:aws:s3:::place/team/source/*"),
    ("s3:DeleteObjectVersion", "arn:aws:s3:::place/team/source/*"),
    ("s3:ListBucketVersions", "arn:aws:s3:::place", "team/source/*"),
    ("lambda:DeleteLayerVersion", "arn:aws:lambda:us-east-1:123456789012:layer:deps:*"),
}


def test_role_may_keep_and_publish(stack: Deployment, project: Project) -> None:
    assert permissions(stack, kept_in_place(project.root, RemovalPolicy.RETAIN)) == KEEPING


def test_role_may_prune_the_layer_whose_versions_are_counted(stack: Deployment, project: Project) -> None:
    define = kept_in_place(project.root, RemovalPolicy.RETAIN, keep_versions=3)
    assert permissions(stack, define) == KEEPING | {
        permission for permission in REMOVING if "source/" not in "".join(permission)
    }


def test_role_may_remove_what_is_to_be_destroyed(stack: Deployment, project: Project) -> None:
    assert permissions(stack, kept_in_place(project.root, RemovalPolicy.DESTROY)) == KEEPING | REMOVING
