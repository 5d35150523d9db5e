"""Locks between processes. Nobody waits for a lock: a process gets it at once or gets an error.

The operating system releases a lock when its process ends, even after a crash.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from filelock import BaseFileLock

#: Error codes of a file system without locks, such as some network drives.
_NO_LOCKS: Final = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


class InUseError(Exception):
    """Another process has the lock."""


def acquired(path: Path) -> BaseFileLock | None:
    """Lock a file, and create it if it does not exist.

    :return: the held lock, or None on a file system without locks.
    :raises InUseError: when another process has the lock.
    :raises OSError: when the file cannot be created.
    """
    from filelock import FileLock, Timeout  # imported here because only code that writes needs it

    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise InUseError(path) from error
    except NotImplementedError:
        return None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return lock


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of a file for the block; a file system without locks keeps nobody out.

    :raises InUseError: when another process has the lock.
    :raises OSError: when the file cannot be created.
    """
    lock = acquired(path)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
