"""The lock: the only interface between the packaging tools and the steps after them."""

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

#: The names that a package requires, each with its marker or None.
Requirements = Mapping[str, str | None]


@dataclass(frozen=True)
class Lock:
    """A tool's lock as data, in the standard's form.

    :param content: the tables of a PEP 751 lock, in a form that JSON can hold (:func:`without_dates`).
    :param origin: the file that the lock came from, for messages.
    :param base: the directory that relative paths in the lock start from.
    :param local: for each package that is a directory of the user, its path, by package name.
    :param requires: the requirements of each package: ``{package: {required package: marker or None}}``. None
        when the tool does not know them; then the metadata of the wheels does.
    :param extras: the extras that are still to select; empty when the tool has applied them already.
    :param groups: the dependency groups that are still to select, likewise.
    :param inputs: the files that the manifest includes.
    :param pinned: False when the tool chose the files today, so that the same inputs can give other files.
    :param logins: returns the credentials for the indexes from the tool's own settings and the environment.
        It is called when something is downloaded, and its result is never stored.
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

        :raises LbdartError: when it is not a valid PEP 751 lock.
        """
        try:
            return Pylock.from_dict(self.content)
        except (PylockValidationError, PylockUnsupportedVersionError) as error:
            raise LbdartError(
                f"{self.origin} is not a valid lock: {in_one_line(error)}.",
                "Make it again with the tool it comes from.",
            ) from error

    def local_directories(self) -> dict[NormalizedName, Path]:
        """Return the directory of each local package, by name.

        :raises LbdartError: when the lock holds an invalid path.
        """
        with read_as_lock(self.origin):
            return {
                canonicalize_name(name): (self.base / path).resolve() for name, path in self.local.items()
            }


def without_dates(tables: Any) -> Any:
    """Return the tables of a lock without their dates, which JSON cannot hold and nothing here uses."""
    if isinstance(tables, Mapping):
        return {key: without_dates(value) for key, value in tables.items() if not isinstance(value, _DATES)}
    if isinstance(tables, list):
        return [without_dates(value) for value in tables if not isinstance(value, _DATES)]
    return tables


def read_as_lock(origin: Path) -> AbstractContextManager[None]:
    """Turn errors that invalid tables raise into an :class:`LbdartError` that names the lock ``origin``."""
    return explained(
        lambda error: LbdartError(
            f"{origin} is not a valid lock: {type(error).__name__}: {in_one_line(error)}.",
            "Make it again with the tool it comes from.",
        ),
        *(AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError),
    )


def requirements(edges: Iterable[tuple[str, str | None]]) -> dict[str, str | None]:
    """Return a package's requirements from names and markers; ``or`` joins the markers of a repeated name."""
    markers: dict[str, str | None] = {}
    for requirement, marker in edges:
        name = canonicalize_name(requirement)
        before = markers.get(name, marker)
        either = marker if marker == before else f"({before}) or ({marker})"
        markers[name] = None if marker is None or before is None else either
    return markers
