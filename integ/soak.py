"""Deploys a layer many times in a row on the local AWS, with random changes and random faults.

    python -m integ.soak [DEPLOYMENTS [SEED]]

Each deployment updates a CloudFormation stack; the handler runs in its own process. After each deployment the
stack has the new or the previous version. At the end the history in S3 and the versions in Lambda agree, and
neither the handler's memory nor the number of temporary files has grown.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from integ.local_aws import LocalAws
from lbdart_cdk.constructs.handler_zip import handler_zip
from lbdart_cdk.core.artifacts.records import pack_records
from lbdart_cdk.core.publishing.limits import described_build_key
from lbdart_cdk.core.publishing.records import SBOM_NAME
from tests.support.layers import layer_zip

__all__ = ["Report", "soak"]

_BUILDS: Final = 40
_STACK: Final = "soak"
_LAYER: Final = "soak-deps"
_SECONDS: Final = 120
_RUNTIME: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
_OPERATIONS: Final = (
    *("ListLayerVersions", "GetLayerVersion", "PublishLayerVersion", "DeleteLayerVersion"),
    *(
        "HeadObject",
        "GetObject",
        "PutObject",
        "CopyObject",
        "ListObjectVersions",
        "DeleteObject",
        "PutParameter",
    ),
)
_KINDS: Final = {
    "throttled": {"code": "TooManyRequestsException", "status": 429},
    "refused": {"code": "AccessDenied", "status": 403},
    "lost": {"code": "InternalError", "status": 500, "when": "after"},
}


@dataclass
class Report:
    """The events and the final state of a soak.

    :param faults: how often an injected fault struck.
    :param lost: versions that are missing or have the wrong build.
    :param duplicated: versions with the same build as another version.
    :param versions: versions in Lambda at the end.
    :param folders: versions in the history in S3 at the end.
    :param memory_growth: bytes that the handler's process has more at the end than after a tenth of the
        deployments.
    :param file_growth: temporary files at the end that were not there at the start.
    """

    seed: int
    deployments: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    lost: int = 0
    duplicated: int = 0
    versions: int = 0
    folders: int = 0
    memory_growth: int = 0
    file_growth: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is lost or duplicated, and nothing has grown."""
        return (
            not (self.lost or self.duplicated or self.file_growth)
            and self.versions == self.folders
            and self.memory_growth < 16 * 2**20
        )


class _Soak:
    def __init__(self, aws: LocalAws, seed: int) -> None:
        self.aws = aws
        self.random = random.Random(seed)
        self.report = Report(seed)
        self.s3, self.lambda_ = aws.client("s3"), aws.client("lambda")
        self.stacks = aws.client("cloudformation")
        for bucket in ("soak-assets", "soak-artifacts"):
            self.s3.create_bucket(Bucket=bucket)
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object(Bucket="soak-assets", Key="handler.zip", Body=handler_zip())

    def template(self, number: int, build: int, keep: int | None) -> str:
        """Return the template: handler, layer, and a parameter that changes after the layer."""
        trust = {"Version": "2012-10-17", "Statement": []}
        code = {"S3Bucket": "soak-assets", "S3Key": "handler.zip"}
        return json.dumps(
            {
                "Resources": {
                    "Role": {
                        "Type": "AWS::IAM::Role",
                        "Properties": {"AssumeRolePolicyDocument": trust},
                    },
                    "Handler": {
                        "Type": "AWS::Lambda::Function",
                        "Properties": {
                            "Code": code,
                            "Handler": "runtime.handler.handle",
                            "Runtime": _RUNTIME,
                            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                            "Timeout": 60,
                            "Environment": {
                                "Variables": {"LBDART_LEASE_SECONDS": "2", "LBDART_DENIED_SECONDS": "0"}
                            },
                        },
                    },
                    "Layer": {
                        "Type": "Custom::LbdartLayer",
                        "Properties": {
                            "ServiceToken": {"Fn::GetAtt": ["Handler", "Arn"]},
                            **self.layer(build),
                            **({"KeepVersions": str(keep)} if keep else {}),
                        },
                    },
                    "Late": {
                        "Type": "AWS::SSM::Parameter",
                        "DependsOn": "Layer",
                        "Properties": {"Type": "String", "Value": str(number)},
                    },
                },
                "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Layer", "LayerVersionArn"]}}},
            }
        )

    def layer(self, build: int) -> dict[str, Any]:
        """Upload the assets of a build, and return the layer's properties."""
        lock = f"lock of {build}".encode()
        key, md5 = _key(build), hashlib.md5(lock, usedforsecurity=False).hexdigest()
        zipped = layer_zip(f"BUILD = {build}\n", key)
        assets = {
            f"{key}.zip": zipped,
            f"{key}.records.zip": pack_records({"uv.lock": lock, SBOM_NAME: b"{}"}),
        }
        for name, content in assets.items():
            self.s3.put_object(Bucket="soak-assets", Key=name, Body=content)
        return {
            "LayerName": _LAYER,
            "BuildKey": key,
            "ZipSha256": hashlib.sha256(zipped).hexdigest(),
            "ManifestName": "uv.lock",
            "ManifestMd5": md5,
            "AssetBucket": "soak-assets",
            "AssetKey": f"{key}.zip",
            "RecordsAssetBucket": "soak-assets",
            "RecordsAssetKey": f"{key}.records.zip",
            "Bucket": "soak-artifacts",
            "Prefix": "soak",
            "RemovalPolicy": "retain",
        }

    def deploy(self, number: int, build: int, keep: int | None) -> str:
        """Create or update the stack, and return its status."""
        request = {"StackName": _STACK, "TemplateBody": self.template(number, build, keep)}
        operation = self.stacks.update_stack if number else self.stacks.create_stack
        operation(**request, Capabilities=["CAPABILITY_IAM"])
        deadline = time.monotonic() + _SECONDS
        while (status := str(self.described()["StackStatus"])).endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline, status
            time.sleep(0.02)
        return status

    def described(self) -> dict[str, Any]:
        """Return CloudFormation's description of the stack."""
        return dict(self.stacks.describe_stacks(StackName=_STACK)["Stacks"][0])

    @property
    def arn(self) -> str:
        """The ARN of the stack's layer version."""
        (output,) = self.described()["Outputs"]
        return str(output["OutputValue"])

    def versions(self) -> dict[int, str]:
        """Return the build key of each version of the layer."""
        pages = self.lambda_.get_paginator("list_layer_versions").paginate(LayerName=_LAYER)
        rows = [row for page in pages for row in page["LayerVersions"]]
        return {row["Version"]: described_build_key(row["Description"]) or "" for row in rows}

    def folders(self) -> dict[int, str]:
        """Return the build key of each version whose manifest and SBOM are in the history."""
        build_keys = {}
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket="soak-artifacts", Prefix="soak/layer/0"
        )
        keys = {row["Key"] for page in pages for row in page.get("Contents", ())}
        for key in sorted(keys):
            folder, _, name = key.rpartition("/")
            if name == "uv.lock" and f"{folder}/{SBOM_NAME}" in keys:
                stored = self.s3.get_object(Bucket="soak-artifacts", Key=key)
                assert f"lock of {_build(stored['Metadata']['build_key'])}".encode() == stored["Body"].read()
                build_keys[int(folder.rpartition("/")[2])] = stored["Metadata"]["build_key"]
        return build_keys

    def step(self, number: int, build: int, keep: int | None, faulty: bool) -> None:
        """Deploy once, and check the result."""
        before, old_versions = (self.arn, self.versions()) if number else ("", {})
        fault = None
        if faulty:
            kind = self.random.choice(sorted(_KINDS))
            operation = self.random.choice(_OPERATIONS)
            caller = "cloudformation" if operation == "PutParameter" else "function"
            nth, times = self.random.randint(1, 4), 1 if kind == "refused" else self.random.randint(1, 2)
            options: Any = _KINDS[kind]
            fault = self.aws.faults.add(operation, **options, nth=nth, times=times, caller=caller)
        status = self.deploy(number, build, keep)
        self.aws.faults.clear()
        self.report.deployments += 1
        self.report.statuses[status] += 1
        self.report.faults += fault.hits if fault else 0
        versions = self.versions()
        self.report.duplicated += len(versions) - len(set(versions.values()))
        gone = old_versions.keys() - versions.keys()
        self.report.lost += (
            len(gone) if keep is None else any(version > current_of(before) for version in gone)
        )
        arn, current = self.arn, current_of(self.arn)
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            self.report.lost += versions.get(current) != _key(build)
        else:
            assert status == "UPDATE_ROLLBACK_COMPLETE", status
            self.report.lost += arn != before or current not in versions

    def resident(self) -> int:
        """Return the resident memory of the handler's process in bytes."""
        (process,) = [env._process for env in self.aws._executor._idle if env.alive][-1:]
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def current_of(arn: str) -> int:
    """Return the version's number from its ARN."""
    return int(arn.rpartition(":")[2])


def _key(build: int) -> str:
    return f"{build:064x}"


def _build(key: str) -> int:
    return int(key, 16)


def _temporary_files(aws: LocalAws) -> int:
    return len(list(aws.temporary.iterdir()))


def soak(aws: LocalAws, deployments: int, seed: int) -> Report:
    """Deploy repeatedly to an account without a soak; the same seed gives the same order of events."""
    run = _Soak(aws, seed)
    files, memory = _temporary_files(aws), 0
    for number in range(deployments):
        keep = run.random.choice((None, 2, 3, 5))
        faulty = bool(number) and run.random.random() < 0.5
        run.step(number, run.random.randrange(_BUILDS), keep, faulty)
        if number == deployments // 10:
            memory = run.resident()
    run.report.memory_growth = max(0, run.resident() - memory)
    # A version that a failed deployment published has no folder until it is deployed again.
    for key in sorted(set(run.versions().values()) - set(run.folders().values())):
        deployments += 1
        run.step(deployments, _build(key), None, faulty=False)
    versions, folders = run.versions(), run.folders()
    run.report.versions, run.report.folders = len(versions), len(folders)
    run.report.lost += sum(folders.get(number) != key for number, key in versions.items())
    run.report.file_growth = _temporary_files(aws) - files
    return run.report


def main() -> None:
    """Run the soak and print its report; exit with 1 if it is not sound."""
    arguments = [int(argument) for argument in sys.argv[1:]]
    deployments, seed = [*arguments, *(200, 1)[len(arguments) :]]
    began = time.monotonic()
    with LocalAws(service_timeout_cap=60.0) as aws:
        report = soak(aws, deployments, seed)
    print(f"seed {report.seed}: {report.deployments} deployments in {time.monotonic() - began:.0f} s")
    print(f"faults that struck       {report.faults}")
    for status, times in sorted(report.statuses.items()):
        print(f"  {status:26} {times}")
    print(f"versions lost            {report.lost}")
    print(f"versions duplicated      {report.duplicated}")
    print(f"versions / in history    {report.versions} / {report.folders}")
    print(f"handler's memory grew    {report.memory_growth / 2**20:.1f} MB")
    print(f"temporary files left     {report.file_growth}")
    if not report.is_sound:
        sys.exit(1)


if __name__ == "__main__":
    main()
