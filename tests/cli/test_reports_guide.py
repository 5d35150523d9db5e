"""What docs/cli_reports.md shows is what the commands say."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from random import Random

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


def packages(alpha: int, alpha_version: str, beta: bytes) -> dict[str, bytes | str]:
    """Return two packages of a layer, one of them with bytecode.

    :param alpha: how many MB one file of the first one has; a third of them cannot be compressed.
    :param beta: what one file of the second one ends with.
    """
    large = {"alpha/__init__.py": b"", "alpha/core.so": incompressible(alpha * MB // 3, of=alpha * MB)}
    compiled = {"python/alpha/__pycache__/__init__.cpython-313.pyc": bytes(MB)}
    small = {"beta.py": b"", "beta.dat": incompressible(MB, of=4 * MB - 2000) + beta}
    return {
        **installed("alpha", alpha_version, large, place="python/"),
        **compiled,
        **installed("beta", "2.0", small, place="python/"),
    }


def incompressible(size: int, *, of: int) -> bytes:
    return Random(0).randbytes(size) + bytes(of - size)


def said(command: str) -> str:
    program, *arguments = shlex.split(command)
    if program == "git":  # the lock of the branch is there
        return ""
    assert program == "lbdart"
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def steady(text: str) -> str:
    """Return a text in which each small size and each time is the same, and each run of spaces single."""
    text = re.sub(r"\d+ kB", "1 kB", text)
    text = re.sub(r"\d\.\d\d s\b", "0.01 s", text)
    return re.sub(r"[ -]+", " ", text)


@pytest.mark.usefixtures("cache")
def test_the_transcripts_are_what_they_say(
    orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = {"python/orders/app.py": b"x" * 200 * 1024}
    zip_of(tmp_path / "layer.zip", packages(37, "1.4.0", b""), own)
    own = {"python/orders/app.py": b"y" * 200 * 1024, "python/orders/new.py": b""}
    zip_of(tmp_path / "new.zip", packages(39, "1.5.0", b"y"), own)
    gamma = installed("gamma", files={"gamma.py": "import time\ntime.sleep(0.1)  # a slow one\n"})
    delta = installed("delta", files={"delta.py": "import numpy\n"})
    zip_of(tmp_path / "function.zip", gamma, delta, {"app.py": "x = 1"})
    shown = transcripts(GUIDE.read_text())
    shutil.copy(orders / "uv.lock", tmp_path / "main.lock")
    run_uv(orders, "remove", "alpha", "--no-sync")
    for text in shown:
        assert steady(spoken(text)) == steady(text)


def spoken(transcript: str) -> str:
    """Return a transcript with what its commands really say."""
    commands = [line for line in transcript.splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{said(line.removeprefix('$ '))}" for line in commands)
