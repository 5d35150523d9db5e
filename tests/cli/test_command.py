"""The command itself: what it is called with, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from lbdart_cdk.cli import main


def test_it_tells_its_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.output) == (0, f"lbdart {version('lbdart_cdk')}\n")


def test_an_unknown_command_is_a_wrong_use() -> None:
    result = CliRunner().invoke(main, ["bild"])
    assert result.exit_code == 2
    assert "No such command 'bild'" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_it(shell: str) -> None:
    result = CliRunner().invoke(main, env={"_LBDART_COMPLETE": f"{shell}_source"}, prog_name="lbdart")
    assert result.exit_code == 0
    assert "_LBDART_COMPLETE" in result.output


def completed(*words: str) -> list[str]:
    """Return what completes the last word."""
    environment = {
        "_LBDART_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["lbdart", *words]),
        "COMP_CWORD": str(len(words)),
    }
    result = CliRunner().invoke(main, env=environment, prog_name="lbdart")
    return [line.partition(",")[2] for line in result.output.splitlines()]


def test_names_are_completed_with_what_is_known() -> None:
    assert "build" in completed("bu")
    assert completed("build", "la") == ["layer"]
    assert completed("build", "layer", "--tool", "p") == ["pdm", "pip", "poetry", "pylock"]
    assert completed("build", "layer", "--runtime", "python3.13") == ["python3.13"]
    assert completed("build", "layer", "--arch", "a") == ["arm64"]
    assert "--own-code" not in completed("build", "source", "--own")
    assert completed("build", "layer", "--own") == ["--own-code"]


def test_the_help_loads_nothing_that_a_build_needs() -> None:
    code = (
        "import sys; from lbdart_cdk.cli import main; main(['--help'], standalone_mode=False);"
        "print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(result.stderr.split())
    heavy = {"rich", "boto3", "requests", "packaging", "cyclonedx", "lbdart_cdk.core.store.store"}
    assert loaded & heavy == set()
    assert "build" in result.stdout
