"""``lbdart versions``: what it asks for, and how it ends."""

from __future__ import annotations

import json

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from lbdart_cdk.cli import main
from lbdart_cdk.core.publishing.limits import describe
from tests.support.layers import layer_zip

KEY = "3f" * 32


def versions(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["versions", *arguments])


@pytest.fixture(autouse=True)
def _published(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("lambda").publish_layer_version(
            LayerName="deps", Content={"ZipFile": layer_zip("a", KEY)}, Description=describe("", KEY)
        )
        yield


def test_it_is_there_for_machines() -> None:
    result = versions("deps", "--json")
    assert result.exit_code == 0, result.output
    (version,) = json.loads(result.stdout)
    assert (version["number"], version["build_key"], version["used_by"]) == (1, KEY, {})
    assert version["size"] == len(layer_zip("a", KEY))


def test_without_functions_there_is_no_column_for_them() -> None:
    assert versions("deps").output.splitlines()[0].endswith("Build key     Used by")
    assert versions("deps", "--no-functions").output.splitlines()[0].endswith("Build key")


def test_an_arn_has_its_region() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:gone"
    assert versions(arn).output.startswith(f"Error: There is no layer {arn} in eu-west-1.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "Error: There is no layer gone in us-east-1."),
        (["deps:2"], "Error: There is no version 2 of the layer deps."),
        (["s3://x"], "Error: 's3://x' is not the name of a layer or of a layer version."),
        (["deps", "--profile", "gone"], "Error: AWS cannot be asked: The config profile (gone) could not be"),
        (["deps", "--bucket", "gone"], "Error: The bucket does not exist"),
    ],
)
def test_mistakes_are_explained(arguments: list[str], message: str) -> None:
    result = versions(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith(message)
    assert len(result.output.splitlines()) == 2
