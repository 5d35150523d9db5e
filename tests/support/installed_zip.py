"""Zips of packages as installers leave them: with a RECORD of their files, and perhaps with bytecode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from .wheels import make_zip


def installed(
    name: str,
    version: str = "1.0",
    files: Mapping[str, bytes | str] | None = None,
    *,
    place: str = "",
    record: Iterable[str] | None = None,
    tag: str = "py3-none-any",
    more: Mapping[str, str] | None = None,
) -> dict[str, bytes | str]:
    """Return the files of one package, by their paths in a zip.

    :param place: the directory of packages.
    :param record: the lines of RECORD. Default: all files.
    :param more: further files of the ``.dist-info``.
    """
    own = {f"{name}/__init__.py": f"NAME = {name!r}\n"} if files is None else dict(files)
    info = f"{name}-{version}.dist-info"
    metadata = {
        "METADATA": f"Metadata-Version: 2.3\nName: {name}\nVersion: {version}\n",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nTag: {tag}\n",
        **(more or {}),
    }
    of_info = {f"{info}/{file}": text for file, text in metadata.items()}
    listed = record if record is not None else (f"{path},," for path in (*own, *of_info))
    of_info[f"{info}/RECORD"] = "".join(f"{line}\n" for line in listed)
    return {f"{place}{path}": data for path, data in (own | of_info).items()}


def zip_of(path: Path, *parts: Mapping[str, bytes | str]) -> Path:
    """Write a zip with the files of all parts."""
    return make_zip(path, [item for part in parts for item in part.items()])
