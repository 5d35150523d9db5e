"""Private folders for what is being made. The folders of processes that died go when the next one comes.

A process holds a lock file beside its folder. A folder whose lock is free is what a dead process left.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .locks import InUseError, acquired, held

_LOCK: Final = ".lock"
#: Seconds after which a folder counts as left behind: a younger one may be about to be locked ...
_ABANDONED: Final = 60
#: ... and where there are no locks, only a day tells.
_ABANDONED_WITHOUT_LOCKS: Final = 24 * 3600


@contextlib.contextmanager
def scratch_folder(base: Path) -> Iterator[Path]:
    """Give a new folder in ``base``, which is made if need be; the folder is gone after the block."""
    # First: what dead processes left may be what fills the disk.
    _clear_abandoned(base)
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True) as name:
        lock = Path(f"{name}{_LOCK}")
        try:
            with held(lock):
                yield Path(name)
        finally:
            lock.unlink(missing_ok=True)


def _clear_abandoned(base: Path) -> None:
    now = time.time()
    with contextlib.suppress(OSError):
        for path in list(base.iterdir()):
            with contextlib.suppress(OSError, InUseError):
                # A clock that was set back makes folders of the future; they are as old.
                age = abs(now - path.stat().st_mtime)
                if age > _ABANDONED and path.suffix != _LOCK:
                    _clear(path, age)
                elif age > _ABANDONED and not path.with_suffix("").exists():
                    path.unlink()


def _clear(path: Path, age: float) -> None:
    """Delete a folder, or a file, that a dead process left.

    :raises InUseError: when its process lives.
    """
    lock_file = path.with_name(path.name + _LOCK)
    lock = acquired(lock_file)
    if lock is None and age < _ABANDONED_WITHOUT_LOCKS:
        return
    try:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        if lock is not None:
            lock.release()
        lock_file.unlink(missing_ok=True)
