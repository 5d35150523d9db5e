"""Which interpreter runs a build script, and with which options."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.layer.script import Script

PYTHON, BASH = ("python3.13", "-u"), ("/bin/bash",)


@pytest.mark.parametrize(
    ("name", "first_line", "command"),
    [
        ("build.py", "import sys", PYTHON),
        ("build.sh", "set -e", BASH),
        ("BUILD.PY", "", PYTHON),
        ("build.py", "#!/bin/bash -e", PYTHON),
        ("build.py", "#!/usr/bin/env -S uv run --script", PYTHON),
        ("build.sh", "#!/usr/bin/env python3 -I", BASH),
        ("build", "#!/usr/bin/env python3", PYTHON),
        ("build", "#!/usr/bin/python", PYTHON),
        ("build", "#!/opt/my/python3.9", PYTHON),
        ("build.txt", "#! /bin/sh", BASH),
        ("build", "#!/usr/bin/env bash\r", BASH),
        ("build", "#!/bin/dash", BASH),
        ("build", "#!/bin/bash -eu", (*BASH, "-eu")),
        ("build.sh", "#!/usr/bin/env -S bash -euo pipefail", (*BASH, "-euo", "pipefail")),
        ("build.py", "#!/usr/bin/python3 -I", (*PYTHON, "-I")),
    ],
)
def test_the_suffix_says_the_language_or_else_the_first_line(
    tmp_path: Path, name: str, first_line: str, command: tuple[str, ...]
) -> None:
    (tmp_path / name).write_bytes(f"{first_line}\nmore".encode())
    assert Script.read(tmp_path / name).command("/x", "python3.13") == (*command, "/x")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("build", b""),
        ("build", b"echo done\n"),
        ("build.pl", b"#!/usr/bin/perl\n"),
        ("build", b"#!/usr/bin/env -S uv run --script\n"),
        ("build", b"#!\n"),
        ("build", b"#!/usr/bin/env\n"),
        ("build", b"\x7fELF\xff\xfe"),
        ("build", b"#!/bin/zsh\n"),
        (".py", b"print()\n"),
    ],
)
def test_what_is_neither_python_nor_shell(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LbdartError, match="is neither a Python nor a shell script"):
        Script.read(tmp_path / name)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match=r"build\.py cannot be read: No such file or directory"):
        Script.read(tmp_path / "build.py")
