"""Locks between processes, for which nobody waits: a file is ours at once, or somebody else has it.

The system lets go of a lock however its process ends.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from filelock import BaseFileLock

#: What a file system says that has no locks, as some network drives.
_NO_LOCKS: Final = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


class InUseError(Exception):
    """Somebody else has the lock."""


def acquired(path: Path) -> BaseFileLock | None:
    """Return the lock of a lock file, held; the file is made if need be. None where there are no locks.

    :raises InUseError: when somebody else has it.
    :raises OSError: when the file cannot be made.
    """
    from filelock import FileLock, Timeout  # only code that writes pays for it

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
    """Hold a lock file for as long as a block takes; where there are no locks, nobody is kept out.

    :raises InUseError: when somebody else has it.
    :raises OSError: when the file cannot be made.
    """
    lock = acquired(path)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
