"""What a command prints: whole and plain where nobody looks at it on a terminal."""

from __future__ import annotations

import json

import pytest

from lbdart_cdk.cli.output import Column, note, print_json, print_table, say
from lbdart_cdk.core.errors import BuildWarning


def test_a_table_is_plain_and_never_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["Package", Column("Size", is_number=True)], [("alpha[x]", 1), ("b" * 200, 1000)])
    assert capsys.readouterr().out.splitlines() == [
        f"{'Package':200}  Size",
        f"{'alpha[x]':200}     1",
        f"{'b' * 200}  1000",
    ]


def test_a_table_on_a_terminal_has_the_same_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    print_table(["Package", Column("Size", is_number=True)], [("alpha[red]", 1)])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["Package", "Size"],
        ["alpha[red]", "1"],
    ]


def test_only_the_result_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    from lbdart_cdk.cli.output import warn

    note("building")
    warn([BuildWarning("lbdart_cdk:x", "it is late")])
    print_json({"path": "a"})
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"path": "a"}
    assert printed.err == "building\nWarning: it is late\n"
    say("done")
    assert capsys.readouterr().out == "done\n"
