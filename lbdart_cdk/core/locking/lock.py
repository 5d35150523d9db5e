"""The lock: the one interface between the packaging tools and everything after them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, time
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError
from packaging.utils import NormalizedName, canonicalize_name

from ..credentials.value import Credentials
from ..errors import LbdartError, explained, in_one_line

_DATES: Final = (date, time)

Requirements = Mapping[str, str | None]


@dataclass(frozen=True)
class Lock:
    """A tool's lock as data, in the standard's form.

    :param content: the tables of a PEP 751 lock, as JSON can hold them (:func:`without_dates`).
    :param origin: the file that it came from, for messages.
    :param base: the directory that relative paths in it start from.
    :param local: the directories of the packages that are directories of the user's, by package.
    :param requires: who requires whom, as ``{package: {required package: marker or None}}``; None when the
        tool does not know it, and then the wheels tell.
    :param extras: the extras still to be selected, empty when the tool has applied them already.
    :param groups: the dependency groups still to be selected, likewise.
    :param inputs: the files that the manifest includes.
    :param pinned: False when the tool has chosen the files today, and the inputs do not tell which.
    :param logins: tells what the tool's own settings and the environment say about its indexes. It is called
        when something is downloaded; nothing keeps its answer.
    """

    content: Mapping[str, Any]
    origin: Path
    base: Path
    local: Mapping[str, str] = field(default_factory=dict)
    requires: Mapping[str, Requirements] | None = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = ()
    pinned: bool = True
    logins: Callable[[], tuple[Credentials, ...]] = field(default=tuple, compare=False)

    @cached_property
    def pylock(self) -> Pylock:
        """The lock, validated.

        :raises LbdartError: when its tables are not those of a lock.
        """
        try:
            return Pylock.from_dict(self.content)
        except (PylockValidationError, PylockUnsupportedVersionError) as error:
            raise LbdartError(
                f"{self.origin} is not a valid lock: {in_one_line(error)}.",
                "Make it again with the tool it comes from.",
            ) from error

    def local_directories(self) -> dict[NormalizedName, Path]:
        """Return the directories of the local packages, by name."""
        with read_as_lock(self.origin):
            return {
                canonicalize_name(name): (self.base / path).resolve() for name, path in self.local.items()
            }


def without_dates(tables: Any) -> Any:
    """Return the tables of a lock without their dates: JSON has none, and nothing here asks for them."""
    if isinstance(tables, Mapping):
        return {key: without_dates(value) for key, value in tables.items() if not isinstance(value, _DATES)}
    if isinstance(tables, list):
        return [without_dates(value) for value in tables if not isinstance(value, _DATES)]
    return tables


def read_as_lock(origin: Path) -> AbstractContextManager[None]:
    """Explain what reading ``origin`` as a lock raises when its tables or the names in them are invalid."""
    return explained(
        lambda error: LbdartError(
            f"{origin} is not a valid lock: {type(error).__name__}: {in_one_line(error)}.",
            "Make it again with the tool it comes from.",
        ),
        *(AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError),
    )


def requirements(edges: Iterable[tuple[str, str | None]]) -> dict[str, str | None]:
    """Return what a package requires, from names and markers; one that is named twice has either marker."""
    found: dict[str, str | None] = {}
    for name, marker in edges:
        required = canonicalize_name(name)
        before = found.get(required, marker)
        either = marker if marker == before else f"({before}) or ({marker})"
        found[required] = None if marker is None or before is None else either
    return found
