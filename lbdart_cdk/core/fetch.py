"""Wheels from where the lock says they are into the store, in parallel, each checked against its hash."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from .credentials import Credentials
from .selection import LockedFile
from .store import Store, sha256_of


def fetch(
    wheels: Collection[LockedFile],
    store: Store,
    credentials: Callable[[], Collection[Credentials]] = tuple,
) -> None:
    """Bring every wheel that is not in the store yet; ``credentials`` are asked for when one is missing.

    Raises :class:`LbdartError` naming the file and the host when a download is refused or cut off, and
    when what came is not what the lock names; the other downloads are then given up.
    """
    with ThreadPoolExecutor() as pool:
        whole = list(pool.map(lambda wheel: _is_whole(wheel, store), wheels))
    missing = [wheel for wheel, here in zip(wheels, whole, strict=True) if not here]
    if not missing:
        return
    # Only who downloads pays for importing an HTTP client.
    from .download import download

    download(missing, store, credentials())


def _is_whole(wheel: LockedFile, store: Store) -> bool:
    """Tell whether the wheel is in the store as the lock names it; a damaged one is fetched again."""
    path = store.wheel(wheel.sha256)
    return path.is_file() and sha256_of(path) == wheel.sha256
