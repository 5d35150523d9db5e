"""The real cdk command line against the local AWS."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from integ.local_aws import LocalAws

CDK = Path(__file__).parents[1] / "node_modules" / ".bin" / "cdk"

APP = '''
import os
import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

CODE = """
import json, urllib.request
def handler(event, context):
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer["PhysicalResourceId"] = "thing"
    fails = event["RequestType"] == "Update" and event["ResourceProperties"]["Say"] == "fail"
    answer |= {"Status": "FAILED" if fails else "SUCCESS", "Reason": "as the test wanted"}
    answer["Data"] = {"Said": event["ResourceProperties"]["Say"]}
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
"""

app = cdk.App()
stack = cdk.Stack(app, os.environ["STACK"], env=cdk.Environment(account="123456789012", region="us-east-1"))
runtime = lambda_.Runtime.PYTHON_3_11
code = lambda_.Code.from_inline(CODE)
function = lambda_.Function(stack, "Fn", runtime=runtime, handler="index.handler", code=code)
properties = {"Say": cdk.CfnParameter(stack, "Say", default="one").value_as_string}
thing = cdk.CustomResource(stack, "Thing", service_token=function.function_arn, properties=properties)
cdk.CfnOutput(stack, "Said", value=thing.get_att_string("Said"))
app.synth()
'''


class Cdk:
    """The cdk CLI in a folder with the app above."""

    def __init__(self, aws: LocalAws, folder: Path, stack: str) -> None:
        self.folder = folder
        # CDK's own checks of templates take seconds to load, in each process anew.
        self.environment = {**os.environ, **aws.environment(), "CDK_VALIDATION": "false", "STACK": stack}
        (folder / "app.py").write_text(APP)
        (folder / "cdk.json").write_text(json.dumps({"app": f"{shlex.quote(sys.executable)} app.py"}))

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(CDK), *arguments, "--no-notices", "--no-color"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.mark.cli
@pytest.mark.skipif(not CDK.exists(), reason="the cdk CLI is not installed: run make setup")
def test_cdk_bootstraps_deploys_rolls_back_and_destroys(aws: LocalAws, name: str, tmp_path: Path) -> None:
    cdk = Cdk(aws, tmp_path, name)
    stacks = aws.client("cloudformation")

    def said() -> str:
        return str(stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"][0]["OutputValue"])

    bootstrapped = cdk("bootstrap", "aws://123456789012/us-east-1")
    assert bootstrapped.returncode == 0, bootstrapped.stderr
    deployed = cdk("deploy", "--require-approval", "never")
    assert deployed.returncode == 0, deployed.stderr
    assert said() == "one"
    again = ("deploy", "--app", "cdk.out", "--parameters")
    redeployed = cdk(*again, "Say=two")
    assert redeployed.returncode == 0, redeployed.stderr
    assert said() == "two"
    failed = cdk(*again, "Say=fail")
    assert failed.returncode == 1
    assert "as the test wanted" in failed.stderr
    assert said() == "two"
    destroyed = cdk("destroy", "--force", "--app", "cdk.out")
    assert destroyed.returncode == 0, destroyed.stderr
    assert (
        stacks.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"][-1]["StackName"] == name
    )


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_module_runs_a_command_and_ends_with_its_code() -> None:
    code = "import boto3, sys; boto3.client('s3').create_bucket(Bucket='abc'); sys.exit(7)"
    done = run_python("-m", "integ.local_aws", "--", sys.executable, "-c", code)
    assert done.returncode == 7, done.stderr


BUSY = """
import json, sys, time
from integ.local_aws import LocalAws
from integ.tests.test_local_aws_cloudformation import with_handler

with LocalAws(settle_seconds=0.0) as aws:
    template = json.dumps(with_handler(Thing={"Slow": 600}))
    aws.client("cloudformation").create_stack(StackName="s", TemplateBody=template)
    while not aws._executor._busy:
        time.sleep(0.01)
    (environment,) = aws._executor._busy
    print(environment._process.pid, flush=True)
    raise KeyboardInterrupt
"""


def test_interrupt_ends_every_process() -> None:
    done = run_python("-c", BUSY)  # which waits a minute, and the function would go on for ten
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
