"""What Windows does in another way than POSIX.

Sources: *Naming Files, Paths, and Namespaces* (Microsoft) for names, ``ReplaceFile`` and sharing violations
(*System Error Codes*) for files that are open.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Final

from .keys import sha256_of

IS_WINDOWS: Final = os.name == "nt"

#: ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION: another process has the file open.
_OPEN_ELSEWHERE: Final = {5, 32, 33}
#: Seconds in which another process should be done with a file: a virus scanner takes some tenths of one.
_PATIENCE: Final = 2.0
_PAUSE: Final = 0.02
_DEVICE: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)", re.IGNORECASE
)
_NOT_IN_NAMES: Final = re.compile(r'[\x00-\x1f<>:"\\|?*]')


def is_refused_name(name: str) -> bool:
    """Tell whether Windows has no file of this name, or has it under another one, so that two become one.

    These are the names of devices, whatever their suffix, names that end with a dot or a space, and names
    with a character that means something else there, such as the colon of a stream.

    :param name: a relative path with ``/``.
    """
    return any(
        _DEVICE.match(part) or _NOT_IN_NAMES.search(part) or part.endswith((".", " "))
        for part in name.split("/")
        if part not in {".", ".."}
    )


def replace_file(made: Path, target: Path) -> None:
    """Move a finished file to its place, and wait for who reads the old file there.

    POSIX replaces a file that is open. Windows does not, so this waits for a moment. If the file there has
    the same bytes as the finished one after all, as when two processes make the same, it stays.

    :raises OSError: when the file cannot be moved.
    """
    last_try = time.monotonic() + _PATIENCE
    while True:
        try:
            made.replace(target)
            return
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _OPEN_ELSEWHERE:
                raise
            if time.monotonic() > last_try:
                if not _is_same(made, target):
                    raise
                made.unlink()
                return
        time.sleep(_PAUSE)


def _is_same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return sha256_of(one) == sha256_of(other)
    return False


def relative_or_absolute(path: Path, start: Path) -> Path:
    """Return a path as seen from a directory; the path itself if it is on another drive."""
    try:
        return Path(os.path.relpath(path, start))
    except ValueError:
        return path
