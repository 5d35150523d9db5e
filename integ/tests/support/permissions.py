"""What a role may do: the local AWS lets everybody do everything, so calls are checked afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from integ.local_aws import Call

#: A role's inline policies by name, each with its statements.
Policies = dict[str, list[dict[str, Any]]]


def policies_of(iam: Any, role: str) -> Policies:
    """A role's policies as they are now; it has inline ones only."""
    assert not iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
        for name in names
    }


def refused(
    calls: Iterable[Call], caller: str, policies: Policies, layer_arn: str, keys: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Actions and resources that the calls of a function needed when no policy of its role allowed them.

    :param calls: all calls in their order; those that change a policy count from then on
    :param caller: how the names of function and role begin
    :param policies: the role's policies before
    :param keys: ARNs of the customer keys that buckets are encrypted with, by bucket
    """
    policies = dict(policies)
    found = []
    for call in calls:
        if call.operation in ("PutRolePolicy", "DeleteRolePolicy"):
            if call.parameters["RoleName"].startswith(caller):
                document = json.loads(call.parameters.get("PolicyDocument", '{"Statement": []}'))
                policies[call.parameters["PolicyName"]] = document["Statement"]
        elif call.caller.startswith(f"function:{caller}"):
            allowed = [statement for policy in policies.values() for statement in policy]
            found += [
                (action, resource)
                for action, resource, prefix in (*_needs(call, layer_arn), *_needs_of_keys(call, keys))
                if not any(_allows(statement, action, resource, prefix) for statement in allowed)
            ]
    return found


def _needs(call: Call, layer_arn: str) -> Iterator[tuple[str, str, str | None]]:
    """Action, resource and ``s3:prefix`` of a call ("Actions, resources, and condition keys")."""
    given = call.parameters
    bucket = f"arn:aws:s3:::{given.get('Bucket')}"
    item = f"{bucket}/{given.get('Key')}"
    versioned = "Version" if given.get("versionId") else ""  # S3's calls have the names of the wire
    match call.operation:
        case "HeadObject" | "GetObject":
            yield f"s3:GetObject{versioned}", item, None
            if (call.operation, call.status) == (
                "HeadObject",
                404,
            ):  # the local AWS always says so, S3 only to who may list the bucket
                yield "s3:ListBucket", bucket, None
        case "PutObject":
            yield "s3:PutObject", item, None
        case "CopyObject":
            yield "s3:GetObject", f"arn:aws:s3:::{unquote(given['X-Amz-Copy-Source']).lstrip('/')}", None
            yield "s3:PutObject", item, None
        case "GetBucketEncryption":
            yield "s3:GetEncryptionConfiguration", bucket, None
        case "DeleteObject":
            yield f"s3:DeleteObject{versioned}", item, None
        case "ListObjectVersions":
            yield "s3:ListBucketVersions", bucket, given["prefix"]
        case "GetLayerVersion":
            arn = f"{layer_arn}{given['LayerName']}:{given['VersionNumber']}"
            yield "lambda:GetLayerVersion", arn, None
        case "ListLayerVersions":
            yield "lambda:ListLayerVersions", layer_arn + given["LayerName"], None
        case "PublishLayerVersion":
            content = given["Content"]
            zip_arn = f"arn:aws:s3:::{content['S3Bucket']}/{content['S3Key']}"
            pinned = "Version" if content.get("S3ObjectVersion") else ""
            yield "lambda:PublishLayerVersion", layer_arn + given["LayerName"], None
            # Lambda reads the zip on behalf of whoever publishes it.
            yield f"s3:GetObject{pinned}", zip_arn, None
        case "DeleteLayerVersion":
            arn = f"{layer_arn}{given['LayerName']}:{given['VersionNumber']}"
            yield "lambda:DeleteLayerVersion", arn, None
        case operation:
            yield f"an action that this test does not know: {operation}", item, None


def _needs_of_keys(call: Call, keys: Mapping[str, str]) -> Iterator[tuple[str, str, None]]:
    """What S3 asks of a key for its caller ("Using server-side encryption with AWS KMS keys")."""
    given = call.parameters
    uses: list[tuple[str, str]] = []
    match call.operation:
        case "HeadObject" | "GetObject":
            uses = [("kms:Decrypt", given["Bucket"])]
        case "PutObject":
            uses = [("kms:GenerateDataKey", given["Bucket"])]
        case "CopyObject":
            source = unquote(given["X-Amz-Copy-Source"]).lstrip("/").split("/")[0]
            uses = [("kms:Decrypt", source), ("kms:GenerateDataKey", given["Bucket"])]
        case "PublishLayerVersion":
            uses = [("kms:Decrypt", given["Content"]["S3Bucket"])]
    for action, bucket in uses:
        if bucket in keys:
            yield action, keys[bucket], None


def _allows(statement: dict[str, Any], action: str, resource: str, prefix: str | None) -> bool:
    conditions = dict(statement.get("Condition", {}))
    prefixes = conditions.pop("StringLike", {}).get("s3:prefix")
    assert not conditions, "this test does not know the condition"
    return (
        statement["Effect"] == "Allow"
        and action in _listed(statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in _listed(statement["Resource"]))
        and (prefixes is None or any(fnmatchcase(prefix or "", pattern) for pattern in _listed(prefixes)))
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
