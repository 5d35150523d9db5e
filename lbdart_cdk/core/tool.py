"""What the core asks of a packaging tool; ``lbdart_cdk.tools`` has one module for each."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from .errors import LbdartError
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


class Frontend(Protocol):
    """A build frontend (PEP 517): has a project's own build backend make a wheel."""

    @property
    def name(self) -> str:
        """What the user calls it: ``uv``."""
        ...

    def build_wheel(self, source: Path, output: Path) -> None:
        """Build the project at ``source`` (a copy, it may be written to) to one wheel in ``output``."""
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
