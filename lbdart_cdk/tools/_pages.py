"""What an index has of a package: the simple API (PEP 503, PEP 691).

Only who asks an index pays for importing an HTTP client: this module is imported by the function that does.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import requests
from requests.exceptions import RequestException

from lbdart_cdk.core.credentials.lookup import refused, without_login
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.wheels.http import PARALLEL, TIMEOUT, auth_for, new_session

_ACCEPT: Final = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
)


def files_on(
    index: str, packages: Collection[str], credentials: Collection[Credentials] = ()
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what an index has of each package: by file name ``url`` and, if known, ``size`` and ``hashes``.

    Of a package that it does not know it has nothing. Without ``credentials`` for it they are those of the
    address or of netrc. No address that is returned holds a password. Raises :class:`LbdartError` naming
    the host when it does not answer.
    """
    with new_session() as session, ThreadPoolExecutor(PARALLEL) as pool:
        session.headers["Accept"] = _ACCEPT
        session.auth = auth_for(index, credentials)
        found = pool.map(lambda package: _page(session, without_login(index), package), packages)
        return dict(zip(packages, found, strict=True))


def _page(session: requests.Session, index: str, package: str) -> dict[str, dict[str, Any]]:
    host = urlsplit(index).hostname
    try:
        response = session.get(f"{index.rstrip('/')}/{package}/", timeout=TIMEOUT)
        json = response.json() if response.headers.get("Content-Type", "").endswith("+json") else None
    except (RequestException, ValueError) as error:
        # What these errors say repeats the whole address, with its password.
        raise LbdartError(
            f"The index at {host} cannot be asked for {package}: {type(error).__name__}.",
            "Check its address, the network and the proxy settings.",
        ) from None
    if response.status_code == 404:
        return {}
    if not response.ok:
        raise LbdartError(
            f"The index at {host} refused {package}: {response.status_code} {response.reason}.",
            refused(response.status_code, with_login=session.auth is not None)
            or "Check that it has the package and that you may read it, or lock again.",
        )
    base = response.url
    if json is not None:
        return {
            one["filename"]: {
                "url": without_login(urljoin(base, one["url"])),
                **{key: one[key] for key in ("size", "hashes") if one.get(key)},
            }
            for one in json.get("files", [])
        }
    links = _Links()
    links.feed(response.text)
    addresses = (urldefrag(urljoin(base, link)) for link in links.found)
    return {
        unquote(urlsplit(url).path.rpartition("/")[2]): {"url": without_login(url), **_hash_in(fragment)}
        for url, fragment in addresses
    }


def _hash_in(fragment: str) -> dict[str, dict[str, str]]:
    algorithm, separator, digest = fragment.partition("=")
    return {"hashes": {algorithm: digest}} if separator else {}


class _Links(HTMLParser):
    """The addresses on a project's page (PEP 503)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a link leads."""
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]
