"""A store for questions that may cost nothing: what is not in it is not known, and nothing is made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LbdartError
from .store import Store


class NotKnownError(LbdartError):
    """The store does not have what was asked for."""

    def __init__(self) -> None:
        super().__init__("This was not built on this machine.", "Build it first.")


@dataclass(frozen=True, slots=True)
class KnownStore(Store):
    """A store that nothing is written to: whoever would lock, fetch or build ends in NotKnownError."""

    def memo(self, kind: str, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the note under a key.

        :raises NotKnownError: when it is missing.
        """
        value = self.recall(kind, key)
        if value is None:
            raise NotKnownError
        return value

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Raise NotKnownError: everything that is made begins in a folder of its own."""
        raise NotKnownError
        yield  # a generator, as the method that it replaces
