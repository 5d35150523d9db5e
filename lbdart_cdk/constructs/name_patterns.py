"""Patterns that match many names in little room: all names as they are, else their beginnings and a ``*``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

#: A token in a text, which only the deployment replaces.
_TOKEN: Final = re.compile(r"\$\{Token\[[^\]]*\]\}")
#: The most characters that a token is taken to become: those of a bucket's name.
_TOKEN_LENGTH: Final = 63


def length_of(text: str) -> int:
    """Return how long a text may become when its tokens are replaced."""
    return len(_TOKEN.sub("x" * _TOKEN_LENGTH, text))


def covering(names: Iterable[str], room: int, around: int = 0) -> list[str]:
    """Return patterns that match all names, with as much of the names as there is room for.

    :param room: the most characters of all patterns.
    :param around: the characters around each pattern.

    >>> covering(["shop-deps", "shop-more", "till"], room=24)
    ['shop-deps', 'shop-more', 'till']
    >>> covering(["shop-deps", "shop-more", "till"], room=12)
    ['shop-*', 'till']
    >>> covering(["shop-deps", "shop-more", "till"], room=3)
    ['*']
    """
    unique = list(dict.fromkeys(names))
    longest = max(map(length_of, unique), default=0)
    for length in range(longest, 0, -1):
        patterns = _shortened(unique, length)
        if sum(around + length_of(pattern) for pattern in patterns) <= room:
            return patterns
    return ["*"] if unique else []


def _shortened(names: Sequence[str], length: int) -> list[str]:
    """Return patterns of at most ``length`` characters before their ``*``."""
    return list(dict.fromkeys(_beginning(name, length) for name in names))


def _beginning(name: str, length: int) -> str:
    if length_of(name) <= length:
        return name
    token = _TOKEN.search(name)
    return f"{name[: min(length, token.start() if token else length)]}*"
