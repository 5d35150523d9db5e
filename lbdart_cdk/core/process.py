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


class BuildError(LbdartError):
    """A build backend that failed; who asked for the build knows what it was of, and what to do.

    ``said`` are the lines of the build, without secrets and without paths of the copy that it worked in.
    """

    def __init__(self, frontend: str, said: Sequence[str]) -> None:
        self.frontend = frontend
        self.said = said
        self.why = telling(said)
        super().__init__(
            f"{frontend} could not build the project to a wheel: {self.why}.",
            "See what its build backend says.",
        )


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


#: Where build frontends (uv, pip) draw a tree, and what they say of every build that fails.
_BRANCH: Final = re.compile(r"[^\x00-\x7f]+>? ")
_SAYS_NOTHING: Final = re.compile(
    r"(?i)building wheel\.\.\.|(error: )?failed (to build|building wheel)|error: (subprocess-|metadata-|"
    r"failed-wheel-|backend-|exception:)|(cause: )?(the build backend returned|call to .* failed)|"
    r".* did not run successfully|exit code: |\[.* of output\]|from file:|encountered error while|"
    r"(note|hint): "
)
#: A compiler, or what runs one; and the last line of a traceback.
_ERROR: Final = re.compile(r"(?i)\berror:? ")
_EXCEPTION: Final = re.compile(r"[\w.]*(Error|Exception|Exit|Warning)(: |$)")


def telling(said: Iterable[str]) -> str:
    """Return the lines that tell most of what a failed build said, as one."""
    lines = [_BRANCH.sub("", line.strip(), count=1) for line in said]
    lines = [line for line in lines if line and not _SAYS_NOTHING.match(line)]
    errors = [line for line in lines if _ERROR.search(line) and "subprocess" not in line]
    last = next((number for number in reversed(range(len(lines))) if _EXCEPTION.match(lines[number])), -3)
    told = in_one_line(" ".join(errors[:2] or lines[last:][:3])).removeprefix("cause: ")
    return told or "it said nothing"
