"""Ask an index for the files of a package with the simple API (PEP 503, PEP 691).

Other modules import this one only inside the function that calls it, because it imports an HTTP client.
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
    """Return the files that an index has of each package, by package and file name.

    Each file has a ``url`` without a password and, if known, its ``size`` and ``hashes``. A package that the
    index does not know has no files.

    :param credentials: without any for the index, the URL or netrc supplies them.
    :raises LbdartError: when the index does not answer or refuses; the message names the host.
    """
    with new_session() as session, ThreadPoolExecutor(PARALLEL) as pool:
        session.headers["Accept"] = _ACCEPT
        session.auth = auth_for(index, credentials)
        pages = pool.map(lambda package: _page(session, without_login(index), package), packages)
        return dict(zip(packages, pages, strict=True))


def _page(session: requests.Session, index: str, package: str) -> dict[str, dict[str, Any]]:
    host = urlsplit(index).hostname
    try:
        response = session.get(f"{index.rstrip('/')}/{package}/", timeout=TIMEOUT)
        json = response.json() if response.headers.get("Content-Type", "").endswith("+json") else None
    except (RequestException, ValueError) as error:
        # The messages of these errors contain the whole URL, with its password.
        raise LbdartError(
            f"The request for {package} to the index at {host} failed: {type(error).__name__}.",
            "Check the index's URL, the network and the proxy settings.",
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
            file["filename"]: {
                "url": without_login(urljoin(base, file["url"])),
                **{key: file[key] for key in ("size", "hashes") if file.get(key)},
            }
            for file in json.get("files", [])
        }
    links = _Links()
    links.feed(response.text)
    urls = (urldefrag(urljoin(base, link)) for link in links.targets)
    return {
        unquote(urlsplit(url).path.rpartition("/")[2]): {"url": without_login(url), **_hash_in(fragment)}
        for url, fragment in urls
    }


def _hash_in(fragment: str) -> dict[str, dict[str, str]]:
    algorithm, separator, digest = fragment.partition("=")
    return {"hashes": {algorithm: digest}} if separator else {}


class _Links(HTMLParser):
    """The targets of the links on a project's page (PEP 503)."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Store the target of a link."""
        if tag == "a":
            self.targets += [value for name, value in attrs if name == "href" and value]
