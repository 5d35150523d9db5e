"""The account, the copy of the example that is deployed to it, and the cdk command line."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import boto3

from .app import FAILS_VARIABLE, STACK_VARIABLE

_ROOT: Final = Path(__file__).resolve().parents[2]
_CDK: Final = _ROOT / "integ" / "node_modules" / ".bin" / "cdk"
_TIMEOUT: Final = 1200  # seconds for one command
_ORDER: Final = {"items": [{"sku": "tea", "quantity": 3, "unit_price": 4.5}], "discount": 10}


class StepFailedError(Exception):
    """A command that had to succeed, with the end of what it printed."""


class Account:
    """An AWS account with one throw-away stack.

    :param folder: an empty directory for the app.
    :param stack: the name of the stack.
    """

    def __init__(self, folder: Path, stack: str) -> None:
        self.stack = stack
        self.qualifier = stack[-8:].lower()
        self._folder = folder
        self._session = boto3.Session()
        example = _ROOT / "integ" / "example" / "orders"
        shutil.copytree(example, self.project, ignore=shutil.ignore_patterns("build", "dist"))
        shutil.copy(Path(__file__).with_name("app.py"), folder / "app.py")
        app = f"{shlex.quote(sys.executable)} app.py"
        context = {"@aws-cdk/core:bootstrapQualifier": self.qualifier}
        (folder / "cdk.json").write_text(json.dumps({"app": app, "context": context}))
        self.run("uv", "lock", "--quiet", cwd=self.project)

    @property
    def project(self) -> Path:
        """The directory of the function's project."""
        return self._folder / "orders"

    @cached_property
    def number(self) -> str:
        """The account's number."""
        return str(self.client("sts").get_caller_identity()["Account"])

    @property
    def region(self) -> str:
        """The Region."""
        return self._session.region_name or "us-east-1"

    def client(self, service: str) -> Any:
        """Return boto3's client for a service."""
        return self._session.client(service, region_name=self.region)  # type: ignore[call-overload]

    def run(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        fails: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command and return what it prints.

        :param fails: whether the command must fail.
        :param variables: further environment variables.
        :raises StepFailedError: when it does not do as it must.
        """
        environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            STACK_VARIABLE: self.stack,
            **(variables or {}),
        }
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if bool(done.returncode) != fails:
            last = "\n".join(done.stdout.splitlines()[-30:])
            raise StepFailedError(f"{last}\n{' '.join(map(str, command))}: exit code {done.returncode}.")
        return done.stdout

    def cdk(self, *arguments: str, fails: bool = False, variables: Mapping[str, str] | None = None) -> None:
        """Run the cdk command line."""
        options = ("--no-notices", "--ci", "--no-color")
        self.run(_CDK, *arguments, *options, fails=fails, variables=variables)

    def bootstrap(self) -> None:
        """Make what cdk deploys with, under names of its own."""
        self.cdk(
            "bootstrap",
            f"aws://{self.number}/{self.region}",
            f"--toolkit-stack-name={self.toolkit}",
            f"--qualifier={self.qualifier}",
        )

    @property
    def toolkit(self) -> str:
        """The name of the bootstrap stack."""
        return f"{self.stack}Toolkit"

    def deploy(self, *, fails: bool = False) -> None:
        """Deploy the stack.

        :param fails: whether a resource of the stack is refused, so that the deployment is rolled back.
        """
        variables = {FAILS_VARIABLE: "yes"} if fails else {}
        toolkit = f"--toolkit-stack-name={self.toolkit}"
        self.cdk("deploy", "--require-approval=never", toolkit, fails=fails, variables=variables)

    def destroy(self) -> None:
        """Delete the stack."""
        self.cdk("destroy", "--force")

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resources(self, type_name: str) -> list[str]:
        """Return the physical ids of the stack's resources of a type."""
        rows = self.client("cloudformation").describe_stack_resources(StackName=self.stack)
        return [
            row["PhysicalResourceId"]
            for row in rows["StackResources"]
            if row["ResourceType"] == type_name and row.get("PhysicalResourceId")
        ]

    def layer_versions(self, name: str | None = None) -> list[int]:
        """Return the numbers of a layer's versions.

        :param name: the layer. Default: the stack's.
        """
        found = self.client("lambda").list_layer_versions(LayerName=name or self.outputs["LayerName"])
        return sorted(version["Version"] for version in found["LayerVersions"])

    @property
    def _alias(self) -> dict[str, str]:
        outputs = self.outputs
        return {"FunctionName": outputs["FunctionName"], "Qualifier": outputs["AliasName"]}

    def layers(self) -> list[str]:
        """Return the ARNs of the layers that the function's alias has."""
        row = self.client("lambda").get_function_configuration(**self._alias)
        return [layer["Arn"] for layer in row.get("Layers", [])]

    def invoke(self) -> dict[str, Any]:
        """Return the answer of the function's alias to an order."""
        answer = self.client("lambda").invoke(**self._alias, Payload=json.dumps(_ORDER).encode())
        said: dict[str, Any] = json.load(answer["Payload"])
        return said

    def has_object(self, uri: str) -> bool:
        """Tell whether an object exists, by its URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        s3 = self.client("s3")
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except s3.exceptions.ClientError:
            return False
        return True

    def has_bucket(self, name: str) -> bool:
        """Tell whether a bucket exists."""
        return name in {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]}

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file of the project.

        :raises StepFailedError: when the file does not have it.
        """
        file = self.project / path
        text = file.read_text()
        if old not in text:
            raise StepFailedError(f"The example changed: {path} has no {old!r}.")
        file.write_text(text.replace(old, new))

    def lock_with_pydantic(self, version: str) -> None:
        """Require another release of pydantic, and lock the project."""
        file = self.project / "pyproject.toml"
        file.write_text(re.sub(r"pydantic==[\d.]+", f"pydantic=={version}", file.read_text()))
        self.run("uv", "lock", "--quiet", cwd=self.project)

    def remove_bucket(self, name: str) -> None:
        """Delete a bucket with all versions of its objects."""
        bucket = self._session.resource("s3", region_name=self.region).Bucket(name)
        bucket.object_versions.delete()
        bucket.delete()

    def remove_toolkit(self) -> None:
        """Delete the bootstrap stack, with its bucket."""
        cloudformation = self.client("cloudformation")
        rows = cloudformation.describe_stack_resources(StackName=self.toolkit)["StackResources"]
        buckets = [row["PhysicalResourceId"] for row in rows if row["ResourceType"] == "AWS::S3::Bucket"]
        cloudformation.delete_stack(StackName=self.toolkit)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=self.toolkit)
        for bucket in buckets:
            if self.has_bucket(bucket):  # CDK's template retains it
                self.remove_bucket(bucket)
