"""The programs of the pages run, and print what is shown."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lbdart_cdk.core.errors import LbdartError
from tests.support.apps import template_of
from tests.support.pages import blocks, programs


def test_programs_are_the_ones_tested_here() -> None:
    run = {program for program, _ in transcripts()}
    apps = {
        "app.py",
        "company_app.py",
        "compiled_app.py",
        "other_app.py",
        "parts_app.py",
        "private_app.py",
        "test_orders_stack.py",
        "vault_app.py",
        "workspace_app.py",
    }
    assert set(programs()) == apps | run


def synthesised(program: str, stack: str, folder: Path, outdir: Path) -> dict[str, Any]:
    """Run a program of a page in a folder; return the stack's template."""
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


def test_a_company_chooses_the_role_and_the_key(orders: Path, cache: Path, tmp_path: Path) -> None:
    resources = synthesised("company_app.py", "Orders", orders, tmp_path / "cdk.out")["Resources"]
    of_type = {resource["Type"]: resource["Properties"] for resource in resources.values()}
    assert of_type["AWS::Lambda::Function"]["Role"] == "arn:aws:iam::123456789012:role/publishing"
    assert of_type["AWS::Logs::LogGroup"]["KmsKeyId"].endswith(":key/1234abcd")
    assert of_type["AWS::IAM::Policy"]["Roles"] == ["publishing"]
    assert "AWS::IAM::Role" not in of_type


def test_credentials_are_taken_from_where_they_are_kept(
    orders: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (orders / "vault_app.py").write_text(programs()["vault_app.py"])
    monkeypatch.chdir(orders)
    with mock_aws():
        with pytest.raises(LbdartError, match="to read the secret ci/packages failed"):
            runpy.run_path("vault_app.py")
        secrets = boto3.client("secretsmanager", region_name="eu-central-1")
        secrets.create_secret(Name="ci/packages", SecretString='{"username": "ci", "password": "m4rked"}')
        ran = runpy.run_path("vault_app.py")
    template = str(template_of(ran["stack"]).to_json())
    assert "Custom::LbdartLayer" in template
    assert "m4rked" not in template


def test_permission_to_build_in_a_container_needs_no_docker_where_nothing_is_built(
    orders: Path, cache: Path, tmp_path: Path
) -> None:
    assert "Custom::LbdartLayer" in str(
        synthesised("compiled_app.py", "Orders", orders, tmp_path / "cdk.out")
    )


def test_projects_of_a_repository_have_functions_of_their_own(
    orders: Path, cache: Path, tmp_path: Path
) -> None:
    root = tmp_path / "repository"
    shutil.copytree(orders, root / "services" / "orders")
    billing = root / "services" / "billing"
    (billing / "src" / "billing").mkdir(parents=True)
    (billing / "src" / "billing" / "app.py").write_text("def handler(event, context): ...\n")
    (billing / "pyproject.toml").write_text('[project]\nname = "billing"\nversion = "1.0"\n')
    resources = synthesised("workspace_app.py", "Shop", root, tmp_path / "cdk.out")["Resources"]
    functions = {
        resource["Properties"]["Handler"]: resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    assert re.match("orders/source/", functions["orders.app.handler"]["Code"]["S3Key"])
    assert re.match("billing/source/", functions["billing.app.handler"]["Code"]["S3Key"])
    assert len(functions["orders.app.handler"]["Layers"]) == 1
    assert "Layers" not in functions["billing.app.handler"]  # it requires nothing


@pytest.mark.parametrize("program", ["app.py", "parts_app.py"])
def test_app_synthesises_a_function_with_layer_and_source(
    orders: Path, cache: Path, tmp_path: Path, program: str
) -> None:
    resources = synthesised(program, "Orders", orders, tmp_path / "cdk.out")["Resources"]
    (function,) = (
        resource["Properties"]
        for name, resource in resources.items()
        if name.startswith("Pricing")
        if resource["Type"] == "AWS::Lambda::Function"
    )
    (chosen,) = function["Layers"]
    index, (layer, _note) = chosen["Fn::Select"]
    assert index == 0
    assert resources[layer["Fn::GetAtt"][0]]["Type"] == "Custom::LbdartLayer"
    assert layer["Fn::GetAtt"][1] == "LayerVersionArn"
    assert re.fullmatch(r"orders/source/1\.2\.0/[0-9a-f]{64}/source\.zip", function["Code"]["S3Key"])
    assert function["Handler"] == "orders.app.handler"


def test_a_unit_test_of_an_app_builds_nothing(
    orders: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (orders / "test_orders_stack.py").write_text(programs()["test_orders_stack.py"])
    monkeypatch.chdir(orders)
    runpy.run_path("test_orders_stack.py")["test_the_function_has_enough_memory"]()
    assert not cache.exists()


def transcripts() -> list[tuple[str, list[str]]]:
    """What the page of scripts shows: each run of a program there, and the lines that it prints."""
    shown_blocks = blocks("docs/scripts.md")
    assert all(each.language == "python" or each.text.startswith("$ python ") for each in shown_blocks)
    runs = "".join(each.text for each in shown_blocks if each.language == "").split("$ python ")[1:]
    shown = {each.program for each in shown_blocks if each.language == "python"}
    assert {run.splitlines()[0] for run in runs} == shown
    return [(run.splitlines()[0], run.splitlines()[1:]) for run in runs]


def in_general(lines: list[str]) -> list[str]:
    """Lines without what depends on the project: its packages, its version, sizes and hashes."""
    masks = {
        r"[0-9a-f]{64}": "SHA256",
        r"\([\d,]+ (bytes|files)": r"(N \1",
        r"\b\d+\.\d+\.\d+\b": "VERSION",
        r"^[a-z0-9-]+ [\d.]+$|^(?!orders)[a-z0-9-]+ VERSION$": "PACKAGE VERSION",
    }
    found: list[str] = []
    for line in lines:
        for pattern, mask in masks.items():
            line = re.sub(pattern, mask, line)  # noqa: PLW2901
        if line != "PACKAGE VERSION" or found[-1] != line:
            found.append(line)
    return found


def test_the_programs_without_cdk_print_what_is_shown(
    orders: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("__init__.py", "rates.json", "notes.txt"):
        (orders / "shared").mkdir(exist_ok=True)
        (orders / "shared" / name).write_text("{}")
    monkeypatch.chdir(orders)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("ARTIFACT_BUCKET", "orders-artifacts")
    runs = transcripts()
    assert len(runs) == 6
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="orders-artifacts")
        for program, shown in runs:
            Path(program).write_text(programs()[program])
            runpy.run_path(program)
            assert in_general(capsys.readouterr().out.splitlines()) == in_general(shown), program
        for layer in ("orders-deps", "orders-shared"):
            versions = boto3.client("lambda").list_layer_versions(LayerName=layer)["LayerVersions"]
            assert [version["Version"] for version in versions] == [1]
        found = boto3.client("s3").list_objects_v2(Bucket="orders-artifacts")["Contents"]
        keys = [re.sub(r"[0-9a-f]{64}", "SHA256", row["Key"]) for row in found]
        assert keys.count("lambda/orders/source/1.2.0/SHA256/source.zip") == 2
        assert "lambda/orders/layer/000001/sbom.cdx.json" in keys
        assert {"lambda/orders/layer/000001/uv.lock", "lambda/shared/layer/000001/uv.lock"} <= set(keys)
