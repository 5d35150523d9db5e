"""The settings and logins of the HTTP client, for indexes and downloads."""

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

PARALLEL: Final = 8  # requests at once
TIMEOUT: Final = (10.0, 60.0)  # seconds to connect, and between two reads


def new_session() -> requests.Session:
    """Return a session that trusts the certificates that the user configured."""
    session = requests.Session()
    # requests reads REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE, but users of uv and pip set SSL_CERT_FILE.
    certificates = os.environ.get("SSL_CERT_FILE")
    if certificates and not os.environ.get("REQUESTS_CA_BUNDLE"):
        session.verify = certificates
    return session


def auth_for(url: str, credentials: Collection[Credentials]) -> HTTPBasicAuth | None:
    """Return the most likely login for a URL; see :func:`auths_for`."""
    return auths_for(url, credentials)[0]


def auths_for(url: str, credentials: Collection[Credentials]) -> tuple[HTTPBasicAuth | None, ...]:
    """Return the logins for a URL, the most likely first.

    None stands for no login; the client then reads netrc. On a redirect to another host or port, the client
    drops the login.
    """
    return tuple(_auth(url, *login) for login in logins_for(url, credentials)) or (None,)


def _auth(url: str, username: str, password: str) -> HTTPBasicAuth | None:
    if not password and get_netrc_auth(url) is not None:
        return None
    # As bytes: the client would encode text as Latin-1, but servers expect UTF-8 (RFC 7617).
    return HTTPBasicAuth(utf8(username), utf8(password))
