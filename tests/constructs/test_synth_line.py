"""What a synthesis says: one line for each artifact, and information that can be acknowledged."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from aws_cdk import Annotations, App, Stack, Stage
from tomli_w import dumps

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.constructs.synth_line import is_wanted
from lbdart_cdk.core.store.store import Store
from tests.support.apps import PYTHON_3_13, make_app, messages
from tests.support.locks import lock_of, locked_file
from tests.support.wheels import make_wheel

CLI = {"CDK_CLI_VERSION": "2.1148.1"}


@pytest.mark.parametrize(
    ("environment", "is_terminal", "built", "unchanged"),
    [
        # the unit tests of an app, and in CI
        ({}, False, False, False),
        ({"CI": "true"}, False, False, False),
        # python app.py on a terminal
        ({}, True, True, True),
        ({"CI": "true"}, True, True, False),
        # the cdk command line, through a pipe or not
        (CLI, False, True, True),
        (CLI, True, True, True),
        # in CI, as the cdk command line tells
        ({**CLI, "CI": "true"}, False, True, False),
        ({**CLI, "CI": "1"}, False, True, False),
        ({**CLI, "CI": ""}, False, True, False),
        ({**CLI, "CI": "false"}, False, True, True),
        ({**CLI, "CI": "0"}, False, True, True),
    ],
)
def test_who_gets_a_line(
    environment: Mapping[str, str], *, is_terminal: bool, built: bool, unchanged: bool
) -> None:
    assert is_wanted(environment, is_terminal=is_terminal, is_new=True) == built
    assert is_wanted(environment, is_terminal=is_terminal, is_new=False) == unchanged


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    for name in ("CI", "CDK_CLI_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDK_CLI_VERSION", "2.1148.1")


@pytest.fixture
def project(tmp_path: Path) -> str:
    """A directory of modules beside a lock with two packages that bring one licence, and with boto3."""
    root = tmp_path / "orders"
    root.mkdir()
    wheels = [make_wheel(root, name, files={"LICENSE": name}) for name in ("alpha", "beta", "boto3")]
    (root / "pylock.toml").write_text(dumps(lock_of(*map(locked_file, wheels)).content))
    (root / "app.py").write_text("x = 1\n")
    return str(root)


def synthesised(
    outdir: Path, project: str, *, bundling: bool = True, acknowledges: Collection[str] = ()
) -> App:
    app = make_app(outdir, bundling=bundling)
    stack = Stack(Stage(app, "Prod"), "Shop")
    deps = LambdaLayerArtifact(stack, "Deps", project=project, runtime=PYTHON_3_13)
    LambdaSourceArtifact(stack, "Code", project=project)
    for id_ in acknowledges:
        Annotations.of(deps).acknowledge_info(id_)
    return app


def in_general(lines: str) -> list[str]:
    """Lines without what they measure."""
    return re.sub(r"\d+ kB|\d+ ms|\d+\.\d s", "N", lines).splitlines()


BUILT = [
    "Prod/Shop/Deps: 2 packages (without boto3), N zipped, N unzipped, built in N",
    "Prod/Shop/Code: 4 files, N zipped, N unzipped, built in N",
]
UNCHANGED = [line.replace("built in", "unchanged,") for line in BUILT]


@pytest.mark.usefixtures("cli")
def test_each_artifact_has_one_line_on_stderr(
    tmp_path: Path, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, shown in enumerate((BUILT, UNCHANGED)):
        synthesised(tmp_path / f"{number}.out", project)
        captured = capsys.readouterr()
        assert in_general(captured.err) == shown
        assert captured.out == ""


@pytest.mark.usefixtures("cli")
def test_in_ci_only_what_was_built_has_one(
    tmp_path: Path, project: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    for number, shown in enumerate((BUILT, [])):
        synthesised(tmp_path / f"{number}.out", project)
        assert in_general(capsys.readouterr().err) == shown


@pytest.mark.usefixtures("cli")
def test_a_stack_that_is_not_deployed_has_none(
    tmp_path: Path, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    synthesised(tmp_path / "cdk.out", project, bundling=False).synth()
    assert capsys.readouterr() == ("", "")


def test_the_unit_tests_of_an_app_have_none(
    tmp_path: Path, project: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for outdir in ("1.out", "2.out"):
        synthesised(tmp_path / outdir, project)
    assert capfd.readouterr() == ("", "")


class Unwritable(io.StringIO):
    """A pipe whose reader is gone."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize("stderr", [None, Unwritable()])
def test_a_line_that_nobody_can_read_does_no_harm(
    tmp_path: Path, project: str, monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    synthesised(tmp_path / "cdk.out", project)


def test_information_is_there_at_each_synth_and_can_be_acknowledged(tmp_path: Path, project: str) -> None:
    for outdir in ("1.out", "2.out"):
        app = synthesised(tmp_path / outdir, project)
        assert messages(app, "INFO") == {
            "/Prod/Shop/Deps": [
                "The layer of orders has no code of the project itself; own_code=True adds it. "
                "[ack: lbdart_cdk:own-code]",
                "alpha and beta both bring LICENSE; the zip takes it from beta. "
                "[ack: lbdart_cdk:clash:alpha:beta]",
            ]
        }
        known = synthesised(
            tmp_path / f"known.{outdir}",
            project,
            acknowledges=["lbdart_cdk:own-code", "lbdart_cdk:clash:alpha:beta"],
        )
        assert messages(known, "INFO") == {}


def test_notes_of_an_earlier_format_are_written_anew(tmp_path: Path, cache: Path, project: str) -> None:
    first = messages(synthesised(tmp_path / "1.out", project), "INFO")
    store = Store(cache)
    for path in (cache / "v1/archives").glob("*/*.json"):
        key = path.parent.name + path.stem
        notes = store.recall("archives", key) or {}
        for added in ("files", "warnings"):
            notes.pop(added, None)
        notes["native"] = {**notes["native"], "format": 2}
        store.note("archives", key, notes)
    assert messages(synthesised(tmp_path / "2.out", project), "INFO") == first
