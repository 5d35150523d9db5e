"""S3 and Lambda in memory, with a record of the calls made to them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from lbdart_cdk.core.publishing.manifest import LayerManifest
from lbdart_cdk.core.publishing.s3 import S3Path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client


def zip_of(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("python/package.py"), text)
    return buffer.getvalue()


@dataclass
class FakeAws:
    s3: S3Client
    lambda_: LambdaClient
    s3dir: str = "s3://artifacts/deps"
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    seconds_later: float = 0
    """What S3's clock shows more than the dates of its objects."""
    hooks: list[tuple[Any, str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for bucket, status in (("artifacts", "Enabled"), ("assets", "Enabled"), ("plain", None)):
            self.s3.create_bucket(Bucket=bucket)
            if status:
                self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object(Bucket="assets", Key="layer.zip", Body=zip_of("asset"))
        self.on("provide-client-params.*", self._record)
        self.on("after-call.s3.HeadObject", self._date)

    def on(self, event: str, hook: Callable[..., None]) -> None:
        """Call a hook at an event of botocore, until the test ends."""
        for client in (self.s3, self.lambda_):
            client.meta.events.register(event, hook)
            self.hooks.append((client, event, hook))

    def close(self) -> None:
        for client, event, hook in self.hooks:
            client.meta.events.unregister(event, hook)

    def _record(self, params: dict[str, Any], model: Any, **_: object) -> None:
        self.calls.append((model.name, dict(params)))

    def _date(self, parsed: dict[str, Any], **_: object) -> None:
        date = datetime.now(UTC) + timedelta(seconds=self.seconds_later)
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = format_datetime(date, usegmt=True)

    def forget_checksums(self) -> None:
        """Answer as S3 does for what was uploaded in parts: without a SHA-256 of the whole."""

        def forget(parsed: dict[str, Any], **_: object) -> None:
            for answer in (parsed, parsed.get("CopyObjectResult", {})):
                answer.pop("ChecksumSHA256", None)

        for operation in ("HeadObject", "CopyObject"):
            self.on(f"after-call.s3.{operation}", forget)

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    def sent(self, operation: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == operation]

    def keys(self, bucket: str = "artifacts") -> set[str]:
        return {entry["Key"] for entry in self.s3.list_objects_v2(Bucket=bucket).get("Contents", ())}

    def read(self, path: S3Path) -> bytes:
        return self.s3.get_object(Bucket=path.bucket, Key=path.key)["Body"].read()

    def metadata(self, path: S3Path) -> dict[str, str]:
        return self.s3.head_object(Bucket=path.bucket, Key=path.key)["Metadata"]

    def descriptions(self, layer_name: str) -> dict[int, str]:
        versions = self.lambda_.list_layer_versions(LayerName=layer_name)["LayerVersions"]
        return {version["Version"]: version.get("Description", "") for version in versions}


@pytest.fixture(scope="session")
def clients() -> tuple[S3Client, LambdaClient]:
    """Made once, for it takes longer than a test; each test has an AWS of its own behind them."""
    with mock_aws():
        return boto3.client("s3", region_name="us-east-1"), boto3.client("lambda", region_name="us-east-1")


@pytest.fixture
def aws(clients: tuple[S3Client, LambdaClient]) -> Iterator[FakeAws]:
    with mock_aws():
        fake = FakeAws(*clients)
        yield fake
        fake.close()


@pytest.fixture
def manifest() -> LayerManifest:
    content = b"[[package]]\nname = 'six'\n"
    return LayerManifest("uv.lock", hashlib.md5(content, usedforsecurity=False).hexdigest(), content)
