"""Checks and converts arguments that users pass in more than one form."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .errors import InvalidError


def as_tuple(names: str | Collection[str] | None) -> tuple[str, ...]:
    """Return one name, several names or None as a tuple; a string is one name."""
    return (names,) if isinstance(names, str) else tuple(names or ())


def checked_path(name: str, path: object, example: str) -> Path:
    """Return an argument after a check that it is a :class:`pathlib.Path`.

    :param name: the name of the argument.
    :param example: a path for the message.
    :raises LbdartError: when the argument has another type.
    """
    if not isinstance(path, Path):
        raise InvalidError(
            f"{name} is {path!r}, not a pathlib.Path.",
            f'Pass a Path object, such as Path("{example}").',
        )
    return path
