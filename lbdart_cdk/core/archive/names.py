"""Checks that entry names are safe to unpack on Linux."""

from __future__ import annotations

import re
import zipfile
from typing import Final

from ..errors import LbdartError

_MAX_PART: Final = 255  # bytes of a file name: NAME_MAX of Linux
_MAX_NAME: Final = 4000  # bytes of a path: PATH_MAX of Linux minus ``/opt/python/``
#: On Windows, backslashes are separators and a colon as second character marks a drive. No file name needs
#: control characters.
_UNSAFE_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f\\]|^.:")


def safe_name(name: str) -> str:
    """Return an entry's name after a check that it unpacks inside the target directory on Linux.

    :raises zipfile.BadZipFile: when the name is absolute, too long or not valid Unicode, or when it has
        ``..``, empty parts, backslashes, a drive letter or control characters.
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
    """Return the name of a user's file in a zip after the check of :func:`safe_name`.

    :raises LbdartError: when the name is not safe.
    """
    try:
        return safe_name(name)
    except zipfile.BadZipFile as error:
        raise LbdartError(
            f"The file {name!r} has a name that Linux or zip readers do not accept.",
            "Rename the file, or leave it out with a pattern.",
        ) from error
