"""The rules by which the local AWS deploys stacks."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from integ.local_aws import LocalAws
from integ.local_aws.cloudformation.custom_resource import NO_RESPONSE
from integ.tests.conftest import RUNTIME, zip_of

Template = dict[str, Any]

# A custom resource whose properties tell how it shall behave: Say is the Data, Id the physical id, Fail the
# request types that fail, Slow the seconds it takes. It prints every event.
HANDLER = """
import json, os, time, urllib.request

def handler(event, context):
    print("EVENT", json.dumps(event))
    properties = event["ResourceProperties"]
    time.sleep(float(properties.get("Slow", 0)))
    if event["RequestType"] in properties.get("Crash", []):
        os._exit(1)
    if event["RequestType"] in properties.get("Silent", []):
        return
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer["PhysicalResourceId"] = properties.get("Id", "physical")
    answer["Status"] = "FAILED" if event["RequestType"] in properties.get("Fail", []) else "SUCCESS"
    answer["Reason"] = "it was asked to fail" + "!" * int(properties.get("Padding", 0))
    answer["Data"] = {"Said": properties.get("Say", "nothing")}
    body = json.dumps(answer).encode()
    for _ in range(int(properties.get("Times", 1))):
        urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
"""

NOTHING = {"Resources": {"Nothing": {"Type": "AWS::CDK::Metadata"}}}


def with_handler(**custom: dict[str, Any]) -> Template:
    """A template with the handler's function, and custom resources of these properties."""
    trust = {"Version": "2012-10-17", "Statement": []}
    token = {"ServiceToken": {"Fn::GetAtt": ["Fn", "Arn"]}}
    resources: dict[str, Any] = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Fn": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"ZipFile": HANDLER},
                "Handler": "index.handler",
                "Runtime": RUNTIME,
                "Timeout": "30",
                "Role": {"Fn::GetAtt": "Role.Arn"},
            },
        },
    }
    for name, properties in custom.items():
        resources[name] = {"Type": "Custom::Thing", "Properties": {**token, **properties}}
    return {"Resources": resources}


def parameter(value: Any, **more: Any) -> Template:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **more}}


class Stack:
    """A stack under test."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        self.aws, self.name, self.client = aws, name, aws.client("cloudformation")
        self.id = name

    def create(self, template: Template, **more: Any) -> str:
        self.id = self.client.create_stack(StackName=self.name, TemplateBody=json.dumps(template), **more)[
            "StackId"
        ]
        return self.settled()

    def update(self, template: Template, **more: Any) -> str:
        self.client.update_stack(StackName=self.name, TemplateBody=json.dumps(template), **more)
        return self.settled()

    def delete(self, **more: Any) -> str:
        self.client.delete_stack(StackName=self.name, **more)
        return self.settled()

    def settled(self) -> str:
        deadline = time.monotonic() + 30
        while (status := self.describe()["StackStatus"]).endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline, status
            time.sleep(0.02)
        return str(status)

    def describe(self) -> dict[str, Any]:
        return dict(self.client.describe_stacks(StackName=self.id)["Stacks"][0])

    def outputs(self) -> dict[str, str]:
        return {row["OutputKey"]: row["OutputValue"] for row in self.describe().get("Outputs", [])}

    def physical(self, logical: str) -> str:
        rows = self.client.describe_stack_resources(StackName=self.id, LogicalResourceId=logical)
        return str(rows["StackResources"][0]["PhysicalResourceId"])

    def events(self) -> list[tuple[str, str]]:
        rows = self.client.describe_stack_events(StackName=self.id)["StackEvents"]
        return [(row["LogicalResourceId"], row["ResourceStatus"]) for row in reversed(rows)]

    def reasons(self) -> str:
        rows = self.client.describe_stack_events(StackName=self.id)["StackEvents"]
        return "\n".join(row.get("ResourceStatusReason", "") for row in rows)

    def requests(self, function: str) -> list[dict[str, Any]]:
        lines = self.aws.logs(function).splitlines()
        return [json.loads(line.removeprefix("EVENT ")) for line in lines if line.startswith("EVENT ")]


@pytest.fixture
def stack(aws: LocalAws, name: str) -> Stack:
    return Stack(aws, name)


@pytest.fixture
def other(aws: LocalAws, name: str) -> Stack:
    return Stack(aws, f"{name}-other")


# Custom resources


def test_custom_resource_lives_through_create_update_delete(stack: Stack) -> None:
    template = with_handler(Thing={"Say": "one", "Number": 3, "Flag": True, "List": [1, {"Deep": False}]})
    template["Outputs"] = {
        "Said": {"Value": {"Fn::Sub": "-${Thing.Said}-"}},
        "Id": {"Value": {"Ref": "Thing"}},
    }
    assert stack.create(template) == "CREATE_COMPLETE"
    assert stack.outputs() == {"Said": "-one-", "Id": "physical"}
    function = stack.physical("Fn")
    template["Resources"]["Thing"]["Properties"]["Say"] = "two"
    assert stack.update(template) == "UPDATE_COMPLETE"
    assert stack.outputs()["Said"] == "-two-"
    assert stack.delete() == "DELETE_COMPLETE"
    create, update, delete = stack.requests(function)
    assert create["RequestType"] == "Create"
    assert create["ResourceType"] == "Custom::Thing"
    assert create["LogicalResourceId"] == "Thing"
    assert create["StackId"] == stack.id
    assert "PhysicalResourceId" not in create
    scalars = {key: create["ResourceProperties"][key] for key in ("Number", "Flag", "List")}
    assert scalars == {"Number": "3", "Flag": "true", "List": ["1", {"Deep": "false"}]}
    assert update["RequestType"] == "Update"
    assert update["PhysicalResourceId"] == "physical"
    assert update["ResourceProperties"]["Say"] == "two"
    assert update["OldResourceProperties"]["Say"] == "one"
    assert delete["RequestType"] == "Delete"
    assert delete["ResourceProperties"]["Say"] == "two"


def test_unchanged_custom_resource_gets_no_event(stack: Stack) -> None:
    template = with_handler(Thing={})
    stack.create(template)
    template["Resources"]["Parameter"] = parameter("new")
    assert stack.update(template) == "UPDATE_COMPLETE"
    assert [request["RequestType"] for request in stack.requests(stack.physical("Fn"))] == ["Create"]


def test_changed_physical_id_deletes_the_old_one_in_the_clean_up(stack: Stack) -> None:
    stack.create(with_handler(Thing={"Id": "old"}))
    template = with_handler(Thing={"Id": "new"})
    template["Resources"]["After"] = parameter({"Ref": "Thing"})
    assert stack.update(template) == "UPDATE_COMPLETE"
    requests = stack.requests(stack.physical("Fn"))
    assert [(r["RequestType"], r.get("PhysicalResourceId")) for r in requests] == [
        ("Create", None),
        ("Update", "old"),
        ("Delete", "old"),
    ]
    assert requests[2]["ResourceProperties"]["Id"] == "old"
    events = stack.events()
    clean_up = events.index((stack.name, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    assert events.index(("After", "CREATE_COMPLETE")) < clean_up < events.index(("Thing", "DELETE_COMPLETE"))
    assert stack.physical("Thing") == "new"


def test_failed_update_rolls_back_with_the_old_properties(stack: Stack) -> None:
    template = with_handler(Thing={"Say": "one"}, Later={"Say": {"Fn::GetAtt": ["Thing", "Said"]}})
    template["Outputs"] = {"Said": {"Value": {"Fn::GetAtt": ["Thing", "Said"]}}}
    stack.create(template)
    changed = with_handler(
        Thing={"Say": "two"},
        Later={"Say": {"Fn::GetAtt": ["Thing", "Said"]}, "Fail": ["Update"]},
        New={"Id": "new"},
    )
    changed["Resources"]["New"]["DependsOn"] = "Thing"
    changed["Resources"]["Later"]["DependsOn"] = ["New"]
    assert stack.update(changed) == "UPDATE_ROLLBACK_COMPLETE"
    assert "it was asked to fail" in stack.reasons()
    assert stack.outputs() == {"Said": "one"}
    requests = stack.requests(stack.physical("Fn"))[2:]
    assert [(r["LogicalResourceId"], r["RequestType"]) for r in requests] == [
        ("Thing", "Update"),
        ("New", "Create"),
        ("Later", "Update"),
        ("Thing", "Update"),
        ("Later", "Update"),
        ("New", "Delete"),
    ]
    back = requests[3]
    assert (back["ResourceProperties"]["Say"], back["OldResourceProperties"]["Say"]) == ("one", "two")
    assert requests[4]["OldResourceProperties"]["Fail"] == ["Update"]
    resources = stack.client.list_stack_resources(StackName=stack.name)["StackResourceSummaries"]
    assert {row["LogicalResourceId"] for row in resources} == {"Role", "Fn", "Thing", "Later"}


def test_rollback_of_a_changed_physical_id_deletes_the_new_one(stack: Stack) -> None:
    stack.create(with_handler(Thing={"Id": "old"}))
    changed = with_handler(Thing={"Id": "new"}, Broken={"Fail": ["Create"], "Id": "broken"})
    changed["Resources"]["Broken"]["DependsOn"] = "Thing"
    assert stack.update(changed) == "UPDATE_ROLLBACK_COMPLETE"
    requests = [r for r in stack.requests(stack.physical("Fn")) if r["LogicalResourceId"] == "Thing"]
    assert [(r["RequestType"], r.get("PhysicalResourceId")) for r in requests] == [
        ("Create", None),
        ("Update", "old"),
        ("Update", "new"),
        ("Delete", "new"),
    ]
    assert stack.physical("Thing") == "old"


def test_failed_create_leaves_nothing(stack: Stack, name: str) -> None:
    template = with_handler(Thing={"Fail": ["Create"], "Id": "half-made"})
    template["Resources"]["Bucket"] = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
    template["Resources"]["Thing"]["DependsOn"] = "Bucket"
    assert stack.create(template) == "ROLLBACK_COMPLETE"
    assert "Received response status [FAILED] from custom resource" in stack.reasons()
    assert "it was asked to fail" in stack.reasons()
    assert name not in [bucket["Name"] for bucket in stack.aws.client("s3").list_buckets()["Buckets"]]
    functions = stack.aws.client("lambda").list_functions()["Functions"]
    assert not [function for function in functions if function["FunctionName"].startswith(f"{name}-")]
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        stack.update(template)


def test_failed_create_gets_a_delete_with_its_physical_id(stack: Stack) -> None:
    stack.create(with_handler())
    function = stack.physical("Fn")
    assert stack.update(with_handler(Thing={"Fail": ["Create"], "Id": "half"})) == "UPDATE_ROLLBACK_COMPLETE"
    create, delete = stack.requests(function)
    assert (create["RequestType"], delete["RequestType"]) == ("Create", "Delete")
    assert delete["PhysicalResourceId"] == "half"


@pytest.mark.parametrize("kind", ["Silent", "Crash"])
def test_no_response_is_a_failure_and_delete_follows(stack: Stack, kind: str) -> None:
    stack.create(with_handler())
    function = stack.physical("Fn")
    # Who crashes is not waited for, but tried again, which takes as long as processes take to start.
    template = with_handler(Thing={kind: ["Create"], **({"ServiceTimeout": 1} if kind == "Silent" else {})})
    assert stack.update(template) == "UPDATE_ROLLBACK_COMPLETE"
    assert NO_RESPONSE.split("{")[0] in stack.reasons()
    *creates, delete = stack.requests(function)
    assert len(creates) == (3 if kind == "Crash" else 1)
    assert delete["PhysicalResourceId"].startswith(f"{stack.name}-Thing-")


def test_answer_over_the_limit_is_a_failure(stack: Stack) -> None:
    assert stack.create(with_handler(Thing={"Padding": 4096})) == "ROLLBACK_FAILED"
    assert "Response object is too long." in stack.reasons()


def test_second_answer_and_late_answers_are_ignored(stack: Stack) -> None:
    assert stack.create(with_handler(Thing={"Times": 3})) == "CREATE_COMPLETE"
    late = with_handler(Thing={"Times": 1}, Late={"Slow": 2, "ServiceTimeout": 1})
    assert stack.update(late) == "UPDATE_ROLLBACK_COMPLETE"
    time.sleep(1.5)
    assert stack.describe()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_attribute_that_was_not_answered_is_a_failure(stack: Stack) -> None:
    template = with_handler(Thing={})
    template["Resources"]["Parameter"] = parameter({"Fn::GetAtt": ["Thing", "Unsaid"]})
    assert stack.create(template) == "ROLLBACK_COMPLETE"
    assert "Vendor response doesn't contain Unsaid attribute" in stack.reasons()


def test_service_token_stays(stack: Stack) -> None:
    template = with_handler(Thing={})
    stack.create(template)
    template["Resources"]["Fn2"] = template["Resources"]["Fn"]
    template["Resources"]["Thing"]["Properties"]["ServiceToken"] = {"Fn::GetAtt": ["Fn2", "Arn"]}
    assert stack.update(template) == "UPDATE_ROLLBACK_FAILED"
    assert "Modifying service token is not allowed." in stack.reasons()


# Updates


def test_update_without_a_change_is_refused(stack: Stack) -> None:
    stack.create(NOTHING)
    with pytest.raises(ClientError, match=r"No updates are to be performed\."):
        stack.update(NOTHING)


def test_new_name_replaces_after_everything_else(stack: Stack, name: str) -> None:
    stack.create({"Resources": {"P": parameter("1", Name=f"/{name}/old")}})
    template = {"Resources": {"P": parameter("1", Name=f"/{name}/new"), "Q": parameter({"Ref": "P"})}}
    assert stack.update(template) == "UPDATE_COMPLETE"
    events = stack.events()
    assert events.index(("Q", "CREATE_COMPLETE")) < events.index(("P", "DELETE_IN_PROGRESS"))
    assert stack.physical("P") == f"/{name}/new"
    found = stack.aws.client("ssm").get_parameters(Names=[f"/{name}/old", f"/{name}/new"])
    assert found["InvalidParameters"] == [f"/{name}/old"]


def test_failed_replacement_keeps_the_old_one(stack: Stack, name: str) -> None:
    stack.create({"Resources": {"P": parameter("1", Name=f"/{name}/old")}})
    broken = {"Type": "AWS::No::Such", "DependsOn": "P"}
    template = {"Resources": {"P": parameter("1", Name=f"/{name}/new"), "Broken": broken}}
    assert stack.update(template) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.physical("P") == f"/{name}/old"
    found = stack.aws.client("ssm").get_parameters(Names=[f"/{name}/old", f"/{name}/new"])
    assert found["InvalidParameters"] == [f"/{name}/new"]


def test_retained_resources_outlive_their_stack(stack: Stack, name: str) -> None:
    kept = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}, "DeletionPolicy": "Retain"}
    stack.create({"Resources": {"Kept": kept, **NOTHING["Resources"]}})
    assert stack.delete() == "DELETE_COMPLETE"
    assert ("Kept", "DELETE_SKIPPED") in stack.events()
    assert name in [bucket["Name"] for bucket in stack.aws.client("s3").list_buckets()["Buckets"]]


def test_replaced_resource_is_retained_by_its_own_policy(stack: Stack, name: str) -> None:
    kept = {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Retain"}
    stack.create({"Resources": {"P": {**parameter("1", Name=f"/{name}/old"), **kept}}})
    stack.update({"Resources": {"P": {**parameter("1", Name=f"/{name}/new"), **kept}}})
    found = stack.aws.client("ssm").get_parameters(Names=[f"/{name}/old", f"/{name}/new"])
    assert found["InvalidParameters"] == []


def test_bucket_that_is_not_empty_fails_the_deletion(stack: Stack, name: str) -> None:
    stack.create({"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}}})
    s3 = stack.aws.client("s3")
    s3.put_object(Bucket=name, Key="k", Body=b"")
    assert stack.delete() == "DELETE_FAILED"
    assert "not empty" in stack.reasons()
    s3.delete_object(Bucket=name, Key="k")
    assert stack.delete() == "DELETE_COMPLETE"


def test_unknown_type_fails_with_its_name(stack: Stack) -> None:
    assert stack.create({"Resources": {"X": {"Type": "AWS::No::Such"}}}) == "ROLLBACK_COMPLETE"
    assert "does not know the resource type AWS::No::Such" in stack.reasons()


def test_without_rollback_what_was_made_stays(stack: Stack) -> None:
    template = {"Resources": {"P": parameter("1"), "X": {"Type": "AWS::No::Such", "DependsOn": "P"}}}
    assert stack.create(template, DisableRollback=True) == "CREATE_FAILED"
    assert stack.physical("P")
    assert stack.update({"Resources": {"P": parameter("1")}}) == "UPDATE_COMPLETE"


# Functions and layers


def test_function_has_the_layer_of_its_stack_after_every_update(stack: Stack, name: str) -> None:
    s3, client = stack.aws.client("s3"), stack.aws.client("lambda")
    s3.create_bucket(Bucket=name)
    for text in ("one", "two"):
        s3.put_object(Bucket=name, Key=text, Body=zip_of(python__greeting=f"TEXT = '{text}'"))
    template = with_handler()
    properties = template["Resources"]["Fn"]["Properties"]
    properties |= {"Layers": [{"Ref": "Layer"}], "FunctionName": name}
    properties["Code"] = {"ZipFile": "import greeting\ndef handler(event, context): return greeting.TEXT"}
    layer = {"LayerName": name, "Content": {"S3Bucket": name, "S3Key": "one"}}
    template["Resources"]["Layer"] = {"Type": "AWS::Lambda::LayerVersion", "Properties": layer}
    for number, text in enumerate(("one", "two"), 1):
        layer["Content"] = {"S3Bucket": name, "S3Key": text}
        assert (stack.create if number == 1 else stack.update)(template).endswith("_COMPLETE")
        attached = client.get_function_configuration(FunctionName=name)["Layers"]
        assert [row["Arn"].rsplit(":", 2)[1:] for row in attached] == [[name, str(number)]]
        assert json.loads(client.invoke(FunctionName=name)["Payload"].read()) == text
    versions = client.list_layer_versions(LayerName=name)["LayerVersions"]
    assert [row["Version"] for row in versions] == [2]


def test_every_known_type_lives_and_dies(stack: Stack, name: str) -> None:
    template = with_handler(Thing={"Id": "x"})
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    function, role = {"FunctionName": {"Ref": "Fn"}}, {"Roles": [{"Ref": "Role"}]}
    bucket = {"VersioningConfiguration": {"Status": "Enabled"}, "Tags": [{"Key": "a", "Value": "b"}]}
    for logical, kind, properties in (
        ("Version", "AWS::Lambda::Version", function),
        (
            "Alias",
            "AWS::Lambda::Alias",
            {**function, "Name": "live", "FunctionVersion": {"Fn::GetAtt": "Version.Version"}},
        ),
        ("Url", "AWS::Lambda::Url", {"TargetFunctionArn": {"Ref": "Fn"}, "AuthType": "NONE"}),
        (
            "Retry",
            "AWS::Lambda::EventInvokeConfig",
            {**function, "Qualifier": "$LATEST", "MaximumRetryAttempts": 1},
        ),
        (
            "May",
            "AWS::Lambda::Permission",
            {**function, "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"},
        ),
        ("Bucket", "AWS::S3::Bucket", bucket),
        ("Tls", "AWS::S3::BucketPolicy", {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Statement": []}}),
        ("Inline", "AWS::IAM::Policy", {"PolicyName": "inline", "PolicyDocument": policy, **role}),
        ("Managed", "AWS::IAM::ManagedPolicy", {"PolicyDocument": policy, **role}),
        ("Logs", "AWS::Logs::LogGroup", {"LogGroupName": f"/{name}", "RetentionInDays": "7"}),
        ("Key", "AWS::KMS::Key", {"KeyPolicy": policy}),
        ("KeyAlias", "AWS::KMS::Alias", {"AliasName": f"alias/{name}", "TargetKeyId": {"Ref": "Key"}}),
        ("Images", "AWS::ECR::Repository", {"RepositoryName": name}),
        ("Secret", "AWS::SecretsManager::Secret", {"SecretString": "s3cret"}),
    ):
        template["Resources"][logical] = {"Type": kind, "Properties": properties}
    assert stack.create(template) == "CREATE_COMPLETE", stack.reasons()
    template["Resources"]["Logs"]["Properties"]["RetentionInDays"] = 14
    template["Resources"]["Managed"]["Properties"]["PolicyDocument"] = {
        **policy,
        "Statement": [{**statement, "Effect": "Deny"}],
    }
    template["Resources"]["Inline"]["Properties"]["PolicyName"] = "other"
    template["Resources"]["Fn"]["Properties"]["Environment"] = {"Variables": {"A": "1"}}
    assert stack.update(template) == "UPDATE_COMPLETE", stack.reasons()
    iam = stack.aws.client("iam")
    assert iam.list_role_policies(RoleName=stack.physical("Role"))["PolicyNames"] == ["other"]
    assert stack.delete() == "DELETE_COMPLETE", stack.reasons()


# Other stacks


def exporting(value: str, name: str) -> Template:
    return {**NOTHING, "Outputs": {"O": {"Value": value, "Export": {"Name": name}}}}


def test_export_in_use_can_neither_change_nor_go(stack: Stack, other: Stack, name: str) -> None:
    stack.create(exporting("1", name))
    importing = {"Resources": {"P": parameter({"Fn::ImportValue": name})}}
    assert other.create(importing) == "CREATE_COMPLETE"
    assert stack.client.list_imports(ExportName=name)["Imports"] == [other.name]
    assert stack.update(exporting("2", name)) == "UPDATE_ROLLBACK_COMPLETE"
    assert f"Export {name} cannot be updated as it is in use by {other.name}" in stack.reasons()
    assert stack.update(NOTHING) == "UPDATE_ROLLBACK_COMPLETE"
    assert f"Export {name} cannot be deleted as it is in use by {other.name}" in stack.reasons()
    assert stack.delete() == "DELETE_FAILED"
    other.delete()
    assert stack.delete() == "DELETE_COMPLETE"


def test_weak_reference_is_read_when_the_text_of_a_property_changes(
    stack: Stack, other: Stack, name: str
) -> None:
    ssm = stack.aws.client("ssm")
    output = {"Fn::GetStackOutput": {"StackName": stack.name, "OutputName": "O"}}

    def consumer(note: str, **more: object) -> Template:
        value = {"Fn::Select": [0, [output, note]]}
        rows = {letter: parameter(value, Name=f"/{name}/{letter}") for letter in "AB"}
        rows["B"]["Properties"]["Value"] = output
        rows["A"].update(more)
        return {"Resources": rows}

    def values() -> list[str]:
        return [ssm.get_parameter(Name=f"/{name}/{letter}")["Parameter"]["Value"] for letter in "AB"]

    stack.create({**NOTHING, "Outputs": {"O": {"Value": "1"}}})
    other.create(consumer("one"))
    assert stack.update({**NOTHING, "Outputs": {"O": {"Value": "2"}}}) == "UPDATE_COMPLETE"
    with pytest.raises(ClientError, match="No updates"):
        other.update(consumer("one"))
    assert other.update(consumer("one", Metadata={"Some": "thing"})) == "UPDATE_COMPLETE"
    assert values() == ["1", "1"]
    assert other.update(consumer("two")) == "UPDATE_COMPLETE"
    assert values() == ["2", "1"]
    assert other.update(consumer("two", Metadata={"Some": "thing"})) == "UPDATE_COMPLETE"
    assert values() == ["2", "1"]


def test_second_version_of_an_unchanged_function_is_refused(stack: Stack) -> None:
    template = with_handler()

    def version(name: str) -> None:
        template["Resources"].pop("One", None)
        template["Resources"][name] = {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "Fn"}},
        }

    version("One")
    assert stack.create(template) == "CREATE_COMPLETE", stack.reasons()
    version("Two")
    assert stack.update(template) == "UPDATE_ROLLBACK_COMPLETE"
    assert "A version for this Lambda function exists ( 1 )." in stack.reasons()
    template["Resources"]["Fn"]["Properties"]["Timeout"] = "31"
    assert stack.update(template) == "UPDATE_COMPLETE", stack.reasons()


# Nested stacks


def nesting(stack: Stack, inner: Template, **parameters: Any) -> Template:
    """Upload a template and return one that has it as a nested stack."""
    s3, bucket, text = stack.aws.client("s3"), f"{stack.name}-templates", json.dumps(inner)
    key = hashlib.sha256(text.encode()).hexdigest()
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=text)
    properties = {
        "TemplateURL": f"https://s3.us-east-1.amazonaws.com/{bucket}/{key}",
        "Parameters": parameters,
    }
    return {
        "Resources": {
            "Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": properties},
            "After": parameter({"Fn::GetAtt": ["Inner", "Outputs.Said"]}, Name=f"/{stack.name}/after"),
        }
    }


def inner(stack: Stack, value: Any) -> Template:
    return {
        "Parameters": {"In": {"Type": "String"}},
        "Resources": {"P": parameter(value, Name=f"/{stack.name}/inner")},
        "Outputs": {"Said": {"Value": {"Fn::GetAtt": ["P", "Value"]}}},
    }


def test_nested_stack_takes_parameters_and_gives_outputs(stack: Stack, name: str) -> None:
    ssm = stack.aws.client("ssm")

    def values() -> list[str]:
        names = (f"/{name}/inner", f"/{name}/after")
        return [ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in names]

    template = inner(stack, {"Ref": "In"})
    assert stack.create(nesting(stack, template, In="1")) == "CREATE_COMPLETE", stack.reasons()
    assert values() == ["1", "1"]
    assert stack.update(nesting(stack, template, In="2")) == "UPDATE_COMPLETE", stack.reasons()
    assert values() == ["2", "2"]
    template = inner(stack, {"Fn::Sub": "${In} more"})
    assert stack.update(nesting(stack, template, In="2")) == "UPDATE_COMPLETE", stack.reasons()
    assert values() == ["2 more", "2 more"]
    assert stack.delete() == "DELETE_COMPLETE"
    assert not ssm.get_parameters(Names=[f"/{name}/inner", f"/{name}/after"])["Parameters"]


def test_failure_after_a_nested_stack_rolls_it_back(stack: Stack, name: str) -> None:
    ssm = stack.aws.client("ssm")
    template = inner(stack, {"Ref": "In"})
    assert stack.create(nesting(stack, template, In="1")) == "CREATE_COMPLETE", stack.reasons()
    broken = nesting(stack, template, In="2")
    broken["Resources"]["Bad"] = {"Type": "No::Such::Type", "DependsOn": "After"}
    assert stack.update(broken) == "UPDATE_ROLLBACK_COMPLETE"
    assert ssm.get_parameter(Name=f"/{name}/inner")["Parameter"]["Value"] == "1"


def test_failure_in_a_nested_stack_is_one_of_its_parent(stack: Stack) -> None:
    template = inner(stack, {"Ref": "In"})
    template["Resources"]["Bad"] = {"Type": "No::Such::Type"}
    assert stack.create(nesting(stack, template, In="1")) == "ROLLBACK_COMPLETE"
    assert "was not successfully created: " in stack.reasons()
    assert "No::Such::Type" in stack.reasons()


# Parameters and expressions


def test_ssm_parameter_type_is_read_at_every_operation(stack: Stack, name: str) -> None:
    ssm = stack.aws.client("ssm")
    ssm.put_parameter(Name=f"/{name}/in", Type="String", Value="1")
    spec = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": f"/{name}/in"}
    template = {"Parameters": {"In": spec}, "Resources": {"P": parameter({"Ref": "In"})}}
    template["Outputs"] = {"Out": {"Value": {"Fn::GetAtt": ["P", "Value"]}}}
    stack.create(template)
    assert stack.outputs() == {"Out": "1"}
    shown = stack.describe()["Parameters"]
    assert shown == [{"ParameterKey": "In", "ParameterValue": f"/{name}/in", "ResolvedValue": "1"}]
    with pytest.raises(ClientError, match="No updates"):
        stack.update(template)
    ssm.put_parameter(Name=f"/{name}/in", Type="String", Value="2", Overwrite=True)
    assert stack.update(template) == "UPDATE_COMPLETE"
    assert stack.outputs() == {"Out": "2"}


def test_expressions_are_worth_what_cloudformation_says(stack: Stack, name: str) -> None:
    stack.aws.client("ssm").put_parameter(Name=f"/{name}/dynamic", Type="String", Value="d")
    wanted: dict[str, tuple[Any, str]] = {
        "Join": ({"Fn::Join": ["-", ["a", {"Ref": "AWS::Region"}]]}, "a-us-east-1"),
        "Sub": (
            {"Fn::Sub": ["${A}${!B}${AWS::AccountId}${List}", {"A": "1", "List": "x"}]},
            "1${B}123456789012x",
        ),
        "Select": ({"Fn::Select": [1, {"Ref": "List"}]}, "y"),
        "Split": ({"Fn::Select": ["2", {"Fn::Split": ["|", "a|b|c"]}]}, "c"),
        "If": ({"Fn::If": ["IsProd", "prod", "dev"]}, "dev"),
        "Map": ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Memory"]}, "128"),
        "Base64": ({"Fn::Base64": "abc"}, "YWJj"),
        "Zone": ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "us-east-1a"),
        "Dynamic": (f"{{{{resolve:ssm:/{name}/dynamic}}}}", "d"),
        "Flag": (True, "true"),
    }
    template = {
        "Parameters": {
            "Stage": {"Type": "String", "Default": "dev"},
            "List": {"Type": "CommaDelimitedList", "Default": "x,y"},
        },
        "Mappings": {"Sizes": {"dev": {"Memory": 128}, "prod": {"Memory": 1024}}},
        "Conditions": {
            "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "IsDev": {
                "Fn::And": [
                    {"Fn::Not": [{"Condition": "IsProd"}]},
                    {"Fn::Or": [{"Condition": "IsProd"}, {"Fn::Equals": ["a", "a"]}]},
                ]
            },
        },
        "Resources": {
            **NOTHING["Resources"],
            "OnlyProd": {**parameter("1"), "Condition": "IsProd"},
            "OnlyDev": {**parameter("1"), "Condition": "IsDev"},
        },
        "Outputs": {key: {"Value": value} for key, (value, _) in wanted.items()},
    }
    assert stack.create(template) == "CREATE_COMPLETE", stack.reasons()
    assert stack.outputs() == {key: value for key, (_, value) in wanted.items()}
    rows = stack.client.list_stack_resources(StackName=stack.name)["StackResourceSummaries"]
    assert {row["LogicalResourceId"] for row in rows} == {"Nothing", "OnlyDev"}
    assert (
        stack.update(template, Parameters=[{"ParameterKey": "Stage", "ParameterValue": "prod"}])
        == "UPDATE_COMPLETE"
    )
    assert stack.outputs()["If"] == "prod"
    rows = stack.client.list_stack_resources(StackName=stack.name)["StackResourceSummaries"]
    assert {row["LogicalResourceId"] for row in rows} == {"Nothing", "OnlyProd"}


def test_yaml_short_forms_and_dates(stack: Stack, name: str) -> None:
    body = f"""
Resources:
  P:
    Type: AWS::SSM::Parameter
    Properties:
      Name: !Sub "/{name}/${{AWS::Region}}"
      Type: String
      Value: !Join ["", [a, 2012-10-17]]
Outputs:
  O: {{Value: !GetAtt P.Value}}
"""
    stack.client.create_stack(StackName=stack.name, TemplateBody=body)
    assert stack.settled() == "CREATE_COMPLETE"
    assert stack.outputs() == {"O": "a2012-10-17"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ({"Resources": {}, "Parameters": {"A": {"Type": "String"}}}, r"Parameters: \[A\] must have values"),
        ({"no": "resources"}, "At least one Resources member"),
    ],
)
def test_bad_template_is_refused(stack: Stack, template: Template, text: str) -> None:
    with pytest.raises(ClientError, match=text):
        stack.create(template)
    with pytest.raises(ClientError, match="does not exist"):
        stack.describe()


# Change sets, waiting, parallel stacks


def test_change_set_shows_then_deploys(stack: Stack) -> None:
    def propose(kind: str, template: Template) -> dict[str, Any]:
        stack.client.create_change_set(
            StackName=stack.name, ChangeSetName="c", ChangeSetType=kind, TemplateBody=json.dumps(template)
        )
        return dict(stack.client.describe_change_set(StackName=stack.name, ChangeSetName="c"))

    template = {"Resources": {"P": parameter("1")}}
    assert propose("CREATE", template)["Status"] == "CREATE_COMPLETE"
    assert stack.describe()["StackStatus"] == "REVIEW_IN_PROGRESS"
    stack.client.execute_change_set(StackName=stack.name, ChangeSetName="c")
    assert stack.settled() == "CREATE_COMPLETE"
    nothing = propose("UPDATE", template)
    assert (nothing["Status"], nothing["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "didn't contain changes" in nothing["StatusReason"]
    change = propose("UPDATE", {"Resources": {"P": parameter("2")}})["Changes"][0]["ResourceChange"]
    assert (change["Action"], change["LogicalResourceId"], change["Replacement"]) == ("Modify", "P", "False")
    # `cdk diff` hides a property with a reference in it if the change set does not name the property.
    (detail,) = change["Details"]
    assert detail["Target"] == {"Attribute": "Properties", "Name": "Value", "RequiresRecreation": "Never"}


def test_boto3_waiters_are_done_at_once(stack: Stack) -> None:
    at_once = {"Delay": 0, "MaxAttempts": 1}
    stack.client.create_stack(StackName=stack.name, TemplateBody=json.dumps(with_handler(Thing={})))
    stack.client.get_waiter("stack_create_complete").wait(StackName=stack.name, WaiterConfig=at_once)
    stack.client.delete_stack(StackName=stack.name)
    stack.client.get_waiter("stack_delete_complete").wait(StackName=stack.name, WaiterConfig=at_once)


def test_stacks_deploy_in_parallel(aws: LocalAws, name: str) -> None:
    stacks = [Stack(aws, f"{name}-{number}") for number in range(4)]
    aws.client("cloudformation")
    done: dict[str, str] = {}

    def run(stack: Stack) -> None:
        done[stack.name] = stack.create(with_handler(Thing={"Say": stack.name, "Slow": 0.5}))

    threads = [threading.Thread(target=run, args=(stack,)) for stack in stacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert set(done.values()) == {"CREATE_COMPLETE"}
    assert len(done) == 4


def test_stack_works_on_in_the_background(name: str, aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    service = aws._front._handlers["cloudformation"]
    monkeypatch.setattr(service, "_settle_seconds", 0.0)
    stack = Stack(aws, name)
    stack.client.create_stack(StackName=name, TemplateBody=json.dumps(with_handler(Thing={"Slow": 1})))
    assert stack.describe()["StackStatus"] == "CREATE_IN_PROGRESS"
    with pytest.raises(ClientError, match="CREATE_IN_PROGRESS state and can not be updated"):
        stack.client.update_stack(StackName=name, TemplateBody=json.dumps(NOTHING))
    assert stack.settled() == "CREATE_COMPLETE"


def test_ordered_failure_of_a_resource_rolls_back(stack: Stack, aws: LocalAws) -> None:
    aws.faults.add("PutParameter", "AccessDeniedException", status=400, caller="cloudformation")
    assert stack.create({"Resources": {"P": parameter("1")}}) == "ROLLBACK_COMPLETE"
    assert "AccessDeniedException" in stack.reasons()
