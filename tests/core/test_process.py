"""A packaging tool is a program that is run to its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.process import reason, run, said, time_limit


def python(code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-c", code], cwd=cwd, environment=environment)


def test_what_it_prints_is_kept_and_its_exit_code_is_the_callers_to_judge(tmp_path: Path) -> None:
    result = python("import os; print(os.getcwd(), os.environ['X']); raise SystemExit(3)", tmp_path, X="1")
    assert (result.stdout, result.returncode) == (f"{tmp_path} 1\n", 3)


def test_it_has_nothing_to_read_from_and_no_other_environment(tmp_path: Path) -> None:
    assert python("import sys; print(repr(sys.stdin.read()))", tmp_path).stdout == "''\n"
    assert python("import os; print('HOME' in os.environ)", tmp_path).stdout == "False\n"


def test_output_that_is_no_text_is_no_failure(tmp_path: Path) -> None:
    assert python("import os; os.write(1, b'\\xff')", tmp_path).stdout == "\N{REPLACEMENT CHARACTER}"


def test_a_tool_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match=r"^poem cannot be started: No such file.*\nInstall poem"):
        run([tmp_path / "poem"], cwd=tmp_path, environment={})


def test_a_tool_that_does_not_end(tmp_path: Path) -> None:
    with time_limit(0.2), pytest.raises(LbdartError, match=r"did not end within .*\nRun it by hand in "):
        python("import time; time.sleep(30)", tmp_path)


@pytest.mark.parametrize(
    ("stderr", "shown"),
    [
        ("warning: old\nerror: No lock.\n", "No lock"),
        (
            "error: No lock\n  caused by: no file\n\nhint: make one\n",
            "No lock caused by: no file hint: make one",
        ),
        ("Traceback\nValueError: x\n", "Traceback ValueError: x"),
        ("", "exit code 2"),
    ],
)
def test_a_message_shows_what_it_said(stderr: str, shown: str) -> None:
    assert said(subprocess.CompletedProcess([], 2, "", stderr)) == shown


TRACEBACK = """\
looking
Traceback (most recent call last):
  File "<string>", line 1, in <module>
    raise Error
{}
"""
#: As pip shows what a build backend says.
INDENTED = """\
  error: subprocess-exited-with-error
      Traceback (most recent call last):
        File "<string>", line 1, in <module>
      RuntimeError: No library
      [end of output]
ERROR: Failed to build it
"""


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (TRACEBACK.format("Exception: No library.\nSpecify X."), "Exception: No library"),
        (
            TRACEBACK.format("KeyError: 1\n\nDuring handling:\n") + TRACEBACK.format("a.Error: 2"),
            "a.Error: 2",
        ),
        (TRACEBACK.format("SystemExit"), "SystemExit"),
        (INDENTED, "RuntimeError: No library"),
        (
            f"  a.c:1:2: fatal error: x.h: none\nb.c:3: error: more\n{INDENTED}",
            "a.c:1:2: fatal error: x.h: none",
        ),
        ("1\n2\n \n3\n\n4\n----", "2 3 4"),
        ("1\nerror: 2\n3\n4\n5", "error: 2 3 4"),
        ("Traceback (most recent call last):\n  cut off", "cut off"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("", ""),
    ],
)
def test_the_last_words_of_a_program_are_its_reason(lines: str, told: str) -> None:
    assert reason(lines.splitlines()) == told


def test_an_exception_may_have_several_lines() -> None:
    lines = TRACEBACK.format("Exception: No library:\n\n  - Specify X.\nor Y\nor Z").splitlines()
    assert reason(lines, quoted=3) == "Exception: No library: - Specify X. or Y"
