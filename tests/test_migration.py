"""The page for those who come from aws_lbd_art_builder: its programs run, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import boto3
import pytest
from moto import mock_aws

from lbdart_cdk.core import api

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = (ROOT / "docs/from_aws_lbd_art_builder.md").read_text()
ARN: Final = "arn:aws:lambda:us-east-1:123456789012:layer:orders"
FOLDER: Final = "s3://my-bucket/projects/orders/lambda"


def test_its_programs_run(
    orders: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(orders)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    said = []
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="my-bucket")
        for program in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
            exec(compile(program, "<page>", "exec"), {"__name__": "__main__"})
            said.append(capsys.readouterr().out.splitlines()[-2:])
    workflow, steps, source, own, error = said
    assert workflow[-1] == f"{ARN}:1 {FOLDER}/layer/000001/uv.lock"
    assert steps[-1] == "2"  # the zip identifies it, and not the build
    assert re.fullmatch(rf"1\.2\.0 {FOLDER}/source/1\.2\.0/[0-9a-f]{{64}}/source\.zip", source[-1])
    assert own[-1] == "build/lambda/layer/layer.zip"
    assert error == [
        "There is no elsewhere/build/lambda/layer/layer.zip.",
        "Pack the layer first, with create_layer_zip_file().",
    ]


def test_the_names_that_stay_are_there() -> None:
    rows = re.findall(r"^\| (`.*?`) \| (nothing|takes?)\b", PAGE.split("## Names")[1], re.MULTILINE)
    names = {name for cell, _ in rows for name in re.findall(r"`(\w+)`", cell)}
    assert len(names) > 20
    assert [name for name in sorted(names) if not hasattr(api, name)] == []


def test_the_tests_that_it_names_are_there() -> None:
    files = re.findall(r"`(tests/core/[^`]+)`", PAGE)
    assert len(files) > 10
    assert [file for file in files if not (ROOT / file).is_file()] == []
