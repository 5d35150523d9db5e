"""IAM allows 10,240 characters in all inline policies of a role: a hundred artifacts of any policy fit.

"IAM and AWS STS quotas": whitespace does not count. What a deployment puts in the place of a token is counted
at its longest. A changed policy for deletions exists twice until the former one is deleted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from lbdart_cdk import ArtifactPublisher, LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.constructs.name_patterns import covering
from tests.support.apps import make_app, resources
from tests.support.permissions import handler_permissions

LIMIT = 10_240
#: The longest that a deployment makes of these.
LONGEST = {
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-2",
    "AWS::AccountId": "1" * 12,
    "AWS::URLSuffix": "amazonaws.com.cn",
}
ARN = "arn:aws-us-gov:s3:::" + "b" * 63


def characters(value: Any) -> str:
    """Return a value of a template as IAM counts it."""
    match value:
        case {"Fn::Join": [delimiter, parts]}:
            return str(delimiter).join(map(characters, parts))
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]*)\}", lambda found: LONGEST.get(found[1], ARN), text)
        case {"Ref": name} | {"Fn::GetAtt": [name, _]}:
            return LONGEST.get(name, ARN)
        case dict():
            return "{" + ",".join(f'"{name}":{_quoted(each)}' for name, each in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_quoted, value)) + "]"
        case _:
            return str(value)


def _quoted(value: Any) -> str:
    text = characters(value)
    is_text = isinstance(value, str) or (isinstance(value, dict) and not text.startswith("{"))
    return f'"{text}"' if is_text else text


def inline(stack: Stack) -> int:
    """Return the characters of all inline policies of the handler's role, while one replaces another."""
    total = 0
    for name, policy in resources(stack, "AWS::IAM::Policy").items():
        size = len(characters(policy["Properties"]["PolicyDocument"]))
        total += 2 * size if "Removal" in name else size
    return total


@pytest.fixture
def stack(tmp_path: Path, cache: Path) -> Stack:
    return Stack(make_app(tmp_path / "cdk.out", bundling=False), "Shop")


DESTROY = RemovalPolicy.DESTROY
Props = Callable[[int, Stack], dict[str, Any]]


def several_buckets(number: int, stack: Stack) -> dict[str, Any]:
    name = f"company-artifacts-{number % 6}"
    found = stack.node.try_find_child(name)
    if found is None:
        key = kms.Key.from_key_arn(stack, f"{name}-key", f"arn:aws:kms:us-east-1:1:key/{'0' * 36}{name}")
        found = s3.Bucket.from_bucket_attributes(stack, name, bucket_name=name, encryption_key=key)
    return {"bucket": found, "removal_policy": DESTROY}


KINDS: dict[str, Props] = {
    "keep_versions": lambda *_: {"keep_versions": 3},
    "DESTROY": lambda *_: {"removal_policy": DESTROY},
    "RETAIN": lambda *_: {},
    "several buckets": several_buckets,
    "long names": lambda number, _: {"layer_name": f"{number:03}{'n' * 137}", "keep_versions": 1},
    "names without a common beginning": lambda number, _: {
        "layer_name": f"{(ascii_letters + digits)[number % 62]}-{number}",
        "keep_versions": 1,
    },
}


def layers(stack: Stack, project: Path, count: int, props: Props) -> None:
    for number in range(count):
        LambdaLayerArtifact(stack, f"Deps{number}", project=str(project), **props(number, stack))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ["made by CDK", "imported"])
def test_a_hundred_layers_fit(orders: Path, stack: Stack, kind: str, role: str) -> None:
    if role == "imported":
        arn = "arn:aws:iam::123456789012:role/ours"
        ArtifactPublisher(stack, role=iam.Role.from_role_arn(stack, "Ours", arn))
    layers(stack, orders, 100, KINDS[kind])
    assert 0 < inline(stack) <= LIMIT
    assert not resources(stack, "AWS::IAM::ManagedPolicy")


def test_a_hundred_layers_and_as_many_sources_fit(orders: Path, stack: Stack) -> None:
    ArtifactPublisher(stack, encryption_key=kms.Key(stack, "Key"))
    layers(stack, orders, 100, KINDS["DESTROY"])
    for number in range(100):
        LambdaSourceArtifact(
            stack, f"Code{number}", project=str(orders), prefix=f"team{number}/code", removal_policy=DESTROY
        )
    assert inline(stack) <= LIMIT


def test_few_are_named_and_many_are_known_by_their_beginnings(
    orders: Path, stack: Stack, tmp_path: Path
) -> None:
    few = Stack(make_app(tmp_path / "few", bundling=False), "Shop")
    layers(few, orders, 5, KINDS["keep_versions"])
    layers(stack, orders, 100, KINDS["keep_versions"])
    for each, wildcards in ((few, 0), (stack, 1)):
        allowed = handler_permissions(each)
        deletable = [line for line in allowed if line.startswith("lambda:DeleteLayerVersion")]
        assert {line.count("*") - 1 for line in deletable} == {wildcards}
        assert all(":layer:Shop-Deps" in line for line in deletable)


def test_every_artifact_is_still_allowed_to_do_what_it_needs(orders: Path, stack: Stack) -> None:
    layers(stack, orders, 100, KINDS["keep_versions"])
    allowed = [line.split(" ") for line in handler_permissions(stack)]
    layer = "arn:aws:lambda:us-east-1:123456789012:layer"
    for declared in resources(stack, "Custom::LbdartLayer").values():
        name = declared["Properties"]["LayerName"]
        needed = [
            ("lambda:PublishLayerVersion", f"{layer}:{name}"),
            ("lambda:ListLayerVersions", f"{layer}:{name}"),
            ("lambda:DeleteLayerVersion", f"{layer}:{name}:1"),
            ("s3:PutObject", f"{{bucket}}/{name}/layer/layer.zip"),
            ("s3:DeleteObject", f"{{bucket}}/{name}/layer/000001/uv.lock"),
        ]
        for action, resource in needed:
            assert any(each[0] == action and fnmatchcase(resource, each[1]) for each in allowed), resource


def test_what_is_deleted_waits_for_the_policy_that_allows_it(orders: Path, stack: Stack) -> None:
    """So the policy outlives it, when both leave the template."""
    layers(stack, orders, 30, KINDS["DESTROY"])
    (removal,) = (name for name in resources(stack, "AWS::IAM::Policy") if "Removal" in name)
    for declared in resources(stack, "Custom::LbdartLayer").values():
        assert removal in declared["DependsOn"]


def test_other_names_make_another_policy_beside_the_former_one(orders: Path, tmp_path: Path) -> None:
    names: list[str] = []
    for count in (2, 2, 3):
        stack = Stack(make_app(tmp_path / f"out{len(names)}", bundling=False), "Shop")
        layers(stack, orders, count, KINDS["DESTROY"])
        names += [name for name in resources(stack, "AWS::IAM::Policy") if "Removal" in name]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("room", range(0, 400, 7))
def test_patterns_match_all_names_in_the_room_that_there_is(room: int) -> None:
    names = ["Shop-Deps-1", "Shop-Deps-2", "Shop-More", "a", "a-b", "${Token[X.1]}-deps", "Z${Token[X.2]}"]
    patterns = covering(names, room)
    assert all(any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns) for name in names)
    assert patterns == ["*"] or len("".join(patterns)) <= room
    assert json.dumps(patterns).count("${Token[") == json.dumps(patterns).count("]}")
