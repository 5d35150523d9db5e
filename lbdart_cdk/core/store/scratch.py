"""Private folders for what is being made. Those of processes that died go when the next one comes.

A process holds a lock on its folder, and the system lets go of it however the process ends. Nobody waits for
a lock: a folder that is locked is in use, and any other is what a dead process left. What cannot be private
is held in the same way, by a file beside it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows
    _LOCKS = False
else:
    _LOCKS = True

#: Seconds after which a folder counts as left behind: a younger one may be about to be locked. Where folders
#: cannot be locked, only a day tells.
_ABANDONED: Final = 60 if _LOCKS else 24 * 3600


@contextlib.contextmanager
def scratch_folder(base: Path) -> Iterator[Path]:
    """Give a new folder in ``base``, which is made if need be; the folder is gone after the block."""
    # First: what dead processes left may be what fills the disk.
    _clear_abandoned(base)
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True) as name:
        descriptor = _lock(Path(name))
        try:
            yield Path(name)
        finally:
            if descriptor is not None:
                os.close(descriptor)


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a lock file for as long as a block takes; False when somebody else does. Then the file goes.

    Where files cannot be locked it is always True.
    """
    descriptor = None
    is_ours = True
    if _LOCKS:
        try:
            descriptor = _open_locked(path)
        except BlockingIOError:
            is_ours = False
    try:
        yield is_ours
    finally:
        if descriptor is not None:
            path.unlink(missing_ok=True)  # before it is let go: who has opened it meanwhile finds it gone
            os.close(descriptor)


def _open_locked(path: Path) -> int | None:
    """Return an open descriptor that holds a file's lock, or None where there are no locks.

    Raises :class:`BlockingIOError` when another one holds it.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise
        except FileNotFoundError:
            pass  # who held it before removed it after it was opened here, and another one may have made it
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return None
        os.close(descriptor)


def _clear_abandoned(base: Path) -> None:
    now = time.time()
    with contextlib.suppress(OSError):
        for folder in list(base.iterdir()):
            with contextlib.suppress(OSError):
                # A clock that was set back makes folders of the future; they are as old.
                if abs(now - folder.stat().st_mtime) > _ABANDONED:
                    _clear(folder)


def _clear(folder: Path) -> None:
    descriptor = _lock(folder)
    if descriptor is not None:
        os.close(descriptor)
    if descriptor is None and _LOCKS:
        return
    if folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.unlink()


def _lock(folder: Path) -> int | None:
    """Return an open descriptor that holds the folder's lock, or None when another one does."""
    if not _LOCKS:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
