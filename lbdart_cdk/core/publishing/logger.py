"""Prints lines about the steps of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class BaseLogger:
    """Logs the steps of a run.

    :param verbose: whether to print the lines.
    :param printer: prints one line.
    """

    verbose: bool = True
    printer: Callable[[str], None] = print

    def log(self, message: str) -> None:
        """Print a line if verbose."""
        if self.verbose:
            self.printer(message)

    def log_header(self, title: str) -> None:
        """Print the headline of a step if verbose."""
        self.log(f"--- {title}")
