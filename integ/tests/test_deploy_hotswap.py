"""The inner loop of the real cdk command line: ``--hotswap`` and ``cdk watch`` change a running function."""

from __future__ import annotations

import contextlib
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from integ.local_aws import LocalAws
from integ.tests.support.cdk_cli import CDK, TIMEOUT, Cdk
from integ.tests.support.projects import Project

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.cli,
    pytest.mark.skipif(not CDK.exists(), reason="the cdk CLI is not installed: run make setup"),
]

APP: Final = """
import sys
from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_

app = App()
stack = Stack(app, "{stack}")
runtime = lambda_.Runtime("python%d.%d" % sys.version_info[:2], lambda_.RuntimeFamily.PYTHON)
code = lambda_.Code.from_asset("{code}")
function = lambda_.Function(stack, "Function", runtime=runtime, handler="app.handler", code=code)
CfnOutput(stack, "FunctionName", value=function.function_name)
app.synth()
"""

APP_OF_ARTIFACTS: Final = """
import sys
from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from lbdart_cdk import LambdaFunctionArtifact

app = App()
stack = Stack(app, "{stack}")
function = LambdaFunctionArtifact(
    stack,
    "Function",
    project="orders",
    handler="orders.app.handler",
    runtime=lambda_.Runtime("python%d.%d" % sys.version_info[:2], lambda_.RuntimeFamily.PYTHON),
    packaging="{packaging}",
)
CfnOutput(stack, "FunctionName", value=function.function_name)
app.synth()
"""

#: The switch with which artifacts are ordinary assets.
PLAIN: Final = ("-c", "lbdart_cdk:plain_assets=true")

DEPLOY: Final = ("deploy", "--require-approval", "never")


@pytest.fixture(autouse=True, scope="module")
def _cdk_bootstrapped(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> None:
    cdk = Cdk(local_aws, tmp_path_factory.mktemp("bootstrap"), "app.py", "none")
    cdk("bootstrap", "aws://123456789012/us-east-1", "--app", "")


def say(place: Path, word: str) -> None:
    """Write the code of a function that answers with a word: a folder, or a zip."""
    text = f"def handler(event, context):\n    return {{'said': {word!r}}}\n"
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("app.py", text)
    else:
        place.mkdir(exist_ok=True)
        (place / "app.py").write_text(text)


@pytest.fixture(params=["folder", "code.zip"])
def code(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The code of the app's function."""
    return tmp_path / str(request.param)


@pytest.fixture
def cdk(aws: LocalAws, name: str, tmp_path: Path, code: Path) -> Cdk:
    """An app whose only function has its code as an ordinary asset, deployed."""
    (tmp_path / "app.py").write_text(APP.format(stack=name, code=code.name))
    say(code, "one")
    cdk = Cdk(aws, tmp_path, "app.py", name)
    cdk(*DEPLOY)
    assert cdk.invoke() == {"said": "one"}
    return cdk


@pytest.fixture
def packaging() -> str:
    """How the function of ``orders`` has its dependencies."""
    return "layer"


@pytest.fixture
def orders(aws: LocalAws, name: str, tmp_path: Path, project: Project, packaging: str) -> Cdk:
    """An app with a function of this library, not deployed."""
    assert project.root == tmp_path / "orders"
    (tmp_path / "app.py").write_text(APP_OF_ARTIFACTS.format(stack=name, packaging=packaging))
    return Cdk(aws, tmp_path, "app.py", name)


@contextlib.contextmanager
def watching(cdk: Cdk, *options: str, include: str) -> Iterator[Callable[[str], None]]:
    """``cdk watch``, until the block ends; gives what waits for a text that it has not printed before."""
    config, log = cdk.folder / "cdk.json", cdk.folder / "watch.log"
    config.write_text(json.dumps({**json.loads(config.read_text()), "watch": {"include": [include]}}))
    seen = 0

    def wait_for(text: str) -> None:
        nonlocal seen
        deadline = time.monotonic() + TIMEOUT
        while (place := (printed := log.read_text()).find(text, seen)) < 0:
            assert process.poll() is None, printed
            assert time.monotonic() < deadline, printed
            time.sleep(0.05)
        seen = place + len(text)

    with (
        log.open("w") as output,
        cdk.running("watch", "--no-logs", *options, output=output) as process,
    ):
        yield wait_for


def test_hotswap_changes_the_running_function(cdk: Cdk, aws: LocalAws, code: Path) -> None:
    say(code, "two")
    cdk("deploy", "--hotswap")
    assert not aws.calls.of("ExecuteChangeSet")
    assert cdk.invoke() == {"said": "two"}
    say(code, "three")
    cdk("deploy", "--hotswap-fallback")
    assert not aws.calls.of("ExecuteChangeSet")
    assert cdk.invoke() == {"said": "three"}
    # Without the switch, CloudFormation takes over again.
    say(code, "four")
    cdk(*DEPLOY)
    assert aws.calls.of("ExecuteChangeSet")
    assert cdk.invoke() == {"said": "four"}


@pytest.mark.parametrize("code", ["folder"], indirect=True)
def test_watch_hotswaps_what_is_edited(cdk: Cdk, aws: LocalAws, code: Path) -> None:
    with watching(cdk, include=f"{code.name}/**") as wait_for:
        wait_for("Triggering initial 'cdk deploy'")
        wait_for("Total time:")
        aws.calls.clear()
        for word in ("two", "three"):
            say(code, word)
            wait_for("hotswapped!")
            wait_for("Total time:")
            assert cdk.invoke() == {"said": word}
        assert not aws.calls.of("ExecuteChangeSet")


def test_published_code_is_not_hotswapped_and_the_command_says_so(
    orders: Cdk, aws: LocalAws, project: Project
) -> None:
    orders(*DEPLOY)
    project.say("two")
    refused = orders.run("deploy", "--hotswap")
    assert refused.returncode == 1
    assert "S3 Error Code: NoSuchKey" in refused.stdout
    assert "no changes" not in refused.stdout
    assert orders.invoke()["said"] == "one"
    # It is deployed instead, also after the attempt.
    orders("deploy", "--hotswap-fallback", "--require-approval", "never")
    assert aws.calls.of("ExecuteChangeSet")
    assert orders.invoke()["said"] == "two"


def test_watch_deploys_published_code_with_the_fallback(orders: Cdk, aws: LocalAws, project: Project) -> None:
    """Without it, the command prints no reason of any failure; but it does not say that all is well."""
    orders(*DEPLOY)
    project.say("two")
    with watching(orders, include="orders/src/**") as wait_for:
        wait_for("hotswapping resources:")
        wait_for("hotswap-deployment time:")
    printed = (orders.folder / "watch.log").read_text()
    assert not [word for word in ("hotswapped!", "no changes", "✅") if word in printed]
    assert orders.invoke()["said"] == "one"
    with watching(orders, "--hotswap-fallback", include="orders/src/**") as wait_for:
        for word in ("three", "four"):
            project.say(word)
            wait_for("Falling back to doing a full deployment")
            wait_for("Total time:")
            assert orders.invoke()["said"] == word


def test_with_plain_assets_the_code_is_hotswapped(orders: Cdk, aws: LocalAws, project: Project) -> None:
    orders(*DEPLOY, *PLAIN)
    assert not aws.calls.by("function")
    assert (orders.invoke()["said"], orders.invoke()["alpha"]) == ("one", "1.0")
    project.say("two")
    orders("deploy", "--hotswap", *PLAIN)
    assert not aws.calls.of("ExecuteChangeSet")
    assert (orders.invoke()["said"], orders.invoke()["alpha"]) == ("two", "1.0")


def test_with_plain_assets_a_changed_layer_is_deployed(orders: Cdk, aws: LocalAws, project: Project) -> None:
    """The command hotswaps no layer of anyone; it says so, or deploys."""
    orders(*DEPLOY, *PLAIN)
    project.depend_on("2.0")
    project.say("two")
    orders("deploy", "--hotswap-fallback", "--require-approval", "never", *PLAIN)
    assert aws.calls.of("ExecuteChangeSet")
    assert (orders.invoke()["said"], orders.invoke()["alpha"]) == ("two", "2.0")
    project.depend_on("1.0")
    assert "rejected changes: Layers" in orders("deploy", "--hotswap", *PLAIN)
    assert orders.invoke()["alpha"] == "2.0"
    orders(*DEPLOY, *PLAIN)
    assert orders.invoke()["alpha"] == "1.0"


@pytest.mark.parametrize("packaging", ["zip"])
def test_with_one_zip_the_dependencies_are_hotswapped_too(
    orders: Cdk, aws: LocalAws, project: Project
) -> None:
    orders(*DEPLOY, *PLAIN)
    project.depend_on("2.0")
    project.say("two")
    orders("deploy", "--hotswap", *PLAIN)
    assert not aws.calls.of("ExecuteChangeSet")
    assert (orders.invoke()["said"], orders.invoke()["alpha"]) == ("two", "2.0")
    # Published, it is deployed by CloudFormation.
    project.depend_on("1.0")
    orders(*DEPLOY)
    assert (orders.invoke()["said"], orders.invoke()["alpha"]) == ("two", "1.0")


def test_the_switch_can_be_turned(orders: Cdk, project: Project) -> None:
    """A stack changes from published artifacts to plain assets and back, and its function keeps working."""
    for number, switch in enumerate(((), PLAIN, ())):
        project.say(f"{number}")
        orders(*DEPLOY, *switch)
        assert (orders.invoke()["said"], orders.invoke()["alpha"]) == (f"{number}", "1.0")
