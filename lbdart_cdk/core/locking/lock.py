"""The lock: the only interface between the packaging tools and the steps after them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.utils import canonicalize_name

from ..credentials.value import Credentials
from ..errors import BuildWarning, LbdartError, explained, in_one_line

if TYPE_CHECKING:
    from packaging.pylock import Pylock

_DATES: Final = (date, time)

#: What packages require: for each name, and each version of it in the lock (empty when it is not known),
#: requirements as :func:`requirement` writes them.
Requires = Mapping[str, Mapping[str, Sequence[str]]]

#: A condition on an extra as metadata has it.
_EXTRA: Final = re.compile(
    r"""\bextra\s*(?P<is>[!=]=)\s*(?P<name>"[^"]*"|'[^']*')"""
    r"""|(?P<other_name>"[^"]*"|'[^']*')\s*(?P<other_is>[!=]=)\s*extra\b"""
)


@dataclass(frozen=True)
class Lock:
    """A tool's lock as data, in the standard's form.

    :param content: the tables of a PEP 751 lock, in a form that JSON can hold (:func:`without_dates`).
    :param origin: the file that the lock came from, for messages.
    :param base: the directory that relative paths in the lock start from.
    :param requires: what each package requires. None when the tool does not know it; then the metadata of the
        wheels does.
    :param roots: what the project itself requires, with the extras and groups that are chosen, as far as that
        is known. It is written as in ``requires``.
    :param shown: names that each package requires, perhaps only with an extra, for a lock that shows this and
        not the extras.
    :param extras: the extras that are still to select; empty when the tool has applied them already.
    :param groups: the dependency groups that are still to select, likewise.
    :param warnings: what of it may not be as the user expects.
    :param logins: returns the credentials for the indexes from the tool's own settings and the environment.
        It is called when something is downloaded, and its result is never stored.
    """

    content: Mapping[str, Any]
    origin: Path
    base: Path
    requires: Requires | None = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    shown: Mapping[str, Sequence[str]] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    warnings: tuple[BuildWarning, ...] = ()
    logins: Callable[[], tuple[Credentials, ...]] = field(default=tuple, compare=False)

    @cached_property
    def pylock(self) -> Pylock:
        """The lock, validated.

        :raises LbdartError: when it is not a valid PEP 751 lock.
        """
        # Imported here, because an unchanged lock is not read again.
        from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

        try:
            return Pylock.from_dict(self.content)
        except (PylockValidationError, PylockUnsupportedVersionError) as error:
            raise LbdartError(
                f"{self.origin} is not a valid lock: {in_one_line(error)}.",
                "Make it again with the tool it comes from.",
            ) from error


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


def requirement(name: str, extras: Iterable[str] = (), marker: str | None = None) -> str:
    """Write a requirement as PEP 508 does, without versions, and with :func:`in_extras` of its marker."""
    asked = ",".join(sorted(map(canonicalize_name, extras)))
    condition = f"; {in_extras(marker)}" if marker else ""
    return f"{canonicalize_name(name)}{f'[{asked}]' if asked else ''}{condition}"


def in_extras(marker: str) -> str:
    """Write the conditions of a marker on extras as a lock has them: ``"fast" in extras`` (PEP 751)."""

    def written(match: re.Match[str]) -> str:
        is_asked = (match["is"] or match["other_is"]) == "=="
        return f"{match['name'] or match['other_name']} {'in' if is_asked else 'not in'} extras"

    return _EXTRA.sub(written, marker)
