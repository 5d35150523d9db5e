"""File names that are safe to unpack on Linux."""

from __future__ import annotations

import re
import zipfile
from typing import Final

from ..errors import LbdartError

_MAX_PART: Final = 255  # bytes of a file name: NAME_MAX of Linux
_MAX_NAME: Final = 4000  # bytes of a path: PATH_MAX of Linux less ``/opt/python/``
#: Backslashes separate on Windows, a colon in the second place names a drive, the rest no file name needs.
_UNSAFE_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f\\]|^.:")


def safe_name(name: str) -> str:
    """Return an entry's name when it stays inside the directory it is unpacked in, on Linux.

    Raises :class:`zipfile.BadZipFile` for absolute names, ``..``, empty parts, backslashes, drive
    letters, control characters, and what is too long for a file name or no Unicode.
    """
    parts = name.split("/")
    if _UNSAFE_CHARACTERS.search(name) or not {"", ".", ".."}.isdisjoint(parts):
        raise zipfile.BadZipFile(f"it has an entry with the unsafe name {name!r}")
    if len(name) > _MAX_PART // 4 or not name.isascii():
        try:
            lengths = [len(part.encode()) for part in parts]
        except UnicodeEncodeError as error:
            raise zipfile.BadZipFile(f"it has an entry with the unsafe name {name!r}") from error
        if max(lengths) > _MAX_PART or sum(lengths) + len(lengths) > _MAX_NAME:
            raise zipfile.BadZipFile(
                f"it has an entry with the unsafe name {name[:60]!r}..., which is too long"
            )
    return name


def own_name(name: str) -> str:
    """Return the name that a file of the user's gets in a zip; raises :class:`LbdartError` for a bad one."""
    try:
        return safe_name(name)
    except zipfile.BadZipFile as error:
        raise LbdartError(
            f"The file {name!r} has a name that Linux or zip readers do not take.",
            "Rename the file, or leave it out with exclude=.",
        ) from error
