"""What the core asks of a packaging tool; ``lbdart_cdk.tools`` has one module for each."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from .errors import LbdartError, in_one_line
from .lock import Lock
from .project import Project
from .store import Store
from .target import Target

_TIMEOUT: Final = 600  # seconds; a tool that asks a slow index is not stuck, one that waits for an answer is


@dataclass(frozen=True, slots=True)
class Options:
    """Which of a project's optional dependencies are wanted (PEP 621 extras, PEP 735 groups)."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


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


class Frontend(Protocol):
    """A build frontend (PEP 517): has a project's own build backend make a wheel."""

    @property
    def name(self) -> str:
        """What the user calls it: ``uv``."""
        ...

    def build_wheel(self, source: Path, output: Path) -> None:
        """Build the project at ``source`` (a copy, it may be written to) to one wheel in ``output``.

        Raises :class:`BuildError` when the build backend fails.
        """
        ...


class Tool(Frontend, Protocol):
    """A packaging tool: how its manifest becomes a lock, and how it builds a project."""

    @property
    def manifest(self) -> str:
        """The file name of its manifest: ``uv.lock``."""
        ...

    @property
    def pattern(self) -> str:
        """A glob of the file names that it reads as a manifest when it is given one: ``pylock.*toml``."""
        ...

    def is_member(self, root: Path, manifest: Path) -> bool:
        """Tell whether a manifest above the project at ``root`` is that of a workspace which it is in."""
        ...

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        """Read the project's manifest.

        A lock that covers every target is the same for all; a manifest that pins nothing is locked for the
        ``target``.
        Notes in ``store`` make this cheap when nothing changed. Raises :class:`LbdartError` when the
        manifest is stale or not valid, and for extras and groups that the project does not have.
        """
        ...


def manifest_of(tool: Tool, root: Path) -> Path | None:
    """Return the tool's manifest of the project at ``root``; a workspace's member has the workspace's."""
    above = root.parents if (root / "pyproject.toml").is_file() else ()
    places = (place / tool.manifest for place in (root, *above))
    there = (path for path in places if path.is_file())
    return next((path for path in there if path.parent == root or tool.is_member(root, path)), None)


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
