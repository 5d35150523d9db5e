"""The HTTP client's settings, the same for indexes and downloads."""

from __future__ import annotations

import os
from typing import Final

import requests

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
