"""The rules by which the local AWS runs functions and takes layers."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from integ.local_aws import LocalAws
from integ.local_aws.functions.archives import UNZIPPED_LIMIT
from integ.local_aws.functions.interpreters import find_interpreter
from integ.tests.conftest import zip_of

MakeFunction = Callable[..., str]

USES_LAYER = "import greeting\ndef handler(event, context): return greeting.TEXT"


def invoke(aws: LocalAws, function: str, event: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
    answer = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event), **more)
    text = answer["Payload"].read()
    return json.loads(text) if text else None, answer


def layer(aws: LocalAws, name: str, **files: str) -> str:
    content = {"ZipFile": zip_of(**files)}
    return str(aws.client("lambda").publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"])


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


# Running


def test_function_imports_from_its_layer(aws: LocalAws, name: str, make_function: MakeFunction) -> None:
    arn = layer(aws, name, python__greeting="TEXT = 'hello'")
    assert invoke(aws, make_function(USES_LAYER, Layers=[arn]))[0] == "hello"


def test_import_without_the_layer_is_an_import_module_error(
    aws: LocalAws, make_function: MakeFunction
) -> None:
    payload, answer = invoke(aws, make_function(USES_LAYER))
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.ImportModuleError"
    assert payload["errorMessage"] == "Unable to import module 'app': No module named 'greeting'"


@pytest.mark.parametrize("package", ["moto", "yaml", "aws_cdk", "pip"])
def test_what_is_installed_here_is_not_seen(aws: LocalAws, make_function: MakeFunction, package: str) -> None:
    payload, _ = invoke(aws, make_function(f"import {package}\ndef handler(event, context): pass"))
    assert payload["errorType"] == "Runtime.ImportModuleError"


def test_later_layers_override_earlier_ones(aws: LocalAws, name: str, make_function: MakeFunction) -> None:
    first = layer(
        aws, f"{name}-1", python__greeting="TEXT = 'first' + other.TEXT", python__other="TEXT = '1'"
    )
    second = layer(aws, f"{name}-2", python__greeting="import other\nTEXT = 'second' + other.TEXT")
    assert invoke(aws, make_function(USES_LAYER, Layers=[first, second]))[0] == "second1"


def test_own_code_comes_before_layers_and_layers_before_the_runtime(
    aws: LocalAws, name: str, make_function: MakeFunction
) -> None:
    arn = layer(aws, name, python__app="raise Exception", python__boto3="VERSION = 'of the layer'")
    code = "import boto3\ndef handler(event, context): return boto3.VERSION"
    assert invoke(aws, make_function(code, Layers=[arn]))[0] == "of the layer"


def test_boto3_reaches_the_local_aws(aws: LocalAws, name: str, make_function: MakeFunction) -> None:
    code = "import boto3\ndef handler(event, context): boto3.client('s3').create_bucket(Bucket=event)"
    function = make_function(code, Timeout=20)
    invoke(aws, function, name)
    assert name in [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]]
    assert [call.operation for call in aws.calls.by(f"function:{function}")] == ["CreateBucket"]


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13", "3.14"])
def test_function_runs_on_the_python_its_runtime_names(
    aws: LocalAws, make_function: MakeFunction, version: str
) -> None:
    code = "import sys\ndef handler(event, context): return '%d.%d' % sys.version_info[:2]"
    function = make_function(code, Runtime=f"python{version}")
    payload, _ = invoke(aws, function)
    _, remark = find_interpreter(f"python{version}")
    if remark:
        assert payload == f"{sys.version_info.major}.{sys.version_info.minor}"
        assert f"no Python {version} on this machine" in aws.logs(function)
    else:
        assert payload == version


def test_process_is_reused_until_something_changes(aws: LocalAws, make_function: MakeFunction) -> None:
    code = "import os\ndef handler(event, context): return os.getpid()"
    function, client = make_function(code), aws.client("lambda")
    first = invoke(aws, function)[0]
    assert invoke(aws, function)[0] == first
    client.update_function_configuration(FunctionName=function, Environment={"Variables": {"A": "b"}})
    second = invoke(aws, function)[0]
    assert second != first
    client.update_function_code(FunctionName=function, ZipFile=zip_of(app=code + " + 0"))
    assert invoke(aws, function)[0] not in (first, second)


def test_process_sees_its_own_environment_only(
    aws: LocalAws, make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_THE_DEVELOPER", "1")
    code = "import os\ndef handler(event, context): return dict(os.environ)"
    variables, _ = invoke(aws, make_function(code, Environment={"Variables": {"MINE": "2"}}, MemorySize=256))
    assert variables["MINE"] == "2"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert variables["AWS_REGION"] == "us-east-1"
    assert "FROM_THE_DEVELOPER" not in variables


def test_handler_knows_its_context(aws: LocalAws, make_function: MakeFunction) -> None:
    code = (
        "def handler(_, c): return c.function_name, c.invoked_function_arn, c.get_remaining_time_in_millis()"
    )
    function = make_function(code, Timeout=30)
    name, arn, milliseconds = invoke(aws, function)[0]
    assert (name, arn) == (function, f"arn:aws:lambda:us-east-1:123456789012:function:{function}")
    assert 0 < milliseconds <= 30_000


# Failing


def test_exception_is_an_unhandled_function_error(aws: LocalAws, make_function: MakeFunction) -> None:
    payload, answer = invoke(aws, make_function("def handler(event, context): raise ValueError('no')"))
    assert answer["FunctionError"] == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "no")


def test_timeout_ends_the_process(aws: LocalAws, make_function: MakeFunction) -> None:
    code = "import time\ndef handler(event, context): time.sleep(event); return 'done'"
    function = make_function(code, Timeout=1)
    payload, answer = invoke(aws, function, 30)
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert "Task timed out after 1.00 seconds" in aws.logs(function)
    assert invoke(aws, function, 0)[0] == "done"


@pytest.mark.parametrize(
    ("crash", "reason"), [("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), 9)", "signal: SIGKILL")]
)
def test_crash_is_an_exit_error(aws: LocalAws, make_function: MakeFunction, crash: str, reason: str) -> None:
    payload, answer = invoke(aws, make_function(f"import os\ndef handler(event, context): {crash}"))
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith(f"Runtime exited with error: {reason}")


def test_node_function_is_refused_clearly(aws: LocalAws, make_function: MakeFunction) -> None:
    function = make_function("", Runtime="nodejs22.x")
    with pytest.raises(ClientError, match="runs Python functions only"):
        invoke(aws, function)


def test_log_tail_is_what_the_invocation_wrote(aws: LocalAws, make_function: MakeFunction) -> None:
    code = "import sys\ndef handler(event, context): print('out', event); print('err', file=sys.stderr)"
    function = make_function(code)
    invoke(aws, function, "one")
    _, answer = invoke(aws, function, "two", LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert "out two" in tail
    assert "err" in tail
    assert "out one" not in tail
    assert "out one" in aws.logs(function)
    events = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    assert [event["message"] for event in events if "out" in event["message"]] == ["out one", "out two"]


def test_log_goes_to_the_group_that_the_function_names(
    aws: LocalAws, name: str, make_function: MakeFunction
) -> None:
    """A group that is gone stays gone: roles of functions with a group of their own may not make one."""
    logs = aws.client("logs")

    def groups() -> list[str]:
        found = [f"{name}-group", f"/aws/lambda/{function}"]
        rows = [
            row for group in found for row in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        ]
        return [row["logGroupName"] for row in rows]

    logs.create_log_group(logGroupName=f"{name}-group")
    code = "def handler(event, context): print(event); return context.log_group_name"
    function = make_function(code, LoggingConfig={"LogGroup": f"{name}-group"})
    assert invoke(aws, function, "one")[0] == f"{name}-group"
    events = logs.filter_log_events(logGroupName=f"{name}-group")["events"]
    assert "one" in [event["message"] for event in events]
    logs.delete_log_group(logGroupName=f"{name}-group")
    assert invoke(aws, function, "two")[0] == f"{name}-group"
    assert groups() == []
    aws.client("lambda").update_function_configuration(FunctionName=function, LoggingConfig={})
    assert invoke(aws, function, "three")[0] == f"/aws/lambda/{function}"
    assert groups() == [f"/aws/lambda/{function}"]


# Asynchronous events

COUNTS = "def handler(event, context): print('attempt', context.aws_request_id); {}"


@pytest.mark.parametrize(
    ("then", "attempts"), [("1/0", 3), ("__import__('os')._exit(1)", 3), ("return 1", 1)]
)
def test_event_is_tried_three_times_with_one_request_id(
    aws: LocalAws, make_function: MakeFunction, then: str, attempts: int
) -> None:
    function = make_function(COUNTS.format(then))
    assert invoke(aws, function, InvocationType="Event")[1]["StatusCode"] == 202
    wait_for(lambda: aws.logs(function).count("END") == attempts)
    time.sleep(0.1)
    lines = [line for line in aws.logs(function).splitlines() if line.startswith("attempt")]
    assert len(lines) == attempts
    assert len(set(lines)) == 1


def test_retries_follow_the_event_invoke_config(aws: LocalAws, make_function: MakeFunction) -> None:
    function = make_function(COUNTS.format("1/0"))
    aws.client("lambda").put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    invoke(aws, function, InvocationType="Event")
    wait_for(lambda: "END" in aws.logs(function))
    time.sleep(0.1)
    assert aws.logs(function).count("END") == 1


def test_dry_run_runs_nothing(aws: LocalAws, make_function: MakeFunction) -> None:
    function = make_function("1/0")
    assert invoke(aws, function, InvocationType="DryRun")[1]["StatusCode"] == 204
    assert aws.logs(function) == ""


def test_code_of_a_missing_key_is_refused(aws: LocalAws, name: str, make_function: MakeFunction) -> None:
    function = make_function("def handler(event, context): return 'one'")
    aws.client("s3").create_bucket(Bucket=name)
    with pytest.raises(ClientError) as caught:
        aws.client("lambda").update_function_code(FunctionName=function, S3Bucket=name, S3Key="no")
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"]["Code"] == "InvalidParameterValueException"
    start = "Error occurred while GetObject. S3 Error Code: NoSuchKey."
    assert response["Error"]["Message"].startswith(start)
    assert invoke(aws, function)[0] == "one"


@pytest.mark.parametrize(
    ("type_name", "code"),
    [("Custom::Thing", "ValidationException"), ("AWS::S3::Bucket", "UnsupportedActionException")],
)
def test_cloud_control_knows_no_resource(aws: LocalAws, type_name: str, code: str) -> None:
    """The cdk CLI tries a 500 again for half a minute."""
    with pytest.raises(ClientError) as caught:
        aws.client("cloudcontrol").get_resource(TypeName=type_name, Identifier="thing")
    assert caught.value.response["Error"]["Code"] == code
    assert [call.status for call in aws.calls.of("GetResource")] == [400]


# Layers


def test_layer_of_a_missing_key_is_refused(aws: LocalAws, name: str) -> None:
    aws.client("s3").create_bucket(Bucket=name)
    with pytest.raises(ClientError, match="NoSuchKey"):
        aws.client("lambda").publish_layer_version(LayerName=name, Content={"S3Bucket": name, "S3Key": "no"})


def test_layer_that_is_no_zip_is_refused(aws: LocalAws, name: str) -> None:
    with pytest.raises(ClientError, match="Could not unzip uploaded file"):
        aws.client("lambda").publish_layer_version(LayerName=name, Content={"ZipFile": b"text"})


def test_layer_is_made_of_the_object_version_it_names(
    aws: LocalAws, name: str, make_function: MakeFunction
) -> None:
    s3, client = aws.client("s3"), aws.client("lambda")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=name, Key="z", Body=zip_of(python__greeting="TEXT = 'old'"))["VersionId"]
    s3.put_object(Bucket=name, Key="z", Body=zip_of(python__greeting="TEXT = 'new'"))
    where = {"S3Bucket": name, "S3Key": "z"}
    version = client.publish_layer_version(LayerName=name, Content={**where, "S3ObjectVersion": old})
    latest = client.publish_layer_version(LayerName=name, Content=where)
    function = make_function(USES_LAYER, Layers=[version["LayerVersionArn"]])
    assert invoke(aws, function)[0] == "old"
    client.update_function_configuration(FunctionName=function, Layers=[latest["LayerVersionArn"]])
    assert invoke(aws, function)[0] == "new"
    with pytest.raises(ClientError, match="NoSuchVersion"):
        client.publish_layer_version(LayerName=name, Content={**where, "S3ObjectVersion": "none"})


def test_sizes_over_the_limit_are_refused(
    aws: LocalAws, name: str, make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert UNZIPPED_LIMIT == 262_144_000
    monkeypatch.setattr("integ.local_aws.moto_seams.UNZIPPED_LIMIT", 100)
    with pytest.raises(ClientError, match="Unzipped size must be smaller than 100 bytes"):
        layer(aws, name, python__big="#" * 101)
    arn = layer(aws, name, python__half="#" * 60)
    with pytest.raises(ClientError, match="Function code combined with layers exceeds"):
        make_function("#" * 60, Layers=[arn])


def test_function_keeps_the_content_of_a_deleted_layer_version(
    aws: LocalAws, name: str, make_function: MakeFunction
) -> None:
    client, arn = aws.client("lambda"), layer(aws, name, python__greeting="TEXT = 'kept'")
    function = make_function(USES_LAYER, Layers=[arn])
    client.delete_layer_version(LayerName=name, VersionNumber=1)
    assert invoke(aws, function)[0] == "kept"
    with pytest.raises(ClientError):
        client.update_function_configuration(FunctionName=function, Layers=[arn])
    assert layer(aws, name, python__greeting="").endswith(":2")


# Published versions


def test_published_version_keeps_its_code(aws: LocalAws, make_function: MakeFunction) -> None:
    function, client = make_function("def handler(event, context): return 1"), aws.client("lambda")
    version = client.publish_version(FunctionName=function)["Version"]
    client.update_function_code(FunctionName=function, ZipFile=zip_of(app="def handler(e, c): return 2"))
    assert invoke(aws, function)[0] == 2
    assert invoke(aws, function, Qualifier=version)[0] == 1


# Hooks for tests


def test_number_of_a_deleted_version_is_not_given_again(aws: LocalAws, make_function: MakeFunction) -> None:
    function, client = make_function("def handler(event, context): return 1"), aws.client("lambda")
    numbers = []
    for text in ("one", "two", "three"):
        client.update_function_configuration(FunctionName=function, Description=text)
        numbers.append(client.publish_version(FunctionName=function)["Version"])
        if text == "two":
            client.delete_function(FunctionName=function, Qualifier="1")
    assert numbers == ["1", "2", "3"]


def test_ordered_failure_strikes_the_call_it_is_for(aws: LocalAws, name: str) -> None:
    client = aws.client("s3")
    fault = aws.faults.add("CreateBucket", "AccessDenied", status=403, nth=2)
    client.create_bucket(Bucket=f"{name}-1")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.create_bucket(Bucket=f"{name}-2")
    client.create_bucket(Bucket=f"{name}-3")
    assert fault.hits == 1
    assert [call.status for call in aws.calls.of("CreateBucket")] == [200, 403, 200]
    buckets = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    assert {f"{name}-1", f"{name}-3"} <= buckets
    assert f"{name}-2" not in buckets


def test_failure_after_the_call_lets_it_take_effect(aws: LocalAws, name: str) -> None:
    aws.faults.add("PublishLayerVersion", "AccessDeniedException", status=403, when="after")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        layer(aws, name, python__greeting="")
    assert layer(aws, name, python__greeting="").endswith(":2")


def test_throttling_is_what_sdks_retry(aws: LocalAws, name: str) -> None:
    aws.faults.throttle("PublishLayerVersion")
    layer(aws, name, python__greeting="")
    assert [call.status for call in aws.calls.of("PublishLayerVersion")] == [429, 201]


def test_copy_honours_the_source_etag(aws: LocalAws, name: str) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket=name)
    etag = client.put_object(Bucket=name, Key="a b", Body=b"1")["ETag"]
    source = {"Bucket": name, "Key": "a b"}
    client.copy_object(Bucket=name, Key="c", CopySource=source, CopySourceIfMatch=etag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.copy_object(Bucket=name, Key="c", CopySource=source, CopySourceIfMatch='"other"')


def test_object_with_another_checksum_than_its_writer_says(aws: LocalAws, name: str) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket=name)
    claimed = base64.b64encode(hashlib.sha256(b"zip").digest()).decode()
    claim: dict[str, Any] = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": claimed}
    client.put_object(Bucket=name, Key="k", Body=b"zip", **claim)
    with pytest.raises(ClientError, match="BadDigest"):
        client.put_object(Bucket=name, Key="k", Body=b"evil", **claim)
    stored = client.get_object(Bucket=name, Key="k", ChecksumMode="ENABLED")
    assert (stored["ChecksumSHA256"], stored["Body"].read()) == (claimed, b"zip")


def test_bucket_policy_that_wants_tls_lets_us_in(aws: LocalAws, name: str) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket=name)
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{name}/*"}
    condition = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    client.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": [{**statement, **condition}]}))
    client.put_object(Bucket=name, Key="k", Body=b"")
    client.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": [statement]}))
    with pytest.raises(ClientError, match="403"):
        client.put_object(Bucket=name, Key="k", Body=b"")


# The life of the local AWS


def test_there_is_one_at_a_time(aws: LocalAws) -> None:
    with pytest.raises(RuntimeError, match="runs in this process already"):
        LocalAws().__enter__()


def test_inline_policies_of_a_role_have_a_limit_together(aws: LocalAws, name: str) -> None:
    iam = aws.client("iam")
    iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )

    def document(size: int) -> str:
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{'x' * size}"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=8)

    for policy in "ab":
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document(4900))
    with pytest.raises(ClientError, match="LimitExceeded"):
        iam.put_role_policy(RoleName=name, PolicyName="c", PolicyDocument=document(300))
    iam.put_role_policy(RoleName=name, PolicyName="b", PolicyDocument=document(100))
    iam.put_role_policy(RoleName=name, PolicyName="c", PolicyDocument=document(300))
