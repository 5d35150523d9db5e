"""Runs other programs to their end, and changes the working directory of this process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from .errors import LbdartError, in_one_line, unreadable
from .windows import IS_WINDOWS


@contextmanager
def temp_cwd(path: str | Path) -> Iterator[Path]:
    """Change the working directory for the block, and change it back afterwards.

    The working directory belongs to the whole process, so no other thread may rely on it meanwhile.

    :return: a context manager that yields the directory's absolute path.
    :raises LbdartError: when the directory cannot be entered.
    """
    directory = Path(path).absolute()
    with ExitStack() as stack:
        try:
            stack.enter_context(chdir(directory))
        except OSError as error:
            raise unreadable(
                error,
                f"The directory {directory} cannot be entered: {error.strerror}.",
                "Check that it exists, that it is a directory and that you have permission to enter it.",
            ) from error
        yield directory


#: Seconds; long enough for a slow index; ends a tool that waits for input.
_TIME_LIMIT: ContextVar[float] = ContextVar("time limit", default=600.0)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let each tool that :func:`run` starts in the block run for so long at most."""
    token = _TIME_LIMIT.set(seconds)
    try:
        yield
    finally:
        _TIME_LIMIT.reset(token)


def run(
    command: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end, without input, and capture its output.

    The caller checks the exit code.

    :raises LbdartError: when the tool cannot be started or does not end in time.
    """
    name, limit = Path(command[0]).name, _TIME_LIMIT.get()
    try:
        return captured(command, cwd=cwd, environment=environment, limit=limit)
    except OSError as error:
        raise LbdartError(
            f"{name} cannot be started: {error.strerror}.", f"Install {name}, or check its permissions."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise LbdartError(
            f"{name} did not end within {limit:g} seconds.",
            f"Run it by hand in {cwd} to see what it waits for.",
        ) from error


def captured(
    command: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str], limit: float
) -> subprocess.CompletedProcess[str]:
    """Do as :func:`run`, where a program that does not end in time is a result and no error.

    :param limit: seconds.
    :raises OSError: when the program cannot be started.
    :raises subprocess.TimeoutExpired: when it does not end in time.
    """
    return subprocess.run(
        [_program(str(command[0]), environment), *(str(part) for part in command[1:])],
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=limit,
        check=False,
    )


def _program(name: str, environment: Mapping[str, str]) -> str:
    """Return what to start. Windows itself looks for ``poetry.exe`` only, and not for ``poetry.cmd``."""
    path = environment.get("PATH", os.defpath)
    return (shutil.which(name, path=path) if IS_WINDOWS else None) or name


def said(result: subprocess.CompletedProcess[str]) -> str:
    """Return a failed tool's message on one line, from its first ``error:`` line on, or its exit code."""
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    start = next((number for number, line in enumerate(lines) if line.startswith("error: ")), 0)
    return (
        " ".join(lines[start : start + 4]).removeprefix("error: ").rstrip(".")
        or f"exit code {result.returncode}"
    )


#: A compiler's error in the form of the GNU Coding Standards: the file, the line and the message.
_DIAGNOSTIC: Final = re.compile(r"\S+:\d+:(\d+:)? (fatal )?error: ")
#: The first line of a traceback in Python; the exception follows at the same indentation.
_TRACEBACK: Final = "Traceback (most recent call last):"


def reason(said: Iterable[str], *, quoted: int = 1) -> str:
    """Return why a program failed: a compiler's first error, else the program's last error.

    The last error is the exception of the last traceback. Without a traceback, it is three lines from the
    first ``error:`` line on, or the last three lines.

    :param said: the lines of the program's output.
    :param quoted: how many lines of the exception to return, at most.
    """
    lines = [line for line in said if any(character.isalnum() for character in line)]
    diagnostic = next((line for line in lines if _DIAGNOSTIC.match(line.lstrip())), None)
    if diagnostic is not None:
        return in_one_line(diagnostic)
    starts = [number for number, line in enumerate(lines) if line.lstrip().startswith(_TRACEBACK)]
    if not starts:
        start = next((number for number, line in enumerate(lines) if line.startswith("error: ")), -3)
        return in_one_line(" ".join(lines[start:][:3]))
    depth = _indentation(lines[starts[-1]])
    after = lines[starts[-1] + 1 :]
    end = next((number for number, line in enumerate(after) if _indentation(line) <= depth), len(after))
    return in_one_line(" ".join(after[end : end + quoted] or lines[-1:]))


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
