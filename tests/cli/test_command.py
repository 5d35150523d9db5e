"""The command itself: what it is called with, and how it ends."""

from __future__ import annotations

from importlib.metadata import version

from click.testing import CliRunner

from lbdart_cdk.cli import main


def test_it_tells_its_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.output) == (0, f"lbdart {version('lbdart_cdk')}\n")


def test_an_unknown_command_is_a_wrong_use() -> None:
    result = CliRunner().invoke(main, ["bild"])
    assert result.exit_code == 2
    assert "No such command 'bild'" in result.output
