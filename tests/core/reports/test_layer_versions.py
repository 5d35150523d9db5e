"""The versions of a layer: all pages, all functions, and nothing is written."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing.layouts import LayerS3Layout
from lbdart_cdk.core.publishing.limits import describe
from lbdart_cdk.core.reports.layer_versions import layer_versions

if TYPE_CHECKING:
    from tests.core.conftest import FakeAws

KEY = "3f" * 32


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "")
    return buffer.getvalue()


def publish(aws: FakeAws, description: str = "", name: str = "deps") -> str:
    return aws.lambda_.publish_layer_version(
        LayerName=name,
        Content={"ZipFile": zipped()},
        Description=description,
        CompatibleRuntimes=["python3.13"],
        CompatibleArchitectures=["arm64"],
    )["LayerVersionArn"]


def function(aws: FakeAws, name: str, *layers: str) -> None:
    iam = boto3.client("iam", region_name="us-east-1")
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=json.dumps(trust))
    aws.lambda_.create_function(
        FunctionName=name,
        Role=role["Role"]["Arn"],
        Code={"ZipFile": zipped()},
        Runtime="python3.13",
        Handler="app.handler",
        Layers=list(layers),
    )


def test_each_version_says_what_it_is_and_who_uses_it(aws: FakeAws) -> None:
    first, second = publish(aws, describe("Of orders.", KEY)), publish(aws)
    other = publish(aws, name="other")
    function(aws, "orders", first, other)
    aws.lambda_.publish_version(FunctionName="orders")
    function(aws, "billing", first)
    function(aws, "plain")
    aws.s3.put_object(Bucket="artifacts", Key="deps/layer/000001/uv.lock", Body=b"")
    aws.s3.put_object(Bucket="artifacts", Key="deps/layer/000001/sbom.cdx.json", Body=b"")
    aws.s3.put_object(Bucket="artifacts", Key="deps/layer/layer.zip", Body=b"")
    aws.calls.clear()
    newest, oldest = layer_versions(aws.lambda_, "deps", records=(aws.s3, LayerS3Layout(aws.s3dir)))
    assert (oldest.number, oldest.arn, newest.arn) == (1, first, second)
    assert (oldest.runtimes, oldest.architectures) == (("python3.13",), ("arm64",))
    assert (oldest.build_key, newest.build_key) == (KEY, None)
    assert oldest.size == newest.size == len(zipped())
    assert oldest.created[:2] == "20"
    assert oldest.manifest == "s3://artifacts/deps/layer/000001/uv.lock"
    assert newest.manifest is None
    assert oldest.used_by == {"billing": ["$LATEST"], "orders": ["$LATEST", "1"]}
    assert oldest.users == ["billing", "orders", "orders:1"]
    assert newest.used_by == {}
    assert {name.removeprefix("List").removeprefix("Get") for name in aws.operations} == {
        *("LayerVersions", "LayerVersion", "ObjectsV2", "Functions")
    }


def test_more_versions_than_a_page_holds_are_all_listed(aws: FakeAws) -> None:
    publish(aws)
    (row,) = aws.lambda_.list_layer_versions(LayerName="deps")["LayerVersions"]
    pages = {None: (3, "a"), "a": (2, "b"), "b": (1, None)}

    markers: list[str | None] = []

    def note(params: dict[str, Any], **_: object) -> None:
        markers.append(params.get("Marker"))

    def page(parsed: dict[str, Any], **_: object) -> None:
        number, marker = pages[markers[-1]]
        parsed["LayerVersions"] = [{**row, "Version": number}]
        if marker is not None:
            parsed["NextMarker"] = marker

    aws.on("provide-client-params.lambda.ListLayerVersions", note)
    aws.on("after-call.lambda.ListLayerVersions", page)
    found = layer_versions(aws.lambda_, "deps", with_functions=False)
    assert [version.number for version in found] == [3, 2, 1]
    assert all(version.used_by is None for version in found)


def deny(aws: FakeAws, operation: str) -> None:
    def refuse(parsed: dict[str, Any], http_response: Any, **_: object) -> None:
        http_response.status_code = 403
        parsed["Error"] = {"Code": "AccessDeniedException", "Message": "no"}

    aws.on(f"after-call.lambda.{operation}", refuse)


def test_who_may_not_list_functions_is_told_what_to_do(aws: FakeAws) -> None:
    publish(aws)
    deny(aws, "ListFunctions")
    with pytest.raises(LbdartError, match="AWS refused ListFunctions") as caught:
        layer_versions(aws.lambda_, "deps")
    assert caught.value.remedy == "Allow lambda:ListFunctions, or pass --no-functions."
    assert len(layer_versions(aws.lambda_, "deps", with_functions=False)) == 1


def test_a_size_that_may_not_be_read_is_not_known(aws: FakeAws) -> None:
    publish(aws)
    deny(aws, "GetLayerVersion")
    (version,) = layer_versions(aws.lambda_, "deps")
    assert version.size is None


def test_a_layer_that_is_not_there(aws: FakeAws) -> None:
    with pytest.raises(LbdartError, match="There is no layer deps in us-east-1"):
        layer_versions(aws.lambda_, "deps")
