"""Cloud assemblies, deployed as the cdk CLI does it, in a tenth of its time."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from botocore.exceptions import ClientError

from integ.local_aws import Call, LocalAws
from integ.tests.support.permissions import Policies, policies_of, refused
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact

_QUALIFIER: Final = "tests"  # beside the resources of `cdk bootstrap`, which other tests run
_ACCOUNT: Final = "123456789012"
_REGION: Final = "us-east-1"
ASSETS: Final = f"cdk-{_QUALIFIER}-assets-{_ACCOUNT}-{_REGION}"
_HANDLER_SECONDS: Final = 60

#: The Python that the tests run on, so that a function runs on it wherever they do.
RUNTIME: Final = lambda_.Runtime(
    f"python{sys.version_info.major}.{sys.version_info.minor}",
    lambda_.RuntimeFamily.PYTHON,
    supports_inline_code=True,
)

Define = Callable[[Stack], None]


def orders(project: Path, *, layer: Mapping[str, Any] = {}, source: Mapping[str, Any] = {}) -> Define:
    """The usual stack: a function with its layer and its source; props for either can be added."""

    def define(stack: Stack) -> None:
        common = {"project": str(project), "runtime": RUNTIME}
        deps = LambdaLayerArtifact(stack, "Deps", **{**common, **layer})
        code = LambdaSourceArtifact(stack, "Code", **{**common, **source})
        function(stack, "Function", deps, code)
        CfnOutput(stack, "LayerVersionArn", value=deps.layer_version_arn)
        CfnOutput(stack, "ManifestUri", value=deps.manifest_uri)
        CfnOutput(stack, "SourceUri", value=code.s3_uri)

    return define


def function(stack: Stack, name: str, deps: lambda_.ILayerVersion, code: LambdaSourceArtifact) -> None:
    """A function of the project, and its name as an output."""
    made = lambda_.Function(
        stack, name, runtime=RUNTIME, handler="orders.app.handler", code=code.code, layers=[deps]
    )
    CfnOutput(stack, f"{name}Name", value=made.function_name)


@dataclass(frozen=True)
class Assembly:
    """What ``cdk synth`` leaves: all that a deployment takes."""

    directory: Path

    @classmethod
    def synth(cls, directory: Path, stacks: Mapping[str, Define]) -> Assembly:
        """Synthesise an app of these stacks."""
        context = {"@aws-cdk/core:bootstrapQualifier": _QUALIFIER}
        app = App(outdir=str(directory), analytics_reporting=False, context=context)
        for name, define in stacks.items():
            define(Stack(app, name))
        app.synth()
        return cls(directory)

    def template(self, stack: str) -> dict[str, Any]:
        """A stack's template."""
        return dict(json.loads((self.directory / f"{stack}.template.json").read_text()))

    def resources(self, stack: str, kind: str) -> dict[str, dict[str, Any]]:
        """Properties of a stack's resources of one type, by logical id."""
        found = self.template(stack)["Resources"].items()
        return {name: row.get("Properties", {}) for name, row in found if row["Type"] == kind}

    def asset_key(self, stack: str, display_name: str) -> str:
        """Key of the asset that the CLI shows under a name."""
        manifest = json.loads((self.directory / f"{stack}.assets.json").read_text())
        (asset,) = [row for row in manifest["files"].values() if row["displayName"] == display_name]
        (place,) = asset["destinations"].values()
        return str(place["objectKey"])

    def assets(self, stack: str) -> Iterator[tuple[str, str, Path]]:
        """Bucket, key and file of each of a stack's assets, from its asset manifest."""
        manifest = json.loads((self.directory / f"{stack}.assets.json").read_text())
        assert not manifest["dockerImages"]
        for asset in manifest["files"].values():
            assert asset["source"]["packaging"] == "file"
            for place in asset["destinations"].values():
                bucket = re.sub(r"\$\{AWS::AccountId\}", _ACCOUNT, place["bucketName"])
                bucket = re.sub(r"\$\{AWS::Region\}", _REGION, bucket)
                yield bucket, place["objectKey"], self.directory / asset["source"]["path"]


def bootstrap(aws: LocalAws) -> None:
    """Make what ``cdk bootstrap`` makes, as far as it is used here."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=ASSETS)
    s3.put_bucket_versioning(Bucket=ASSETS, VersioningConfiguration={"Status": "Enabled"})
    aws.client("ssm").put_parameter(Name=f"/cdk-bootstrap/{_QUALIFIER}/version", Type="String", Value="30")


class Deployment:
    """One stack, from its definition to its deletion.

    Every call of the custom resources' handler is held against the policies of its role.
    """

    def __init__(self, aws: LocalAws, name: str, folder: Path) -> None:
        self.aws = aws
        self.name = name
        self._folder = folder
        self._id = name  # its own once it is created, so that it can be looked at when it is deleted
        self._stacks = aws.client("cloudformation")
        self._lambda = aws.client("lambda")
        self._s3 = aws.client("s3")

    # Deploying.

    def synth(self, define: Define) -> Assembly:
        """Synthesise an app with this stack alone."""
        number = len(list(self._folder.glob("cdk.out.*")))
        return Assembly.synth(self._folder / f"cdk.out.{number}", {self.name: define})

    def deploy(self, what: Define | Assembly) -> str:
        """Create or update the stack; return its status, ``UNCHANGED`` when there is nothing to update."""
        assembly = what if isinstance(what, Assembly) else self.synth(what)
        self.publish(assembly)
        return self.apply(assembly)

    def publish(self, assembly: Assembly) -> None:
        """Upload the assets that are not there."""
        for bucket, key, path in assembly.assets(self.name):
            if not key.endswith(".template.json") and not self._has(bucket, key):
                self._s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    def apply(self, assembly: Assembly) -> str:
        """Create or update the stack from assets that are there already."""
        given = {
            "StackName": self.name,
            "TemplateBody": json.dumps(assembly.template(self.name)),
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }
        before, seen = self._policies(), len(self.aws.calls)
        try:
            self._id = self._stacks.update_stack(**given)["StackId"]
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return "UNCHANGED"
            if "does not exist" not in str(error):
                raise
            self._id = self._stacks.create_stack(**given)["StackId"]
        status = self._settled()
        self._check_permissions(seen, before)
        return status

    def delete(self) -> str:
        """Delete the stack."""
        before, seen = self._policies(), len(self.aws.calls)
        self._stacks.delete_stack(StackName=self._id)
        status = self._settled()
        self._check_permissions(seen, before)
        return status

    # Looking.

    @property
    def created(self) -> bool:
        """Whether there is such a stack, or was."""
        return self._id != self.name

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return {row["OutputKey"]: row["OutputValue"] for row in self._describe().get("Outputs", [])}

    @property
    def bucket(self) -> str:
        """The bucket that the stack keeps artifacts in when none is named."""
        return self._physical("AWS::S3::Bucket")

    @property
    def layer_name(self) -> str:
        """The name of the stack's one layer."""
        return self.outputs["LayerVersionArn"].split(":")[-2]

    @property
    def published(self) -> list[Call]:
        """The calls that published a version of it."""
        calls = self.aws.calls.of("PublishLayerVersion")
        return [call for call in calls if call.parameters["LayerName"] == self.layer_name]

    def reasons(self) -> list[str]:
        """Why resources failed, in the order of the events."""
        rows = self._stacks.describe_stack_events(StackName=self._id)["StackEvents"]
        return [
            row["ResourceStatusReason"] for row in reversed(rows) if row["ResourceStatus"].endswith("_FAILED")
        ]

    def invoke(self, function: str = "Function", event: object = None) -> dict[str, Any]:
        """Call a function, and return its answer."""
        name = self.outputs[f"{function}Name"]
        answer = self._lambda.invoke(FunctionName=name, Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return dict(payload)

    def layers(self, function: str = "Function") -> list[str]:
        """ARNs of the layer versions that a function has."""
        found = self._lambda.get_function_configuration(FunctionName=self.outputs[f"{function}Name"])
        return [layer["Arn"] for layer in found["Layers"]]

    def versions(self, layer_name: str | None = None) -> list[int]:
        """Numbers of a layer's versions, the first one first; of the stack's own layer, if not named."""
        rows = self._lambda.list_layer_versions(LayerName=layer_name or self.layer_name)["LayerVersions"]
        return sorted(row["Version"] for row in rows)

    def keys(self, bucket: str | None = None) -> set[str]:
        """Keys in a bucket, the stack's own if not named."""
        listed = self._s3.list_objects_v2(Bucket=bucket or self.bucket).get("Contents", [])
        return {row["Key"] for row in listed}

    def read(self, uri: str) -> tuple[bytes, dict[str, str]]:
        """Content and metadata of the object at an ``s3://`` URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        found = self._s3.get_object(Bucket=bucket, Key=key)
        return found["Body"].read(), found["Metadata"]

    # Inside.

    def _has(self, bucket: str, key: str) -> bool:
        return bool(self._s3.list_objects_v2(Bucket=bucket, Prefix=key).get("KeyCount"))

    def _describe(self) -> dict[str, Any]:
        return dict(self._stacks.describe_stacks(StackName=self._id)["Stacks"][0])

    def _settled(self) -> str:
        deadline = time.monotonic() + _HANDLER_SECONDS
        while (status := str(self._describe()["StackStatus"])).endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return status

    def _all_physical(self, kind: str) -> list[str]:
        rows = self._stacks.describe_stack_resources(StackName=self._id)["StackResources"]
        return [row["PhysicalResourceId"] for row in rows if row["ResourceType"] == kind]

    def _physical(self, kind: str) -> str:
        (only,) = self._all_physical(kind)
        return only

    def _policies(self) -> Policies:
        """What the handler may do now; nothing, while there is no stack."""
        try:
            roles = self._all_physical("AWS::IAM::Role")
        except ClientError:
            return {}
        publisher = [role for role in roles if role.startswith(self._publisher)]
        return policies_of(self.aws.client("iam"), publisher[0]) if publisher else {}

    def _keys(self) -> dict[str, str]:
        """ARNs of the customer keys that the stack's buckets are encrypted with, by bucket."""
        names = [row["Name"] for row in self._s3.list_buckets()["Buckets"]]
        return {
            name: key for name in names if name.startswith(self.name.lower()) and (key := self._key(name))
        }

    def _key(self, bucket: str) -> str | None:
        try:
            found = self._s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        except ClientError:
            return None
        key = found["Rules"][0]["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")
        return str(key) if key else None

    def _check_permissions(self, seen: int, before: Policies) -> None:
        layer = f"arn:aws:lambda:{_REGION}:{_ACCOUNT}:layer:"
        calls = list(self.aws.calls)[seen:]
        found = refused(calls, self._publisher, before, layer, self._keys())
        assert not found, f"no policy of the handler's role allows {found}"

    @property
    def _publisher(self) -> str:
        return f"{self.name}-LbdartPublisher"


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
