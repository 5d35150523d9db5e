from __future__ import annotations

from typing import Any

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing.s3 import S3Path
from runtime.properties import LayerProperties, SourceProperties

LAYER: dict[str, Any] = {
    "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:handler",
    "LayerName": "deps",
    "BuildKey": "ab" * 32,
    "ManifestName": "uv.lock",
    "ManifestMd5": "cd" * 16,
    "AssetBucket": "assets",
    "AssetKey": "1.zip",
    "RecordsAssetBucket": "assets",
    "RecordsAssetKey": "1.lock",
    "Bucket": "artifacts",
    "Prefix": "team/deps",
    "RemovalPolicy": "retain",
}
SOURCE: dict[str, Any] = {
    "AssetBucket": "assets",
    "AssetKey": "1.zip",
    "Bucket": "artifacts",
    "Prefix": "team/app",
    "SourceVersion": "1.0+local",
    "SourceSha256": "ab" * 32,
    "RemovalPolicy": "destroy",
}


def test_what_may_be_left_out_is_empty() -> None:
    parsed = LayerProperties.parse(LAYER)
    assert (parsed.description, parsed.license) == ("", "")
    assert (parsed.compatible_runtimes, parsed.compatible_architectures) == ((), ())


def test_locations_are_put_together() -> None:
    parsed = LayerProperties.parse(LAYER)
    assert parsed.asset == S3Path("assets", "1.zip")
    assert parsed.records_asset == S3Path("assets", "1.lock")
    assert parsed.s3dir_lambda == S3Path("artifacts", "team/deps")


@pytest.mark.parametrize("prefix", ["team/app", "/team/app/", "team/app//"])
def test_a_folder_has_one_spelling(prefix: str) -> None:
    parsed = SourceProperties.parse(SOURCE | {"Prefix": prefix})
    assert parsed.s3dir_lambda == S3Path("artifacts", "team/app")


def test_the_whole_bucket_can_be_the_folder() -> None:
    assert SourceProperties.parse(SOURCE | {"Prefix": ""}).s3dir_lambda == S3Path("artifacts", "")


#: What no property can be.
WRONG = (None, 1, ["x"], "\n", "x" * 2000)


def test_each_property_of_a_layer_is_checked() -> None:
    for name in LAYER.keys() - {"ServiceToken"}:
        for value in WRONG:
            with pytest.raises(LbdartError, match=f"property {name} is"):
                LayerProperties.parse(LAYER | {name: value})
        with pytest.raises(LbdartError, match=f"property {name} is missing"):
            LayerProperties.parse({key: given for key, given in LAYER.items() if key != name})


def test_each_property_of_a_source_is_checked() -> None:
    for name in SOURCE:
        for value in WRONG:
            with pytest.raises(LbdartError, match=f"property {name} is"):
                SourceProperties.parse(SOURCE | {name: value})


@pytest.mark.parametrize("value", ["python3.13", [1], [""], None, {}])
def test_a_list_is_one_of_texts(value: object) -> None:
    with pytest.raises(LbdartError, match="CompatibleRuntimes"):
        LayerProperties.parse(LAYER | {"CompatibleRuntimes": value})


@pytest.mark.parametrize("name", ["../uv.lock", "a/b", "..", "."])
def test_a_name_cannot_leave_its_folder(name: str) -> None:
    with pytest.raises(LbdartError):
        LayerProperties.parse(LAYER | {"ManifestName": name})
    with pytest.raises(LbdartError):
        SourceProperties.parse(SOURCE | {"SourceVersion": name})


def test_a_long_wrong_value_is_not_repeated_in_full() -> None:
    with pytest.raises(LbdartError) as caught:
        LayerProperties.parse(LAYER | {"BuildKey": "x" * 5000})
    assert len(str(caught.value)) < 400
