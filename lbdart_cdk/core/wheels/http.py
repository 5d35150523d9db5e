"""The HTTP client's settings and logins, the same for indexes and downloads."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Final

import requests
from requests.auth import HTTPBasicAuth
from requests.utils import get_netrc_auth

from ..credentials.lookup import logins_for
from ..credentials.urls import utf8
from ..credentials.value import Credentials

PARALLEL: Final = 8
TIMEOUT: Final = (10.0, 60.0)  # seconds to connect, and between two reads


def new_session() -> requests.Session:
    """Return a session that trusts the certificates the user has named."""
    session = requests.Session()
    # requests reads REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE; uv and pip's users set this one.
    certificates = os.environ.get("SSL_CERT_FILE")
    if certificates and not os.environ.get("REQUESTS_CA_BUNDLE"):
        session.verify = certificates
    return session


def auth_for(url: str, credentials: Collection[Credentials]) -> HTTPBasicAuth | None:
    """Return the likeliest of :func:`auths_for`."""
    return auths_for(url, credentials)[0]


def auths_for(url: str, credentials: Collection[Credentials]) -> tuple[HTTPBasicAuth | None, ...]:
    """Return the logins for a URL, the likeliest first; None is none, and then the client looks into netrc.

    When the client is redirected to another host or port, it leaves the login behind.
    """
    return tuple(_auth(url, *login) for login in logins_for(url, credentials)) or (None,)


def _auth(url: str, username: str, password: str) -> HTTPBasicAuth | None:
    if not password and get_netrc_auth(url) is not None:
        return None
    # As bytes: the client would take text for Latin-1, while servers expect UTF-8 (RFC 7617).
    return HTTPBasicAuth(utf8(username), utf8(password))
