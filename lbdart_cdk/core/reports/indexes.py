"""The indexes that a project is set up with, and where a login for each is found. No password is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from ..credentials.lookup import without_login
from ..credentials.value import poetry_variables, uv_variables
from ..errors import LbdartError
from ..process import run

_HIDDEN: Final = "****"
#: Says whether the keyring has a password, and keeps it to itself. This is another process, because a keyring
#: may wait for somebody to unlock it.
_ASK_KEYRING: Final = """
import sys
try:
    import keyring
    found = [keyring.get_credential(service, None) for service in sys.argv[1:]]
    print(any(login is not None and login.password for login in found))
except Exception:
    print(False)
"""


class Named(Protocol):
    """An index as the settings name it; see :class:`lbdart_cdk.tools._logins.NamedIndex`."""

    @property
    def name(self) -> str:
        """Its name, or that of the variable that has its URL."""
        ...

    @property
    def url(self) -> str:
        """May contain a user and a password."""
        ...

    @property
    def has_user(self) -> bool:
        """Whether the settings name a user beside the URL."""
        ...


@dataclass(frozen=True, slots=True)
class IndexLogin:
    """An index, and where a login for it is.

    :param host: as the user wrote it, with the port; a user and a password before it are hidden.
    :param login: where there is one: ``its URL``, ``netrc``; None when there is none.
    """

    name: str
    host: str
    login: str | None

    def __str__(self) -> str:
        """Return the line of a report."""
        where = f"login from {self.login}" if self.login else "no login"
        return f"{self.name} at {self.host}, {where}"


def logins_of(indexes: Iterable[Named]) -> list[IndexLogin]:
    """Return where the login of each index is."""
    found = [IndexLogin(index.name, _host(index.url), next(_logins(index), None)) for index in indexes]
    return list(dict.fromkeys(found))


def _host(url: str) -> str:
    """Return the host in a URL. The rest of it is not told: some indexes have a token in the path."""
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0]
    user, at, host = authority.rpartition("@")
    return f"{_HIDDEN}@{host}" if user or at else host or "this machine"


def _logins(index: Named) -> Iterator[str]:
    """Yield the places that have a login, those first that win."""
    for names in (uv_variables(index.name), poetry_variables(index.name)):
        if given := [name for name in names if os.environ.get(name)]:
            yield f"the environment ({' and '.join(given)})"
    if index.has_user:
        yield "the project's settings"
    parts = urlsplit(index.url)
    if parts.password:
        yield "its URL"
    if parts.hostname and _netrc_has(index.url):
        yield "netrc"
    if parts.hostname and _keyring_has(index.url):
        yield "the keyring"


def _netrc_has(url: str) -> bool:
    from requests.utils import get_netrc_auth

    return get_netrc_auth(without_login(url)) is not None


def _keyring_has(url: str) -> bool:
    services = without_login(url), urlsplit(url).netloc.rpartition("@")[2]
    command = (sys.executable, "-c", _ASK_KEYRING, *services)
    try:
        return run(command, cwd=Path.cwd(), environment=os.environ).stdout.split() == ["True"]
    except LbdartError:  # it waits for somebody
        return False
