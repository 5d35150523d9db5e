"""Package indexes: which one the user has chosen, and what it has of a package (PEP 503, PEP 691)."""

from __future__ import annotations

import ast
import os
import sys
import warnings
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from lbdart_cdk.core import frontend
from lbdart_cdk.core.credentials import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.logins import refused, without_login
from lbdart_cdk.core.tool import run

if TYPE_CHECKING:
    import requests

_ACCEPT: Final = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
)
#: uv's variables for the index that takes the place of the default one.
DEFAULT_INDEX_OF_UV: Final = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")


def default_index() -> str:
    """Return the address of the index that packages come from where nothing else is said."""
    named = next((os.environ[name] for name in DEFAULT_INDEX_OF_UV if os.environ.get(name)), None)
    found = named or pip_setting("index-url") or _pips_own() or _uvs_own()
    if found is None:
        raise LbdartError("No package index is known here.", "Set PIP_INDEX_URL to the address of one.")
    return found


def pip_setting(option: str) -> str | None:
    """Return what the environment or pip's configuration files say of an option, ``index-url``."""
    variable = f"PIP_{option.upper().replace('-', '_')}"
    return os.environ.get(variable) or _configured().get(option)


@cache
def _configured() -> Mapping[str, str]:
    """Read pip's configuration files; there are none to read where there is no pip."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    result = run(command, cwd=Path.cwd(), environment=os.environ)
    found = {}
    for line in result.stdout.splitlines():
        key, separator, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if separator and section in ("global", "install"):
            found[option] = str(ast.literal_eval(value)).strip()
    return found


def _pips_own() -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # setuptools says that it stands in for distutils
            from pip._internal.models.index import PyPI
    except ImportError:
        return None
    return str(PyPI.simple_url)


def _uvs_own() -> str | None:
    executable = frontend.uv_executable()
    if executable is None:
        return None
    command = [executable, "pip", "compile", "--quiet", "--no-header", "--emit-index-url", "-"]
    result = run(command, cwd=Path.cwd(), environment=frontend.for_uv(os.environ))
    return result.stdout.strip().removeprefix("--index-url").strip() or None


def files_on(
    index: str, packages: Collection[str], credentials: Collection[Credentials] = ()
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what an index has of each package: by file name ``url`` and, if known, ``size`` and ``hashes``.

    Of a package that it does not know it has nothing. Without ``credentials`` for it they are those of the
    address or of netrc. No address that is returned holds a password. Raises :class:`LbdartError` naming
    the host when it does not answer.
    """
    # Only who asks an index pays for importing an HTTP client.
    from lbdart_cdk.core.http import PARALLEL, auth_for, new_session

    with new_session() as session, ThreadPoolExecutor(PARALLEL) as pool:
        session.headers["Accept"] = _ACCEPT
        session.auth = auth_for(index, credentials)
        found = pool.map(lambda package: _page(session, without_login(index), package), packages)
        return dict(zip(packages, found, strict=True))


def file_tables(
    package: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]], relock: str
) -> dict[str, Any]:
    """Return the standard's tables of a package's ``files``, each with its ``file`` and its ``hash``.

    ``there`` is what the index has of the package; ``relock`` the command that makes the lock again.
    Raises :class:`LbdartError` when none of the files is there.
    """
    files = [
        {"name": file["file"], **there[file["file"]], "hashes": hashes(file)}
        for file in package["files"]
        if file["file"] in there
    ]
    if not files:
        raise LbdartError(
            f"The index has no file of {package['name']} {package['version']} that the lock names.",
            f"Check that it is the index that the project was locked with, or run `{relock}`.",
        )
    wheels = [file for file in files if file["name"].endswith(".whl")]
    sdists = [file for file in files if file["name"].endswith((".tar.gz", ".zip"))]
    return {"wheels": wheels} | ({"sdist": sdists[0]} if sdists else {})


def hashes(file: Mapping[str, str]) -> dict[str, str]:
    """Return the standard's table of a hash that is written ``sha256:...``."""
    algorithm, _, digest = file["hash"].partition(":")
    return {algorithm: digest}


def _page(session: requests.Session, index: str, package: str) -> dict[str, dict[str, Any]]:
    from requests.exceptions import RequestException

    from lbdart_cdk.core.http import TIMEOUT

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
