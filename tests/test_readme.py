"""What the README shows runs, and its tables say what the code says."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from aws_cdk import RemovalPolicy
from moto import mock_aws

import lbdart_cdk
from lbdart_cdk.core import api
from lbdart_cdk.core.lock import DEFAULT_EXCLUDE

README: Final = Path(__file__).parents[1].joinpath("README.md").read_text()
#: How the tables name defaults that are no literals.
WORDS: Final = {"none": (None, ()), "empty": ("",), "`RETAIN`": (RemovalPolicy.RETAIN,)}


def programs() -> dict[str, str]:
    """The blocks of Python that begin with the name of their file."""
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    named = {re.match(r"# (\S+\.py)\n", block): block for block in blocks}
    return {match[1]: block for match, block in named.items() if match}


def table(construct: str) -> Iterator[tuple[str, str]]:
    """Each prop in the table of a construct, with the text of its default."""
    section = README.split(f"### {construct}\n")[1].split("\n#")[0]
    for row in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE):
        names, default, _ = row.split(" | ")
        for name in re.findall(r"`(\w+)`", names):
            yield name, default


def parameters(construct: str) -> dict[str, inspect.Parameter]:
    found = inspect.signature(getattr(lbdart_cdk, construct).__init__).parameters
    return {name: each for name, each in found.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}


def test_programs_are_the_ones_tested_here() -> None:
    assert set(programs()) == {"app.py", "compiled_app.py", "deploy.py", "other_app.py", "private_app.py"}


def synthesised(program: str, stack: str, folder: Path, outdir: Path) -> dict[str, Any]:
    """Run a program of the README in a folder; return the stack's template."""
    (folder / program).write_text(programs()[program])
    done = subprocess.run(
        [sys.executable, program],
        cwd=folder,
        env={**os.environ, "CDK_OUTDIR": str(outdir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    template: dict[str, Any] = json.loads((outdir / f"{stack}.template.json").read_text())
    return template


def test_another_app_takes_the_layer_by_its_parameter(tmp_path: Path) -> None:
    template = synthesised("other_app.py", "Reports", tmp_path, tmp_path / "cdk.out")
    (function,) = (
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    )
    (layer,) = function["Layers"]
    parameter = template["Parameters"][layer["Ref"]]
    assert parameter == {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/orders/deps"}


def test_credentials_are_in_no_template(
    orders: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", "m4rked")
    template = synthesised("private_app.py", "Orders", orders, tmp_path / "cdk.out")
    assert "Custom::LbdartLayer" in str(template)
    assert "m4rked" not in str(template)


def test_permission_to_build_in_a_container_needs_no_docker_where_nothing_is_built(
    orders: Path, cache: Path, tmp_path: Path
) -> None:
    assert "Custom::LbdartLayer" in str(
        synthesised("compiled_app.py", "Orders", orders, tmp_path / "cdk.out")
    )


def test_app_synthesises_a_function_with_layer_and_source(orders: Path, cache: Path, tmp_path: Path) -> None:
    resources = synthesised("app.py", "Orders", orders, tmp_path / "cdk.out")["Resources"]
    (function,) = (
        resource["Properties"]
        for name, resource in resources.items()
        if name.startswith("Pricing")
        if resource["Type"] == "AWS::Lambda::Function"
    )
    (layer,) = function["Layers"]
    assert resources[layer["Fn::GetAtt"][0]]["Type"] == "Custom::LbdartLayer"
    assert layer["Fn::GetAtt"][1] == "LayerVersionArn"
    assert re.fullmatch(r"orders/source/1\.2\.0/[0-9a-f]{64}/source\.zip", function["Code"]["S3Key"])
    assert function["Handler"] == "orders.app.handler"


def test_deploy_without_cdk_publishes_the_layer_once(
    orders: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (orders / "deploy.py").write_text(programs()["deploy.py"])
    monkeypatch.chdir(orders)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("ARTIFACT_BUCKET", "artifacts")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="artifacts")
        for _ in range(2):
            runpy.run_path("deploy.py")
            printed = capsys.readouterr().out.splitlines()
            assert printed[-1] == "arn:aws:lambda:us-east-1:123456789012:layer:orders-deps:1"
        found = boto3.client("s3").list_objects_v2(Bucket="artifacts", Prefix="lambda/orders/layer/0")
        assert [row["Key"] for row in found["Contents"]] == ["lambda/orders/layer/000001/uv.lock"]


@pytest.mark.parametrize("construct", lbdart_cdk.__all__)
def test_table_of_props_is_the_signature(construct: str) -> None:
    documented = dict(table(construct))
    signature = parameters(construct)
    assert list(documented) == list(signature)
    for name, text in documented.items():
        default = signature[name].default
        if text in WORDS:
            assert default in WORDS[text], name
        elif re.fullmatch(r"`[^`]+`", text):
            assert default == ast.literal_eval(text.strip("`")), name
        elif text.startswith("as above"):
            assert default == parameters("LambdaLayerArtifact")[name].default, name
        else:
            assert default is None, name  # described, and chosen when the construct is made


@pytest.mark.parametrize("construct", lbdart_cdk.__all__)
def test_every_prop_has_a_docstring(construct: str) -> None:
    documentation = inspect.getdoc(getattr(lbdart_cdk, construct).__init__) or ""
    assert re.findall(r"^:param (\w+):", documentation, re.MULTILINE) == list(parameters(construct))


def test_list_of_what_is_left_out_is_the_default() -> None:
    paragraph = README.split("Left out by default is")[1].split("\n\n")[0]
    listed = re.split(r"[,\s]+", paragraph.split(":")[1].split(".")[0].strip())
    assert sorted(listed) == sorted(DEFAULT_EXCLUDE)


@pytest.mark.parametrize("name", api.__all__)
def test_public_name_imports(name: str) -> None:
    assert getattr(api, name) is not None
