"""Other programs, run to their end, and the working directory of this process."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import Final

from .errors import LbdartError, in_one_line


@contextmanager
def temp_cwd(path: str | Path) -> Iterator[Path]:
    """Work in a directory, and then in the one before again, whatever happens in the block.

    Yields its absolute path. The working directory is the whole process's, so no other thread may rely
    on it meanwhile. Raises :class:`LbdartError` when the directory cannot be entered.
    """
    directory = Path(path).absolute()
    with ExitStack() as stack:
        try:
            stack.enter_context(chdir(directory))
        except OSError as error:
            raise LbdartError(
                f"The directory {directory} cannot be entered: {error.strerror}.",
                "Check that it exists, is a directory and may be entered.",
            ) from error
        yield directory


_TIMEOUT: Final = 600  # seconds; a tool that asks a slow index is not stuck, one that waits for an answer is


def run(
    command: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end, with nothing to read, and its output kept.

    Raises :class:`LbdartError` when it cannot be started or does not end; its exit code is the
    caller's to judge.
    """
    name = Path(command[0]).name
    try:
        return subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except OSError as error:
        raise LbdartError(
            f"{name} cannot be started: {error.strerror}.", f"Install {name}, or check its permissions."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise LbdartError(
            f"{name} did not end within {_TIMEOUT // 60} minutes.",
            f"Run it by hand in {cwd} to see what it waits for.",
        ) from error


def said(result: subprocess.CompletedProcess[str]) -> str:
    """Return what a failed tool said, on one line, from its first word of an error on."""
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    start = next((number for number, line in enumerate(lines) if line.startswith("error: ")), 0)
    return (
        " ".join(lines[start : start + 4]).removeprefix("error: ").rstrip(".")
        or f"exit code {result.returncode}"
    )


#: An error of a compiler, as the GNU Coding Standards have it: the file, the line, and what is wrong there.
_DIAGNOSTIC: Final = re.compile(r"\S+:\d+:(\d+:)? (fatal )?error: ")
#: How Python begins the last words of a program; the exception follows at the same indentation.
_TRACEBACK: Final = "Traceback (most recent call last):"


def reason(said: Iterable[str], *, quoted: int = 1) -> str:
    """Return why a program failed: the first error of a compiler, else what the program said last.

    That is the exception of the last traceback; without any, the lines from its word of an error on, or the
    last ones.

    :param quoted: how many lines from that of the exception on belong to it, when there are as many.
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
