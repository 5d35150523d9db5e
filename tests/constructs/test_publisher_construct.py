"""What all artifacts of a stack share: one handler, one bucket, a role that may do exactly its work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsii
import pytest
from aws_cdk import Aspects, IAspect, RemovalPolicy, Stack
from aws_cdk.assertions import Template
from constructs import Construct, IConstruct

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
from tests.support.apps import make_app, properties, resources, template_of
from tests.support.wheels import names_in


@pytest.fixture
def outdir(tmp_path: Path, cache: Path) -> Path:
    return tmp_path / "cdk.out"


@pytest.fixture
def stack(outdir: Path) -> Stack:
    return Stack(make_app(outdir), "Shop")


def actions_of(stack: Stack) -> dict[str, list[dict[str, Any]]]:
    """Return the statements of the handler's policies by action."""
    found: dict[str, list[dict[str, Any]]] = {}
    policies = resources(stack, "AWS::IAM::Policy").values()
    for statement in (
        one for policy in policies for one in policy["Properties"]["PolicyDocument"]["Statement"]
    ):
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            found.setdefault(action, []).append(statement)
    return found


def test_a_stack_has_one_handler_and_one_bucket(orders: Path, stack: Stack) -> None:
    LambdaLayerArtifact(stack, "Deps", project=str(orders))
    LambdaLayerArtifact(stack, "More", project=str(orders), extras=["fast"])
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    template = template_of(stack)
    template.resource_count_is("Custom::LbdartLayer", 2)
    for type_name in ("AWS::Lambda::Function", "AWS::S3::Bucket", "AWS::IAM::Role", "AWS::Logs::LogGroup"):
        template.resource_count_is(type_name, 1)


def test_the_bucket_is_versioned_encrypted_private_and_retained(orders: Path, stack: Stack) -> None:
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    (bucket,) = resources(stack, "AWS::S3::Bucket").values()
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    declared = bucket["Properties"]
    assert declared["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(declared["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketEncryption" in declared
    template_of(stack).has_resource_properties("AWS::S3::BucketPolicy", {"PolicyDocument": tls_only(stack)})


def tls_only(stack: Stack) -> dict[str, Any]:
    policy = properties(stack, "AWS::S3::BucketPolicy")["PolicyDocument"]
    (statement,) = policy["Statement"]
    assert (statement["Effect"], statement["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )
    return dict(policy)


def test_the_handler_waits_long_enough_and_no_longer(orders: Path, stack: Stack) -> None:
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    declared = properties(stack, "AWS::Lambda::Function")
    assert (declared["Handler"], declared["Timeout"]) == ("runtime.handler.handle", 300)
    service_timeout = int(properties(stack, "Custom::LbdartSource")["ServiceTimeout"])
    # Lambda runs a handler that crashed three times in all, with pauses of one minute and two.
    assert 3 * declared["Timeout"] + 180 <= service_timeout <= 3600
    assert "Environment" not in declared


def test_the_role_may_keep_and_publish_below_its_own_names_only(orders: Path, stack: Stack) -> None:
    LambdaLayerArtifact(stack, "Deps", project=str(orders), layer_name="deps", prefix="team")
    LambdaSourceArtifact(stack, "Code", project=str(orders), prefix="team")
    actions = actions_of(stack)
    assert set(actions) == {
        "logs:CreateLogStream", "logs:PutLogEvents",
        "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject",
        "lambda:PublishLayerVersion", "lambda:ListLayerVersions",
    }  # fmt: skip
    for statement in actions["s3:PutObject"]:
        for resource in as_list(statement["Resource"]):
            assert text_of(resource).endswith(("/team/layer/*", "/team/source/*"))
    assert text_of(actions["lambda:PublishLayerVersion"][0]["Resource"]).endswith(":layer:deps")
    assert "*" not in [
        resource for one in actions.values() for s in one for resource in as_list(s["Resource"])
    ]


def test_what_deletes_is_allowed_only_where_the_user_chose_so(orders: Path, stack: Stack) -> None:
    LambdaLayerArtifact(
        stack, "Deps", project=str(orders), prefix="deps", removal_policy=RemovalPolicy.DESTROY
    )
    LambdaSourceArtifact(stack, "Code", project=str(orders), prefix="code")
    actions = actions_of(stack)
    (deletion,) = actions["lambda:DeleteLayerVersion"]
    assert text_of(deletion["Resource"]).endswith(":*")
    (listing,) = actions["s3:ListBucketVersions"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["deps/layer/*"]}}
    for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"):
        for statement in actions[action]:
            assert all(text_of(one).endswith("/deps/layer/*") for one in as_list(statement["Resource"]))


def test_the_resources_wait_for_the_handlers_permissions(orders: Path, stack: Stack) -> None:
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    (policy,) = resources(stack, "AWS::IAM::Policy")
    ((name, function),) = resources(stack, "AWS::Lambda::Function").items()
    (source,) = resources(stack, "Custom::LbdartSource").values()
    assert source["Properties"]["ServiceToken"] == {"Fn::GetAtt": [name, "Arn"]}
    assert policy in function["DependsOn"]


def test_statements_name_each_resource_once(orders: Path, stack: Stack) -> None:
    for number in range(3):
        LambdaLayerArtifact(stack, f"Deps{number}", project=str(orders), prefix=f"deps{number}")
    for action, statements in actions_of(stack).items():
        named = [
            json.dumps(one, sort_keys=True)
            for statement in statements
            for one in (
                statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            )
            if "Logs" not in json.dumps(one)
        ]
        assert len(named) == len(set(named)), action
    assert len(actions_of(stack)["lambda:PublishLayerVersion"]) == 1


@jsii.implements(IAspect)
class AddsALayer:
    def __init__(self, stack: Stack, project: Path) -> None:
        self.stack, self.project = stack, project

    def visit(self, node: IConstruct) -> None:
        if node.node.id == "Last":
            LambdaLayerArtifact(self.stack, "More", project=str(self.project), prefix="second")


def test_an_artifact_that_an_aspect_adds_gets_its_permissions_too(orders: Path, stack: Stack) -> None:
    LambdaLayerArtifact(stack, "Deps", project=str(orders), prefix="first")
    Construct(stack, "Last")
    Aspects.of(stack).add(AddsALayer(stack, orders))
    (statement,) = (one for one in actions_of(stack)["s3:PutObject"] if "second" in json.dumps(one))
    assert "first" not in json.dumps(statement)


def test_the_handler_is_packed_with_what_it_imports(orders: Path, stack: Stack, outdir: Path) -> None:
    LambdaSourceArtifact(stack, "Code", project=str(orders))
    template = Template.from_stack(stack)
    (function,) = template.find_resources("AWS::Lambda::Function").values()
    packed = outdir / f"asset.{function['Properties']['Code']['S3Key']}"
    names = names_in(packed)
    assert "runtime/handler.py" in names
    assert "lbdart_cdk/core/layer/publish.py" in names
    assert all(name.endswith(".py") for name in names)
    assert not [name for name in names if name.startswith("lbdart_cdk/") and name.count("/") == 1][1:]
    code = (
        f"import sys; sys.path.insert(0, {str(packed)!r}); import runtime.handler as handler; "
        "print(handler.__file__, *sys.modules)"
    )
    file, *modules = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert file.startswith(str(packed))
    assert {"packaging", "requests", "tqdm", "platformdirs", "aws_cdk", "jsii"}.isdisjoint(modules)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text_of(arn: Any) -> str:
    """Return a joined ARN with its references as dots."""
    if isinstance(arn, str):
        return arn
    return "".join(part if isinstance(part, str) else "." for part in arn["Fn::Join"][1])
