"""Which lines of requirements files are the user's own, and which a tool wrote below them.

A file that ``uv pip compile``, ``pip-compile`` or ``uv export`` writes has a line for every package, and a
comment that says what the line is there for: ``# via boto3`` or ``# via -r requirements.in``. The extras that
the user asked for may be missing in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*")
_VIA: Final = re.compile(r"(?:^|\s)#\s*via\b(.*)")
#: One of several origins, below ``# via``.
_ORIGIN: Final = re.compile(r"\s*#\s{2,}(\S.*)")
#: An origin that is a package, perhaps with extras.
_PACKAGE: Final = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[.*\])?")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that names a package.

    :param required: the requirement, as :func:`~lbdart_cdk.core.locking.lock.requirement` writes it.
    :param origins: what a comment says that the line is there for.
    """

    required: str
    origins: frozenset[str] = frozenset()


def origins_in(text: str) -> Mapping[str, frozenset[str]]:
    """Return what the comments of a requirements file say that its packages are there for, by package."""
    origins: defaultdict[str, set[str]] = defaultdict(set)
    package, is_below = "", False
    for line in text.splitlines():
        if (named := _NAME.match(line)) is not None:
            package = canonicalize_name(named[0])
        via, origin = _VIA.search(line), _ORIGIN.match(line)
        if via is not None:
            origins[package].update(map(str.strip, via[1].split(",")))
        elif origin is not None and is_below:
            origins[package].add(origin[1].strip())
        is_below = via is not None or (origin is not None and is_below)
    return {name: frozenset(found - {""}) for name, found in origins.items()}


def own_lines(lines: Iterable[Line], locked: Collection[str]) -> tuple[str, ...]:
    """Return the requirements that are the user's own, as far as that is known.

    In a file with a line for every package and no comments they cannot be told from the others. There, only
    a line with extras is known to be one.

    :param locked: the names of all packages, with those that the lines require.
    """
    read = [(Requirement(line.required), line) for line in lines]
    named = {canonicalize_name(required.name) for required, _ in read}
    is_unknown = named.issuperset(locked) and not any(line.origins for _, line in read)
    own = (
        line.required
        for required, line in read
        if (required.extras if is_unknown else _is_own(line.origins, named.union(locked)))
    )
    return tuple(sorted({*own}))


def shown_by(lines: Iterable[Line]) -> dict[str, list[str]]:
    """Return the names that each package requires, as the comments say; the extras are not known."""
    shown: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        for origin in line.origins:
            if (match := _PACKAGE.fullmatch(origin)) is not None:
                shown[canonicalize_name(match[1])].append(Requirement(line.required).name)
    return {name: sorted(names) for name, names in shown.items()}


def _is_own(origins: Collection[str], known: Collection[str]) -> bool:
    """Tell whether a line is there for something else than the known packages and constraints."""
    packages = [match[1] for origin in origins if (match := _PACKAGE.fullmatch(origin)) is not None]
    others = {canonicalize_name(name) for name in packages} - {*known}
    files = [origin for origin in origins if not _PACKAGE.fullmatch(origin) and not origin.startswith("-c")]
    return not origins or bool(others) or bool(files)
