"""A directory tree as a bundle of files, compressed here."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Final

from ..archive.entry import deflated
from ..archive.names import own_name
from ..project.tree import is_bytecode, wanted_files
from .merge import Bundle

#: What installers write beside a package's metadata (*Recording installed projects*, PyPA; uv).
_RECORDS: Final = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json")
#: What uv leaves in a directory that it installed into.
_LOCK: Final = ".lock"


def directory_bundle(root: Path, spool: IO[bytes], spool_path: Path) -> Bundle:
    """Return the files below a directory of packages, compressed into ``spool``.

    Left out is what tells one machine from another: bytecode, an installer's records, and the scripts that it
    made for an interpreter of its own. Raises as :func:`wanted_files` does.
    """
    files = {path.relative_to(root).as_posix(): path for path in wanted_files(root, _is_lasting)}
    return Bundle(
        root.name,
        tuple(
            deflated(own_name(name), path, spool, spool_path)
            for name, path in files.items()
            if not _is_made_script(name, path)
        ),
    )


def _is_lasting(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    noted = name == _LOCK or (folder.endswith(".dist-info") and file in _RECORDS)
    return not is_bytecode(name) and not noted


def _is_made_script(name: str, path: Path) -> bool:
    """Tell whether an installer made a script: it starts the Python by the path that it has on this machine.

    A path that is too long for the first line is in the second, of a shell script.
    """
    if not name.startswith("bin/"):
        return False
    with path.open("rb") as file:
        start = file.readline(1024) + file.readline(1024)
    return start.startswith(b"#!") and b"python" in start and not start.startswith(b"#!/usr/bin/env ")
