"""One name or many, as a user may write them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .errors import LbdartError


def several(names: str | Collection[str] | None) -> tuple[str, ...]:
    """Return one, several or no names or patterns as a tuple; a single one is one, and not its letters."""
    return (names,) if isinstance(names, str) else tuple(names or ())


def refuse_unless_path(name: str, path: object, example: str) -> None:
    """Check the type of a path that was given as ``name``.

    :raises LbdartError: unless it is a path.
    """
    if not isinstance(path, Path):
        raise LbdartError(
            f"{name} is {path!r}, and not a pathlib.Path.",
            f'Pass the path as an object, as in Path("{example}").',
        )
