"""Arguments as users may write them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .errors import LbdartError


def as_tuple(names: str | Collection[str] | None) -> tuple[str, ...]:
    """Return one name, several or none as a tuple; a text is one name, and not its letters."""
    return (names,) if isinstance(names, str) else tuple(names or ())


def checked_path(name: str, path: object, example: str) -> None:
    """Check the type of a path that was given as ``name``.

    :raises LbdartError: unless it is a path.
    """
    if not isinstance(path, Path):
        raise LbdartError(
            f"{name} is {path!r}, and not a pathlib.Path.",
            f'Pass the path as an object, as in Path("{example}").',
        )
