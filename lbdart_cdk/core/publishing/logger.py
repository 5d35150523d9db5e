"""Prints lines about the steps of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

#: Prints one line.
T_PRINTER: TypeAlias = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class BaseLogger:
    """Logs the steps of a run.

    :param verbose: whether to print the lines.
    :param printer: prints one line.
    """

    verbose: bool = True
    printer: T_PRINTER = print

    def log(self, message: str) -> None:
        """Print a line if verbose."""
        if self.verbose:
            self.printer(message)

    def log_header(self, title: str) -> None:
        """Print the headline of a step if verbose."""
        self.log(f"--- {title}")

    def log_sub_header(self, title: str) -> None:
        """Print the headline of a part of a step if verbose."""
        self.log(f"- {title}")

    def log_detail(self, message: str) -> None:
        """Print an indented line if verbose."""
        self.log(f"  {message}")
