"""The handler between an AWS in memory and a CloudFormation on loopback."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pytest
from botocore import endpoint as endpoint_module
from botocore.awsrequest import AWSResponse, HTTPHeaders
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse
from moto.s3.models import s3_backends

from lbdart_cdk.core.artifacts.records import pack_records
from lbdart_cdk.core.publishing import publish as publish_module
from lbdart_cdk.core.publishing.records import SBOM_NAME
from runtime import handler
from runtime import response as response_module
from tests.support.layers import layer_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runtime.clients import Clients


class CloudFormation:
    """Takes the answers, as the S3 bucket behind a ``ResponseURL`` does."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.refusals: list[int] = []
        """HTTP statuses with which to answer the next requests instead of taking them."""
        taker = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taker.requests.append(
                    (self.path, {key.lower(): value for key, value in self.headers.items()})
                )
                status = taker.refusals.pop(0) if taker.refusals else 200
                if status == 200:
                    taker.bodies.append(body)
                    taker.answers.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/answer?X-Amz-Signature=secret"
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def zip_of(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("python/package.py"), text)
    return buffer.getvalue()


def sbom_of(build: str) -> bytes:
    return json.dumps({"bomFormat": "CycloneDX", "build": build}).encode()


@dataclass
class Context:
    """Lambda's context object."""

    seconds: float
    aws_request_id: str = "request-1"
    log_stream_name: str = "stream-1"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Waiting:
    """The clock of botocore, which goes on when it waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def time(self) -> float:
        return time.time()


@dataclass
class World:
    """Everything around the handler."""

    clients: Clients
    cloudformation: CloudFormation
    hooks: list[tuple[Any, str, Any]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    assets: set[str] = field(default_factory=set)
    waiting: Waiting = field(default_factory=Waiting)

    def __post_init__(self) -> None:
        for bucket in ("artifacts", "assets"):
            self.clients.s3.create_bucket(Bucket=bucket)
            self.clients.s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )

    def on(self, event: str, hook: Callable[..., Any]) -> Callable[[], None]:
        """Call a hook at an event of botocore, until the test ends or what is returned is called."""
        added = [(client, event, hook) for client in (self.clients.s3, self.clients.lambda_)]
        for client, name, function in added:
            client.meta.events.register(name, function)
        self.hooks += added

        def remove() -> None:
            for client, name, function in added:
                client.meta.events.unregister(name, function)

        return remove

    def deny(self, seconds: float, operation: str = "*") -> list[str]:
        """Deny the calls of the next seconds, as IAM does until a changed policy has spread.

        The list that is returned gets the name of each call that was denied.
        """
        denied: list[str] = []
        until = self.waiting.now + seconds

        def refuse(request: Any, event_name: str, **_: object) -> AWSResponse | None:
            if self.waiting.now >= until:
                return None
            denied.append(event_name.rpartition(".")[2])
            headers, body = {"x-amzn-ErrorType": "AccessDeniedException"}, b'{"Message": "Not yet"}'
            if ".s3." in event_name:  # the answer to a HEAD request has no body
                headers, body = {}, b"<Error><Code>AccessDenied</Code><Message>Not yet</Message></Error>"
            request.url = "https://nowhere.invalid"  # or else moto would carry it out, too
            raw = MockRawResponse(b"" if request.method == "HEAD" else body)
            return AWSResponse(request.url, 403, HTTPHeaders.from_dict(headers), raw)

        for service in ("s3", "lambda"):
            self.on(f"before-send.{service}.{operation}", refuse)
        return denied

    def deny_unless_encrypted(self, algorithm: str | None = None) -> None:
        """Deny writes as the first examples of S3's bucket policies do.

        :param algorithm: what a write must name; None for anything.
        """

        def refuse(request: Any, **_: object) -> AWSResponse | None:
            named = request.headers.get("x-amz-server-side-encryption")
            if named is not None and algorithm in (None, named.decode()):
                return None
            request.url = "https://nowhere.invalid"
            body = b"<Error><Code>AccessDenied</Code><Message>Explicit deny</Message></Error>"
            return AWSResponse(request.url, 403, HTTPHeaders(), MockRawResponse(body))

        for operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
            self.on(f"before-send.s3.{operation}", refuse)

    def close(self) -> None:
        for client, event, hook in self.hooks:
            client.meta.events.unregister(event, hook)

    def empty(self) -> None:
        """Forget all artifacts: moto copies everything in a bucket whenever its versions are listed."""
        s3_backends["123456789012"]["aws"].buckets["artifacts"].keys.clear()

    def asset(self, content: bytes, suffix: str) -> str:
        """Key of an asset that ``cdk deploy`` uploaded, once, named by its content."""
        key = hashlib.sha256(content).hexdigest() + suffix
        if key not in self.assets:
            self.assets.add(key)
            self.clients.s3.put_object(Bucket="assets", Key=key, Body=content)
        return key

    def layer(self, name: str, build: str, **changes: Any) -> dict[str, Any]:
        """Properties of a layer whose manifest and zip are those of a build."""
        lock = f"lock of {build}".encode()
        build_key = hashlib.sha256(build.encode()).hexdigest()
        md5 = hashlib.md5(lock, usedforsecurity=False).hexdigest()
        content = layer_zip(build, build_key)
        return {
            "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:handler",
            "LayerName": name,
            "BuildKey": build_key,
            "ZipSha256": hashlib.sha256(content).hexdigest(),
            "ManifestName": "uv.lock",
            "ManifestMd5": md5,
            "AssetBucket": "assets",
            "AssetKey": self.asset(content, ".zip"),
            "RecordsAssetBucket": "assets",
            "RecordsAssetKey": self.asset(
                pack_records({"uv.lock": lock, SBOM_NAME: sbom_of(build)}), ".records.zip"
            ),
            "Bucket": "artifacts",
            "Prefix": name,
            "Description": "Ours",
            "CompatibleRuntimes": ["python3.13"],
            "CompatibleArchitectures": ["arm64"],
            "RemovalPolicy": "retain",
            **changes,
        }

    def source(self, prefix: str, build: str, **changes: Any) -> dict[str, Any]:
        """Properties of a source whose zip is that of a build."""
        return {
            "AssetBucket": "assets",
            "AssetKey": self.asset(zip_of(build), ".zip"),
            "Bucket": "artifacts",
            "Prefix": prefix,
            "SourceVersion": "1.0",
            "SourceSha256": hashlib.sha256(zip_of(build)).hexdigest(),
            "RemovalPolicy": "retain",
            **changes,
        }

    def event(self, request_type: str, properties: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """An event as CloudFormation sends it."""
        resource_type = "Custom::LbdartLayer" if "LayerName" in properties else "Custom::LbdartSource"
        return {
            "RequestType": request_type,
            "ResponseURL": self.cloudformation.url,
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/app/1",
            "RequestId": f"request-{next(self.numbers)}",
            "ResourceType": resource_type,
            "LogicalResourceId": "Resource1",
            "ResourceProperties": properties,
            **changes,
        }

    def handle(self, event: dict[str, Any], seconds: float = 300) -> None:
        """Let the handler carry out an event within a time."""
        handler.handle(event, Context(seconds))

    def send(self, event: dict[str, Any]) -> dict[str, Any]:
        """Let the handler carry out an event, and return its one answer."""
        before = len(self.cloudformation.answers)
        self.handle(event)
        (answer,) = self.cloudformation.answers[before:]
        return answer

    def versions(self, name: str) -> dict[int, str]:
        """Build keys of a layer's versions."""
        versions = self.clients.lambda_.list_layer_versions(LayerName=name)["LayerVersions"]
        return {version["Version"]: version["Description"][-65:-1] for version in versions}

    def keys(self, prefix: str) -> set[str]:
        listed = self.clients.s3.list_objects_v2(Bucket="artifacts", Prefix=prefix + "/")
        return {entry["Key"].removeprefix(prefix + "/") for entry in listed.get("Contents", ())}

    def check_layer(self, answer: dict[str, Any], properties: dict[str, Any]) -> None:
        """The answer names the one version that the build key has, and its manifest is right."""
        assert answer["Status"] == "SUCCESS", answer
        name, data = properties["LayerName"], answer["Data"]
        having = [v for v, key in self.versions(name).items() if key == properties["BuildKey"]]
        assert [str(version) for version in having] == [data["LayerVersion"]]
        found = self.clients.lambda_.get_layer_version(LayerName=name, VersionNumber=having[0])
        assert found["LayerVersionArn"] == data["LayerVersionArn"]
        key = f"{properties['Prefix']}/layer/{having[0]:06d}/{properties['ManifestName']}"
        assert data["ManifestUri"] == f"s3://artifacts/{key}"
        stored = self.clients.s3.get_object(Bucket="artifacts", Key=key)
        assert hashlib.md5(stored["Body"].read()).hexdigest() == properties["ManifestMd5"]
        assert stored["Metadata"]["layer_version_arn"] == data["LayerVersionArn"]
        sbom = self.clients.s3.get_object(Bucket="artifacts", Key=str(PurePath(key).with_name(SBOM_NAME)))
        records = self.clients.s3.get_object(Bucket="assets", Key=properties["RecordsAssetKey"])[
            "Body"
        ].read()
        assert sbom["Body"].read() in records
        assert sbom["Metadata"]["build_key"] == stored["Metadata"]["build_key"] == properties["BuildKey"]

    def check_source(self, answer: dict[str, Any], properties: dict[str, Any]) -> None:
        """The answer names the zip, and it is the asset."""
        assert answer["Status"] == "SUCCESS", answer
        key = answer["Data"]["Key"]
        assert key == f"{properties['Prefix']}/source/1.0/{properties['SourceSha256']}/source.zip"
        assert answer["Data"]["S3Uri"] == f"s3://artifacts/{key}"
        stored, asset = (
            self.clients.s3.get_object(Bucket=bucket, Key=name)["Body"].read()
            for bucket, name in (("artifacts", key), ("assets", properties["AssetKey"]))
        )
        assert stored == asset


@pytest.fixture(scope="session")
def _clients() -> Clients:
    """Made once, for it takes longer than a test; each test has an AWS of its own behind them."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return handler._clients()


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    server = CloudFormation()
    yield server
    server.close()


@pytest.fixture
def world(
    _clients: Clients, cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr(publish_module, "sleep", lambda _: None)
    monkeypatch.setattr(response_module, "sleep", lambda _: None)
    with mock_aws():
        world = World(_clients, cloudformation)
        monkeypatch.setattr(endpoint_module, "time", world.waiting)
        yield world
        world.close()
