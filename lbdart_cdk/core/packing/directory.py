"""Compress a directory tree to a bundle of files."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import IO, Final

from ..archive.entry import deflated
from ..archive.names import own_name
from ..project.tree import is_bytecode, wanted_files
from .merge import Bundle

#: Files that installers add to a package's metadata (*Recording installed projects*, PyPA; uv).
_INSTALLER_FILES: Final = (
    "INSTALLER",
    "RECORD",
    "REQUESTED",
    "direct_url.json",
    "uv_build.json",
    "uv_cache.json",
)
#: The file that uv leaves in a directory that it installed into.
_LOCK: Final = ".lock"


def directory_bundle(
    root: Path, spool: IO[bytes], spool_path: Path, without: Collection[str] = frozenset()
) -> Bundle:
    """Return the files below a directory of packages, compressed into ``spool``.

    Leaves out what differs between machines: bytecode, the installer's own files, and the scripts that it
    made for its interpreter.

    :param root: the directory; its name is the bundle's name.
    :param spool: the open file at ``spool_path`` that takes the compressed files.
    :param without: the paths of further files to leave out, relative to the directory and with ``/``.
    :raises LbdartError: as :func:`wanted_files` does.
    """
    kept = wanted_files(root, lambda name: name not in without and _is_kept(root, name))
    files = {path.relative_to(root).as_posix(): path for path in kept}
    return Bundle(
        root.name,
        tuple(
            deflated(own_name(name), path, spool, spool_path)
            for name, path in files.items()
            if not _is_made_script(name, path)
        ),
    )


def _is_kept(root: Path, name: str) -> bool:
    folder, _, file = name.rpartition("/")
    from_installer = name == _LOCK or (folder.endswith(".dist-info") and file in _INSTALLER_FILES)
    return not from_installer and not is_bytecode(name, lambda source: (root / source).is_file())


def _is_made_script(name: str, path: Path) -> bool:
    """Tell whether an installer made the file: a script that names this machine's Python.

    A path that is too long for the first line is in the second line, of a shell script.
    """
    if not name.startswith("bin/"):
        return False
    with path.open("rb") as file:
        start = file.readline(1024) + file.readline(1024)
    return start.startswith(b"#!") and b"python" in start and not start.startswith(b"#!/usr/bin/env ")
