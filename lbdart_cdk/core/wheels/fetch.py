"""Wheels from where the lock says they are into the store, in parallel, each checked against its hash."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from ..credentials.value import Credentials
from ..keys import sha256_of
from ..locking.selection import LockedFile
from ..store.store import Store


def fetch(
    wheels: Collection[LockedFile],
    store: Store,
    credentials: Callable[[], Collection[Credentials]] = tuple,
    arrived: Callable[[LockedFile], object] = lambda _file: None,
) -> None:
    """Bring every wheel that is not in the store yet.

    :param credentials: returns the credentials for the indexes; called when a wheel is missing.
    :param arrived: called with each file that was downloaded, while others are still on their way.
    :raises LbdartError: when a download is refused or cut off, and when what came is not what the lock names.
        The other downloads are then given up.
    """
    with ThreadPoolExecutor() as pool:
        whole = list(pool.map(lambda wheel: _is_whole(wheel, store), wheels))
    missing = [wheel for wheel, here in zip(wheels, whole, strict=True) if not here]
    if not missing:
        return
    # Only code that downloads pays for the HTTP client.
    from .download import download

    download(missing, store, credentials(), arrived)


def _is_whole(wheel: LockedFile, store: Store) -> bool:
    """Tell whether the wheel is in the store as the lock names it; a damaged one is fetched again."""
    path = store.wheel(wheel.sha256)
    return path.is_file() and sha256_of(path) == wheel.sha256
