"""Private folders for unfinished files. The next process deletes the folders of dead processes.

A process holds a lock file beside its folder. When the lock is free, the process is dead.
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
#: Seconds after which a folder without a lock counts as abandoned; a younger one may not be locked yet.
_ABANDONED: Final = 60
#: The same for a file system without locks, where only the age tells.
_ABANDONED_WITHOUT_LOCKS: Final = 24 * 3600


@contextlib.contextmanager
def scratch_folder(base: Path) -> Iterator[Path]:
    """Create a folder for the block, and delete it afterwards.

    :param base: the parent folder, which is created if it does not exist.
    :raises OSError: when the folder cannot be created.
    """
    # First, because the files of dead processes may fill the disk.
    _delete_abandoned(base)
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True) as name:
        lock = Path(f"{name}{_LOCK}")
        try:
            with held(lock):
                yield Path(name)
        finally:
            lock.unlink(missing_ok=True)


def _delete_abandoned(base: Path) -> None:
    now = time.time()
    with contextlib.suppress(OSError):
        for path in list(base.iterdir()):
            with contextlib.suppress(OSError, InUseError):
                # After a clock is set back, a time can lie in the future; the distance counts as the age.
                age = abs(now - path.stat().st_mtime)
                if age > _ABANDONED and path.suffix != _LOCK:
                    _delete(path, age)
                elif age > _ABANDONED and not path.with_suffix("").exists():
                    path.unlink()


def _delete(path: Path, age: float) -> None:
    """Delete a folder or file of a dead process.

    :param age: seconds since the folder or file changed.
    :raises InUseError: when its process is alive.
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
