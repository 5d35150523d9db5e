"""What docs/cli_reports.md shows is what the commands say."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import lbdart_cdk
from lbdart_cdk.cli import main
from tests.support.installed_zip import installed, zip_of
from tests.support.projects import run_uv

GUIDE = Path(lbdart_cdk.__file__).parents[1] / "docs" / "cli_reports.md"
MB = 1 << 20


def transcripts(text: str) -> list[str]:
    return re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def packages(alpha: int, beta: bytes, alpha_version: str) -> dict[str, bytes | str]:
    """Return two packages of a layer, one with bytecode."""
    big = {"alpha/__init__.py": "", "alpha/core.so": bytes(alpha * MB)}
    code = {"python/alpha/__pycache__/__init__.cpython-313.pyc": bytes(MB)}
    small = {"beta/__init__.py": b"x" * (4 * MB - 2000) + beta}
    return (
        installed("alpha", alpha_version, big, place="python/")
        | code
        | installed("beta", "2.0", small, place="python/")
    )


def said(command: str) -> str:
    program, *arguments = shlex.split(command)
    if program == "git":  # the lock of the branch is there
        return ""
    assert program == "lbdart"
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def steady(text: str) -> str:
    """Return a text in which each zipped size and time is the same, and each run of spaces single."""
    text = re.sub(r"(?m)^(Own code|Total|alpha +\S+|beta +\S+) +\S+ [kM]B", r"\1 1 MB", text)
    text = re.sub(r"\d+\.\d+ MB(?= zipped before)|(?<=zipped before, )\d+\.\d+ MB", "1 MB", text)
    text = re.sub(r"(after \()[^()]*(?=\)\.)", r"\1+1 MB", text)
    text = re.sub(r"(zip file itself has ).*", r"\1 1 MB.", text)
    text = re.sub(r"\d\.\d\d s\b", "0.01 s", text)
    return re.sub(r"[ -]+", " ", text)


@pytest.mark.usefixtures("cache")
def test_the_transcripts_are_what_they_say(
    orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = {"python/orders/app.py": b"x" * 200 * 1024}
    zip_of(tmp_path / "layer.zip", packages(37, b"", "1.4.0"), own)
    own = {"python/orders/app.py": b"y" * 200 * 1024, "python/orders/new.py": b""}
    zip_of(tmp_path / "new.zip", packages(39, b"y", "1.5.0"), own)
    gamma = installed("gamma", files={"gamma.py": "import time\ntime.sleep(0.1)  # a slow one\n"})
    delta = installed("delta", files={"delta.py": "import numpy\n"})
    zip_of(tmp_path / "function.zip", gamma, delta, {"app.py": ""})
    shown = transcripts(GUIDE.read_text())
    shutil.copy(orders / "uv.lock", tmp_path / "main.lock")
    run_uv(orders, "remove", "alpha", "--no-sync")
    run_uv(orders, "add", "gamma", "--no-sync")
    assert [steady(spoken(text)) for text in shown] == [steady(text) for text in shown]


def spoken(transcript: str) -> str:
    """Return a transcript with what its commands really say."""
    commands = [line for line in transcript.splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{said(line.removeprefix('$ '))}" for line in commands)
