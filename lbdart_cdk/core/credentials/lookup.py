"""The user and password for a URL: only those of an index at the same origin.

They come from the :class:`Credentials` that the user passes, from the tools' variables for a named index, and
from URLs with a user in them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from ..errors import LbdartError
from .urls import origin_of
from .value import Credentials, poetry_variables, uv_variables

#: A URL in a text: its scheme, its user (if any), and the rest.
_URL: Final = re.compile(r"""(https?://)(?:([^\s/?#"'<>]*)@)?([^\s,;"'<>]*)""")
#: The origin of an invalid URL.
_NO_ORIGIN: Final = origin_of("")
#: An environment variable, which the tools replace by its value.
_VARIABLE: Final = re.compile(r"\$\{\w+\}")


def logins_for(url: str, credentials: Collection[Credentials]) -> tuple[tuple[str, str], ...]:
    """Return the user and password of each index at a URL's origin, and of the URL, best match first.

    The best match is the index that shares the longest path with the URL. Some indexes keep their files under
    another path than their pages; then the path says nothing, and each login at the origin may be right.

    :raises LbdartError: when a username contains a colon, which HTTP cannot send (RFC 7617).
    """
    candidates = _candidates(url, credentials)
    for candidate in candidates:
        if ":" in candidate.username:
            raise LbdartError(
                f"The username for the index {candidate.index_name!r} contains a colon, and HTTP takes what "
                "follows a colon for the password.",
                "Pass the username alone, without the password.",
            )
    return tuple(dict.fromkeys((candidate.username, candidate.password) for candidate in candidates))


def _candidates(url: str, credentials: Collection[Credentials]) -> list[Credentials]:
    """Return the credentials that may be for a URL; a user without a password in the URL counts last."""
    in_url = credentials_in(url)
    complete = (*credentials, *filter(_has_password, in_url))
    same_origin = [candidate for candidate in complete if candidate.origin == origin_of(url)]
    path = _path(url)
    return sorted(
        same_origin, key=lambda candidate: -_common_length(path, _path(candidate.index_url))
    ) or list(in_url)


def credentials_in(text: str) -> tuple[Credentials, ...]:
    """Return the credentials of each URL in a text that contains a user."""
    return tuple(_credentials_in(text))


def _credentials_in(text: str) -> Iterator[Credentials]:
    for scheme, userinfo, rest in _URL.findall(text):
        if userinfo and origin_of(scheme + rest) != _NO_ORIGIN:
            user, _, password = userinfo.partition(":")
            name = re.sub(r"[^A-Za-z0-9._-]", "-", rest.partition("/")[0])
            yield Credentials(name, scheme + rest, _unquote(user), _unquote(password))


def credentials_named(indexes: Mapping[str, str]) -> tuple[Credentials, ...]:
    """Return the credentials of named indexes from variables of uv and Poetry, and from the indexes' URLs.

    :param indexes: the URL of each index, by name.
    """
    credentials = []
    for name, url in indexes.items():
        for user, password in (uv_variables(name), poetry_variables(name)):
            if user in os.environ or password in os.environ:
                login = os.environ.get(user, ""), os.environ.get(password, "")
                credentials.append(Credentials(name, without_login(url), *login))
        credentials += credentials_in(url)
    return tuple(credentials)


def without_login(text: str) -> str:
    """Remove the user and password from each URL in a text."""
    return _URL.sub(r"\1\3", text)


def with_login(text: str, credentials: Collection[Credentials]) -> str:
    """Add the user and password to each URL in a text that has credentials. The result is a secret."""

    def add_login(match: re.Match[str]) -> str:
        scheme, userinfo, rest = match.groups()
        best = next(iter(_candidates(match[0], credentials)), None)
        if best is None or (userinfo and not best.password):
            return match[0]
        return f"{scheme}{best.userinfo}@{rest}"

    return _URL.sub(add_login, text)


def refuse_passwords_in(content: bytes, path: Path) -> None:
    """Refuse a file that contains a password and is going to be published.

    :raises LbdartError: when a URL in the file contains a password.
    """
    for _, userinfo, rest in _URL.findall(content.decode("utf-8", errors="replace")):
        if ":" in userinfo and not _VARIABLE.search(userinfo):
            raise LbdartError(
                f"{path} contains a password for {rest.partition('/')[0]}, and is published with the layer.",
                "Remove the password from the URL, and keep it in netrc, in the tool's environment variables "
                "or in credentials= of an app; a requirements file may name environment variables: "
                "https://${USER}:${TOKEN}@host/simple.",
            )


def refused(status: int, *, with_login: bool) -> str | None:
    """Return the remedy when an index refuses a login (HTTP status 401 or 403); None for any other status.

    :param with_login: whether the request had a user and password.
    """
    if with_login and status in (401, 403):
        return "Check the user and the password, and that this user may read the index."
    if status == 401:
        return (
            "Pass a user and a password: with netrc, the tool's environment variables, or credentials= of an "
            "app."
        )
    return None


def _has_password(credentials: Credentials) -> bool:
    return bool(credentials.password)


def _unquote(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def _path(url: str) -> list[str]:
    return url.partition("?")[0].split("/")[3:]


def _common_length(path: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(path, other, strict=False)))
