"""Download the files of a lock into the store, over shared connections, and check each one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.util import Retry

from ..credentials.lookup import refused, without_login
from ..credentials.value import Credentials
from ..errors import LbdartError
from ..locking.selection import LockedFile
from ..progress import Counter, counted
from ..store.store import Store
from .http import PARALLEL, TIMEOUT, auths_for, new_session

_CHUNK: Final = 1 << 18
_TRIES: Final = 3  # per file; a connection can also be cut after the headers


class _CutOffError(Exception):
    """A download that ended early."""


def download(
    wheels: Collection[LockedFile],
    store: Store,
    credentials: Collection[Credentials],
    arrived: Callable[[LockedFile], object],
) -> None:
    """Download the wheels into the store; see :func:`~lbdart_cdk.core.wheels.fetch.fetch`."""
    total = sum(wheel.size or 0 for wheel in wheels)
    noun = "wheel" if len(wheels) == 1 else "wheels"
    with (
        counted(f"Fetching {len(wheels)} {noun}", total) as progress,
        _Batch(store, progress, credentials, arrived) as batch,
    ):
        batch.run(wheels)


class _Batch:
    """One batch of downloads over shared connections."""

    def __init__(
        self,
        store: Store,
        progress: Counter,
        credentials: Collection[Credentials],
        arrived: Callable[[LockedFile], object],
    ) -> None:
        self._store = store
        self._arrived = arrived
        self._credentials = credentials
        self._progress = progress
        self._stopped = threading.Event()
        self._session = new_session()
        retry = Retry(
            total=4, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=("GET",)
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry, pool_maxsize=PARALLEL))

    def __enter__(self) -> _Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def run(self, wheels: Collection[LockedFile]) -> None:
        # Start with the largest, so that a small wheel finishes last.
        ordered = sorted(wheels, key=lambda wheel: -(wheel.size or 0))
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="fetch") as pool:
            futures = [pool.submit(self._fetch, wheel) for wheel in ordered]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _fetch(self, wheel: LockedFile) -> None:
        path = _local_path(wheel.source)
        for attempt in range(1, _TRIES + 1):
            try:
                self._keep(wheel, self._download(wheel) if path is None else _read_file(path, wheel))
                self._arrived(wheel)
                break
            except (_CutOffError, requests.exceptions.RequestException) as error:
                if attempt == _TRIES or path is not None or self._stopped.is_set():
                    raise LbdartError(
                        f"The download of {wheel.filename} from {_host(wheel)} was cut off: {_cause(error)}.",
                        "Try again; if the error stays, check the network and the proxy settings.",
                    ) from None

    def _keep(self, wheel: LockedFile, chunks: Iterator[bytes]) -> None:
        digest = hashlib.sha256()
        size = 0
        with self._store.writing(self._store.wheel(wheel.sha256)) as file:
            for chunk in chunks:
                if self._stopped.is_set():
                    raise _CutOffError("stopped, because another download failed")
                digest.update(chunk)
                file.write(chunk)
                size += len(chunk)
                self._progress.advance(len(chunk))
            if wheel.size is not None and size < wheel.size:
                raise _CutOffError(f"only {size} of {wheel.size} bytes arrived")
            if digest.hexdigest() != wheel.sha256:
                raise LbdartError(
                    f"{wheel.filename} from {_host(wheel)} has the sha256 {digest.hexdigest()}, "
                    f"but the lock says {wheel.sha256}.",
                    "Find out why the file changed before you use it; if the change is wanted, lock again.",
                )

    def _download(self, wheel: LockedFile) -> Iterator[bytes]:
        with self._open(wheel) as response:
            yield from response.iter_content(_CHUNK)

    def _open(self, wheel: LockedFile) -> requests.Response:
        for auth in auths_for(str(wheel.source), self._credentials):
            response = self._ask(wheel, auth)
            if response.ok:
                return response
            response.close()
            if response.status_code not in (401, 403):
                break
        raise LbdartError(
            f"{_host(wheel)} refused {wheel.filename}: {response.status_code} {response.reason}.",
            refused(response.status_code, with_login=auth is not None)
            or "Check that the file still exists there and that you may read it, or lock again.",
        )

    def _ask(self, wheel: LockedFile, auth: HTTPBasicAuth | None) -> requests.Response:
        # Always raise from None: the client's errors repeat the whole URL, with its secrets.
        try:
            # Identity: a wheel is already compressed, and the length then equals the one in the lock.
            return self._session.get(
                without_login(str(wheel.source)),
                stream=True,
                timeout=TIMEOUT,
                headers={"Accept-Encoding": "identity"},
                auth=auth,
            )
        except requests.exceptions.SSLError as error:
            raise LbdartError(
                f"The certificate of {_host(wheel)} is not trusted: {_cause(error)}.",
                "Set SSL_CERT_FILE or REQUESTS_CA_BUNDLE to the certificates of your network.",
            ) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema):
            raise LbdartError(
                f"{wheel.filename} cannot be fetched from {_host(wheel)}: its URL in the lock is not valid.",
                "Lock again with an index that gives http or https URLs.",
            ) from None
        except requests.exceptions.RequestException as error:
            raise LbdartError(
                f"{wheel.filename} cannot be downloaded from {_host(wheel)}: {_cause(error)}.",
                "Check the network and the proxy settings, and try again.",
            ) from None


def _local_path(source: str | Path) -> Path | None:
    """Return the path that a path or a file: URL names, or None for a URL to download."""
    if isinstance(source, Path):
        return source
    parts = urlsplit(source)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _read_file(path: Path, wheel: LockedFile) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise LbdartError(
            f"The lock names {path} for {wheel.package}, which cannot be read: {error.strerror}.",
            "Put the wheel there, or lock again.",
        ) from error


def _host(wheel: LockedFile) -> str:
    """Return the host or directory of a wheel for messages, without user, password and query."""
    if isinstance(wheel.source, Path):
        return str(wheel.source.parent)
    return urlsplit(wheel.source).hostname or "the lock's URL"


def _cause(error: BaseException) -> str:
    """Return the innermost error's text; the HTTP client's outer errors repeat the whole URL."""
    while isinstance(error.args[0] if error.args else None, BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _cause(reason)
    return str(error).rsplit(": ", 1)[-1].rstrip(".")
