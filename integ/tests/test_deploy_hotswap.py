"""The inner loop of the real cdk command line: ``--hotswap`` and ``cdk watch`` change a running function."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from integ.local_aws import LocalAws
from integ.tests.support.cdk_cli import CDK, TIMEOUT, Cdk

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


@contextlib.contextmanager
def watching(cdk: Cdk, *, include: str) -> Iterator[Callable[[str], None]]:
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

    with log.open("w") as output:
        process = cdk.start("watch", "--no-logs", output=output)
        try:
            yield wait_for
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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
