"""Fetch the wheels of a lock into the store, in parallel, and check each one against its hash."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from ..credentials.value import Credentials
from ..locking.selection import LockedFile
from ..store.store import Store


def fetch(
    wheels: Collection[LockedFile],
    store: Store,
    credentials: Callable[[], Collection[Credentials]] = tuple,
    arrived: Callable[[LockedFile], object] = lambda _file: None,
) -> None:
    """Download the wheels that are not in the store yet.

    :param credentials: returns the credentials for the indexes; called only when a wheel is missing.
    :param arrived: called with each downloaded file, while other downloads still run.
    :raises LbdartError: when a download is refused or cut off, or a file does not have the hash in the lock.
        All other downloads stop then.
    """
    with ThreadPoolExecutor() as pool:
        kept = list(pool.map(lambda wheel: store.kept_wheel(wheel.sha256), wheels))
    missing = [wheel for wheel, path in zip(wheels, kept, strict=True) if path is None]
    if not missing:
        return
    # Imported here, because the HTTP client takes long to import.
    from .download import download

    download(missing, store, credentials(), arrived)
