"""TOML and other text files that people write."""

from __future__ import annotations

import codecs
import tomllib
from pathlib import Path
from typing import Any, Final

from ..errors import LbdartError

#: The byte order marks that a UTF-16 file starts with.
UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(content: bytes) -> str:
    """Decode a file that people write: UTF-8, or UTF-16 as PowerShell writes it with ``>``."""
    return content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig", errors="replace")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    :raises LbdartError: when the file cannot be read or is not TOML.
    """
    try:
        return parse_toml(path.read_bytes(), path)
    except OSError as error:
        raise LbdartError(
            f"{path} cannot be read: {error.strerror}.", "Check that you may read it."
        ) from error


def read_toml_if_any(path: Path) -> dict[str, Any]:
    """Read a TOML file as :func:`read_toml` does; return an empty table when there is no such file."""
    return read_toml(path) if path.is_file() else {}


def table(content: Any, *names: str) -> dict[str, Any]:
    """Return a nested table; an empty one when it does not exist or is not a table."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def parse_toml(content: bytes, path: Path) -> dict[str, Any]:
    """Parse the content of a TOML file.

    :param path: the path of the file, for messages.
    :raises LbdartError: when the content is not TOML.
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    # Not only TOMLDecodeError: a number of 5,000 digits raises another ValueError.
    except ValueError as error:
        raise LbdartError(f"{path} is not TOML: {error}.", "Correct the file, or create it again.") from error
    except RecursionError as error:
        raise LbdartError(
            f"{path} is nested too deeply.", "Create the file again with the tool it comes from."
        ) from error
