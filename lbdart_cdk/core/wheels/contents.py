"""Select the files of a wheel that belong in a Lambda zip, and name their paths there.

Source of the rules: PEP 427 and *Binary distribution format* (PyPA), the section on ``.data``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..archive.entry import Entry
from ..archive.reader import read_entries, usable
from ..project.tree import is_bytecode

if TYPE_CHECKING:
    from pathlib import Path


#: Scheme -> the folder of its files below the directory of packages, as with pip's ``--target``.
_FOLDERS: Final = {"purelib": "", "platlib": "", "data": "", "scripts": "bin/"}
#: How a script starts that an installer rewrites for its own interpreter.
_FOR_INSTALLER: Final = b"#!python"


def wheel_entries(path: Path, what: str | None = None) -> Iterator[Entry]:
    """Yield the files of a wheel, with their paths below the directory of packages.

    Leaves out what does not run in Lambda or differs between machines: bytecode beside its source, scripts
    for the interpreter of an installer, and C headers.

    :param what: names the wheel in messages.
    """
    named = [(installed_name(entry.name), entry) for entry in read_entries(path, what)]
    names = {name for name, _ in named}
    with usable(what or path.name):
        for name, entry in named:
            if name is None or is_bytecode(name, names.__contains__):
                continue
            if name == entry.name:
                yield entry
            elif not _is_script(entry.name):
                yield entry.renamed(name)
            elif not next(entry.pieces(len(_FOR_INSTALLER)), b"").startswith(_FOR_INSTALLER):
                yield replace(entry, name=name, executable=True)


def installed_name(name: str) -> str | None:
    """Return the path of a wheel's file below the directory of packages, or None to leave it out.

    >>> installed_name("demo-1.data/purelib/demo/x.py"), installed_name("demo-1.data/headers/demo.h")
    ('demo/x.py', None)
    """
    scheme, path = _scheme_and_path(name)
    return f"{_FOLDERS[scheme]}{path}" if scheme in _FOLDERS and path else None


def _is_script(name: str) -> bool:
    return _scheme_and_path(name)[0] == "scripts"


def _scheme_and_path(name: str) -> tuple[str, str]:
    first, _, rest = name.partition("/")
    if not first.endswith(".data") or "-" not in first:
        return "purelib", name
    scheme, _, path = rest.partition("/")
    return scheme, path
