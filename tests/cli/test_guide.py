"""What docs/cli.md shows is what the command says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import lbdart_cdk
from lbdart_cdk.cli import main
from lbdart_cdk.cli.project_options import OPTIONS
from lbdart_cdk.core.store.store import CACHE_VARIABLE

GUIDE = Path(lbdart_cdk.__file__).parents[1] / "docs" / "cli.md"


def transcripts(text: str) -> list[list[str]]:
    """Return the lines of each transcript."""
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block.splitlines() for block in blocks]


def said(command: str, folder: Path, cache: Path) -> list[str]:
    """Return what a command says, with what differs between machines in the form of the guide."""
    program, *arguments = shlex.split(command)
    assert program == "lbdart"
    text = CliRunner().invoke(main, arguments).output
    return steady(text.replace(str(cache), "~/.cache/lbdart_cdk").replace(str(folder), "~/shop")).splitlines()


def steady(text: str) -> str:
    """Return a text in which each time, size and hash is the same, and each space single."""
    text = re.sub(r"\d+ kB", "1 kB", text)
    text = re.sub(r'("zipped": )\d+', r"\1 1", text)
    text = re.sub(r"(?<=\S) +", " ", text)
    text = re.sub(r"\b(\d+ ms|\d+\.\d s)\b", "60 ms", text)
    text = re.sub(r'("(?:sha256|build_key)": )"[0-9a-f]{64}"', r'\1"..."', text)
    return re.sub(r'("code_sha256": )"[0-9A-Za-z+/]{43}="', r'\1"..."', text)


def test_the_transcripts_are_what_it_says(
    orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    monkeypatch.chdir(tmp_path)
    shown = transcripts(GUIDE.read_text())
    real = []
    for transcript in shown:
        commands = [line.removeprefix("$ ") for line in transcript if line.startswith("$ ")]
        real.append([line for each in commands for line in (f"$ {each}", *said(each, tmp_path, cache))])
    assert real == [steady("\n".join(transcript)).splitlines() for transcript in shown]


def test_each_option_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(--[a-z-]+).*?\| `([a-z_]+).*\| ([a-z, ]+) \|$", GUIDE.read_text(), re.MULTILINE)
    kinds = {3: "all"}
    named = {
        (flag, {"build_in_container": "image"}.get(prop, prop) if flag == "--image" else prop, what)
        for flag, prop, what in rows
    }
    order = ("layer", "source", "function")
    assert named == {
        (
            option.flag,
            option.prop,
            kinds.get(len(option.kinds), ", ".join(kind for kind in order if kind in option.kinds)),
        )
        for option in OPTIONS
    }
