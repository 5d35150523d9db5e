"""Which user and password open an address: those of an index at its origin, and of nobody else's.

Besides the :class:`Credentials` that are given there are those of the environment: the tools' variables for
an index of a name, and addresses with a user in them.
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

#: An address in some text: its scheme, the user in it if any, and the rest.
_URL: Final = re.compile(r"""(https?://)(?:([^\s/?#"'<>]*)@)?([^\s,;"'<>]*)""")
#: The origin of an address that is none.
_NOWHERE: Final = origin_of("")
#: What the tools replace by the value of an environment variable.
_VARIABLE: Final = re.compile(r"\$\{\w+\}")


def logins_for(url: str, credentials: Collection[Credentials]) -> tuple[tuple[str, str], ...]:
    """Return user and password of each index at the origin of a URL, and those in it, the likeliest first.

    That is the index whose path the URL shares most of. Where files lie apart from the pages of their index,
    the path does not tell, and only the origin knows which login opens them. Raises :class:`LbdartError` for
    a user that the standard has no way to send (RFC 7617).
    """
    found = _opening(url, credentials)
    for one in found:
        if ":" in one.username:
            raise LbdartError(
                f"The username for the index {one.index_name!r} has a colon, which HTTP cannot tell from the "
                "start of the password.",
                "Check that it is the username alone.",
            )
    return tuple(dict.fromkeys((one.username, one.password) for one in found))


def _opening(url: str, credentials: Collection[Credentials]) -> list[Credentials]:
    """Return whose logins may open a URL; one in it without a password counts last."""
    own = credentials_in(url)
    given = (*credentials, *filter(_has_password, own))
    same = [each for each in given if each.origin == origin_of(url)]
    path = _folders(url)
    return sorted(same, key=lambda each: -_shared(path, _folders(each.index_url))) or list(own)


def credentials_in(text: str) -> tuple[Credentials, ...]:
    """Return credentials for each address in a text that has a user in it."""
    return tuple(_credentials_in(text))


def _credentials_in(text: str) -> Iterator[Credentials]:
    for scheme, userinfo, rest in _URL.findall(text):
        if userinfo and origin_of(scheme + rest) != _NOWHERE:
            user, _, password = userinfo.partition(":")
            name = re.sub(r"[^A-Za-z0-9._-]", "-", rest.partition("/")[0])
            yield Credentials(name, scheme + rest, _unquoted(user), _unquoted(password))


def credentials_named(indexes: Mapping[str, str]) -> tuple[Credentials, ...]:
    """Return what uv's and poetry's variables, or the address itself, say about each index of a name."""
    found = []
    for name, url in indexes.items():
        for user, password in (uv_variables(name), poetry_variables(name)):
            if user in os.environ or password in os.environ:
                login = os.environ.get(user, ""), os.environ.get(password, "")
                found.append(Credentials(name, without_login(url), *login))
        found += credentials_in(url)
    return tuple(found)


def without_login(text: str) -> str:
    """Return a text in which no address has a user."""
    return _URL.sub(r"\1\3", text)


def with_login(text: str, credentials: Collection[Credentials]) -> str:
    """Return a text in which each address that credentials are for has them. A secret."""

    def opened(match: re.Match[str]) -> str:
        scheme, userinfo, rest = match.groups()
        found = next(iter(_opening(match[0], credentials)), None)
        if found is None or (userinfo and not found.password):
            return match[0]
        return f"{scheme}{found.userinfo}@{rest}"

    return _URL.sub(opened, text)


def refuse_passwords_in(content: bytes, path: Path) -> None:
    """Raise :class:`LbdartError` for a file that is going to be published and has a password in it."""
    for _, userinfo, rest in _URL.findall(content.decode("utf-8", errors="replace")):
        if ":" in userinfo and not _VARIABLE.search(userinfo):
            raise LbdartError(
                f"{path} has a password for {rest.partition('/')[0]} in it, and is published with the layer.",
                "Take it out of the address, and pass credentials= or, in a requirements file, name "
                "environment variables: https://${USER}:${TOKEN}@host/simple.",
            )


def refused(status: int, *, with_login: bool) -> str | None:
    """Return what to do when an index answers with this HTTP status, if it has to do with a login."""
    if with_login and status in (401, 403):
        return "Check the user and the password that it was given, and what that user may read."
    if status == 401:
        return "Give it a user and a password: with credentials=, the tool's environment variables, or netrc."
    return None


def _has_password(credentials: Credentials) -> bool:
    return bool(credentials.password)


def _unquoted(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def _folders(url: str) -> list[str]:
    return url.partition("?")[0].split("/")[3:]


def _shared(one: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
