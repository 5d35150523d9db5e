"""Progress on a terminal: for what takes long, and gone afterwards."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lbdart_cdk.cli import _bars
from lbdart_cdk.cli._bars import Bars
from lbdart_cdk.core.progress import announced, counted, shown_on


def shown(console: Console) -> str:
    with Bars(console) as display, shown_on(display):
        with counted("Fetching 2 [wheels]", 2_000_000) as count:
            count.advance(1_000_000)
            display.refresh()
        with announced("Building orders"):
            display.refresh()
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


def test_what_takes_long_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bars, "_QUIET", 0)
    text = shown(terminal())
    assert "Fetching 2 [wheels]" in text
    assert "1.0/2.0 MB" in text
    assert "Building orders" in text


def test_what_is_quick_is_not() -> None:
    assert "Fetching" not in shown(terminal())
