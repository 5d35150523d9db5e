"""Each example is synthesised as its page shows it, and two are deployed and called.

They take packages from the index that uv is set up with, as far as the user's cache does not have them.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from integ.local_aws import LocalAws
from integ.local_aws.functions.interpreters import find_interpreter
from integ.tests.support.cdk_cli import CDK, Cdk
from integ.tests.support.deploying import Assembly, Deployment
from integ.tests.support.examples import EXAMPLES, Example, Synthesised, commands, shown
from tests.support.private_index import PASSWORD, SECRETS, USER, PrivateIndex, serving
from tests.support.wheels import make_wheel

registry = pytest.mark.registry

FUNCTION: Final = "AWS::Lambda::Function"
LAYER: Final = "Custom::LbdartLayer"
#: The context of an app that ``Deployment`` deploys.
DEPLOYED: Final = json.dumps({"@aws-cdk/core:bootstrapQualifier": "tests"})


def functions(assembly: Assembly, stack: str) -> dict[str, dict[str, Any]]:
    """Properties of a stack's functions by their construct, without the one that publishes."""
    found = assembly.resources(stack, FUNCTION).items()
    return {name[:-8]: row for name, row in found if not name.startswith("LbdartPublisher")}


def in_layer(assembly: Assembly, stack: str, display_name: str) -> set[str]:
    """Names of the files in the layer whose zip is shown under a name."""
    digest = assembly.asset_key(stack, display_name)
    (path,) = (path for _, key, path in assembly.assets(stack) if key == digest)
    return set(zipfile.ZipFile(path).namelist())


@pytest.fixture
def private(tmp_path: Path) -> Iterator[PrivateIndex]:
    """A private index with the one package of the example."""
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "team_rates", files={"team_rates.py": "VERSION = '2026'\n"})
    with serving(wheels) as index:
        yield index


def test_every_example_is_complete_and_on_the_page() -> None:
    names = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text()
    assert names == set(re.findall(r"^## (\w+)$", page, re.MULTILINE))
    for name in names:
        for file in ("README.md", "app.py", "cdk.json", "pyproject.toml"):
            assert (EXAMPLES / name / file).is_file(), (name, file)
        readme = (EXAMPLES / name / "README.md").read_text()
        entered, *then = commands(name)
        assert entered == f"cd examples/{name}"
        for command in then:
            assert f"    {command}\n" in readme, (name, command)


@registry
def test_fastapi(tmp_path: Path) -> None:
    made = Example.copy("fastapi", tmp_path).lock().synth()
    assert made.lines == shown("fastapi")
    (function,) = functions(made, "Books").values()
    assert (function["Runtime"], function["Handler"]) == ("python3.13", "books.app.handler")
    assert len(function["Layers"]) == 1
    (url,) = made.resources("Books", "AWS::Lambda::Url").values()
    assert url["AuthType"] == "NONE"


@registry
def test_powertools(tmp_path: Path) -> None:
    made = Example.copy("powertools", tmp_path).lock().synth()
    assert made.lines == shown("powertools")
    assert [len(made.resources(stack, LAYER)) for stack in ("Shop", "Reports")] == [1, 0]
    ((orders,), (daily,)) = (functions(made, stack).values() for stack in ("Shop", "Reports"))
    # The other stack reads the current version when it is deployed, and no export is made for it.
    assert "Fn::GetStackOutput" in json.dumps(daily["Layers"])
    assert not [row for row in made.template("Shop")["Outputs"].values() if "Export" in row]
    assert orders["Code"]["S3Key"] == daily["Code"]["S3Key"]


@registry
def test_pandas(tmp_path: Path) -> None:
    if find_interpreter("python3.13")[1]:
        pytest.skip("there is no Python 3.13 here to compile for that runtime")
    made = Example.copy("pandas", tmp_path).synth()
    assert made.lines == shown("pandas")
    found = functions(made, "Report")
    assert {name: row["Architectures"] for name, row in found.items()} == {
        "TotalsX86": ["x86_64"],
        "TotalsArm": ["arm64"],
    }
    assert len({row["Code"]["S3Key"] for row in found.values()}) == 1
    for name, machine in (("PandasX86", "x86_64"), ("PandasArm", "aarch64")):
        names = in_layer(made, "Report", f"{name}/Zip")
        assert {path.rsplit("-", 3)[-3] for path in names if path.endswith("-linux-gnu.so")} == {machine}
        assert "python/pandas/__pycache__/__init__.cpython-313.pyc" in names
        assert not [path for path in names if "/tests/" in path or path.endswith(".pyi")]


@registry
def test_workspace(tmp_path: Path) -> None:
    made = Example.copy("workspace", tmp_path).lock().synth()
    assert made.lines == shown("workspace")
    layers = {}
    for name in ("orders", "invoices", "stock"):
        names = in_layer(made, "Shop", f"FunctionLayers/{name}-python313-x86_64/Zip")
        assert "python/shop_core/__init__.py" in names
        layers[name] = {path.split("/")[1] for path in names}
    assert {name for name, packages in layers.items() if "pydantic" in packages} == {"orders"}
    assert {name for name, packages in layers.items() if "jinja2" in packages} == {"invoices"}
    assert len(made.resources("Shop", LAYER)) == len(functions(made, "Shop")) == 3


def private_example(tmp_path: Path, private: PrivateIndex) -> Example:
    example = Example.copy("private_index", tmp_path)
    example.replace("https://packages.example.com/simple/", private.simple, "pyproject.toml", "app.py")
    return example.lock(UV_INDEX_TEAM_USERNAME=USER, UV_INDEX_TEAM_PASSWORD=PASSWORD)


def holds_no_secret(made: Synthesised) -> bool:
    assert "Custom::LbdartLayer" in json.dumps(made.template("Prices"))
    texts = [*made.files, made.stderr.encode()]
    return not [text for text in texts for secret in SECRETS if secret.encode() in text]


def test_private_index_with_a_token_in_the_environment(
    cache: Path, tmp_path: Path, private: PrivateIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_OFFLINE")
    example = private_example(tmp_path, private)
    example.replace('"ci", token', f'"{USER}", token', "app.py")
    made = example.synth(TEAM_TOKEN=PASSWORD)
    assert made.lines == shown("private_index")
    assert holds_no_secret(made)


def test_private_index_with_a_token_in_secrets_manager(
    aws: LocalAws, cache: Path, tmp_path: Path, private: PrivateIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_OFFLINE")
    example = private_example(tmp_path, private)
    secret = json.dumps({"username": USER, "password": PASSWORD})
    aws.client("secretsmanager").create_secret(Name="ci/packages", SecretString=secret)
    assert holds_no_secret(example.synth(**aws.environment()))


@registry
def test_pipeline(tmp_path: Path) -> None:
    example = Example.copy("pipeline", tmp_path).lock()
    made = example.synth()
    assert made.lines == shown("pipeline")
    policies = {}
    for stage in ("dev", "prod"):
        (template,) = made.directory.glob(f"assembly-{stage}/*.template.json")
        resources = json.loads(template.read_text())["Resources"].values()
        (layer,) = (row for row in resources if row["Type"] == LAYER)
        policies[stage] = layer["Properties"]["RemovalPolicy"]
        (alias,) = (row for row in resources if row["Type"] == "AWS::Lambda::Alias")
        assert alias["Properties"]["Name"] == "live"
    assert policies == {"dev": "destroy", "prod": "retain"}

    # AWS CodePipeline has the same stages, with an approval before the second.
    pipeline = example.synth("codepipeline.py")
    (row,) = pipeline.resources("GreeterPipeline", "AWS::CodePipeline::Pipeline").values()
    actions = {stage["Name"]: [action["Name"] for action in stage["Actions"]] for stage in row["Stages"]}
    assert list(actions) == ["Source", "Build", "UpdatePipeline", "Assets", "dev", "prod"]
    assert actions["prod"][0] == "Release"


def test_workflow_of_the_pipeline_builds_once_and_deploys_main_only() -> None:
    workflow = yaml.safe_load((EXAMPLES / "pipeline/.github/workflows/deploy.yml").read_text())
    jobs = workflow["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "synth": None,
        "diff": "synth",
        "dev": "synth",
        "prod": "dev",
    }
    assert jobs["diff"]["if"] == "github.event_name == 'pull_request'"
    assert jobs["dev"]["if"] == jobs["prod"]["if"] == "github.ref == 'refs/heads/main'"
    (kept,) = (step["with"] for step in jobs["synth"]["steps"] if "cache" in step.get("uses", ""))
    assert workflow["env"]["LBDART_CACHE_DIR"].endswith("/" + kept["path"])
    for job in ("diff", "dev", "prod"):
        assert "--app cdk.out" in jobs[job]["steps"][-1]["run"]


def url_event(path: str) -> dict[str, Any]:
    """A request to a function URL (Lambda: *Request and response payloads*, format 2.0)."""
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "-"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "example.lambda-url.us-east-1.on.aws"},
        "requestContext": {"http": http, "stage": "$default"},
        "isBase64Encoded": False,
    }


@registry
@pytest.mark.e2e
@pytest.mark.cli
@pytest.mark.skipif(not CDK.exists(), reason="the cdk CLI is not installed: run make setup")
def test_fastapi_is_deployed_and_answers(aws: LocalAws, tmp_path: Path) -> None:
    example = Example.copy("fastapi", tmp_path).on_this_python().lock()
    cdk = Cdk(aws, example.folder, "app.py", "Books")
    cdk("bootstrap", "aws://123456789012/us-east-1", "--app", "")
    assert cdk("ls").split() == ["Books"]
    cdk("deploy", "--require-approval", "never")
    found, missing = (cdk.invoke(url_event(f"/books/{number}")) for number in (2, 7))
    assert (found["statusCode"], json.loads(found["body"])) == (200, {"number": 2, "title": "Persuasion"})
    assert (missing["statusCode"], json.loads(missing["body"])) == (404, {"detail": "There is no book 7."})
    cdk("destroy", "--force")


@registry
@pytest.mark.e2e
@pytest.mark.usefixtures("_bootstrapped")
def test_workspace_is_deployed_and_its_functions_share_the_library(aws: LocalAws, tmp_path: Path) -> None:
    example = Example.copy("workspace", tmp_path).on_this_python().lock()
    shop = Deployment(aws, "Shop", tmp_path)
    assert shop.deploy(example.synth(CDK_CONTEXT_JSON=DEPLOYED)) == "CREATE_COMPLETE"
    order = {"sku": "tea", "quantity": 3}
    assert shop.invoke("Orders", order) == {"total": "13.50"}
    assert shop.invoke("Invoices", order) == {"invoice": "3 x tea at 4.50"}
    assert shop.invoke("Stock", {}) == {"products": 2}
    assert shop.delete() == "DELETE_COMPLETE"


@registry
@pytest.mark.e2e
@pytest.mark.usefixtures("_bootstrapped")
def test_powertools_are_deployed_in_both_stacks(aws: LocalAws, tmp_path: Path) -> None:
    example = Example.copy("powertools", tmp_path).on_this_python().lock()
    made = example.synth(CDK_CONTEXT_JSON=DEPLOYED)
    shop, reports = (Deployment(aws, name, tmp_path) for name in ("Shop", "Reports"))
    assert [stack.deploy(made) for stack in (shop, reports)] == ["CREATE_COMPLETE"] * 2
    order = {"items": [{"quantity": 2}, {"quantity": 3}]}
    assert shop.invoke("Orders", order) == {"service": "orders", "ordered": 5}
    assert reports.invoke("Daily", {"day": "2026-11-28"}) == {"service": "daily", "day": "2026-11-28"}
    assert shop.layers("Orders") == reports.layers("Daily")
    assert [stack.delete() for stack in (reports, shop)] == ["DELETE_COMPLETE"] * 2
