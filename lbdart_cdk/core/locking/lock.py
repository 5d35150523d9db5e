"""The lock: the one interface between the packaging tools and everything after them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name

from ..credentials.value import Credentials
from ..errors import LbdartError, in_one_line

Requirements = Mapping[str, str | None]


@dataclass(frozen=True)
class Lock:
    """A tool's lock, as a tool gives it: cheap to have, read only when something is built from it.

    ``content`` is a PEP 751 lock, ``origin`` the file it came from, for messages, and ``base`` the
    directory that relative paths in it start from. ``local`` are the packages that are directories of
    the user's, with their paths. ``requires`` says who requires whom, as ``{package: {required
    package: marker or None}}``; it is None when the tool does not know, and then the wheels tell.
    ``extras`` and ``groups`` are those still to be selected: a tool that has applied them already
    leaves them empty.

    ``inputs`` are the files that the manifest includes. A lock that is not ``pinned`` is the tool's choice
    of today: the inputs do not tell which files it names.

    ``logins`` tells what the tool's own settings and the environment say about its indexes. It is asked
    when something is downloaded; nothing keeps its answer.
    """

    content: str
    origin: Path
    base: Path
    local: Mapping[str, str] = field(default_factory=dict)
    requires: Mapping[str, Requirements] | None = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = ()
    pinned: bool = True
    logins: Callable[[], tuple[Credentials, ...]] = field(default=tuple, compare=False)

    def local_directories(self) -> dict[NormalizedName, Path]:
        """Return the directories of the local packages, by name."""
        with read_as_lock(self.origin):
            return {
                canonicalize_name(name): (self.base / path).resolve() for name, path in self.local.items()
            }


@contextlib.contextmanager
def read_as_lock(origin: Path) -> Iterator[None]:
    """Turn what tables of another shape, or names that are none, raise into a message about the lock."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise LbdartError(
            f"{origin} is not a valid lock: {type(error).__name__}: {in_one_line(error)}.",
            "Make it again with the tool it comes from.",
        ) from error


def requirements(edges: Iterable[tuple[str, str | None]]) -> dict[str, str | None]:
    """Return what a package requires, from names and markers; one that is named twice has either marker."""
    found: dict[str, str | None] = {}
    for name, marker in edges:
        required = canonicalize_name(name)
        before = found.get(required, marker)
        either = marker if marker == before else f"({before}) or ({marker})"
        found[required] = None if marker is None or before is None else either
    return found
