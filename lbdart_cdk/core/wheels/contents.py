"""Which files of a wheel belong in a Lambda zip, and where.

Source of the rules: PEP 427 and *Binary distribution format* (PyPA), the section on ``.data``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ..archive.entry import Entry
from ..archive.reader import read_entries
from ..project.tree import is_bytecode

if TYPE_CHECKING:
    from pathlib import Path


#: Schemes of ``<name>.data/`` whose files go where the packages are; pip puts them there for --target.
_AT_ROOT: Final = {"purelib", "platlib", "data"}


def wheel_entries(path: Path, what: str | None = None) -> Iterator[Entry]:
    """Yield the files of a wheel under the names they have when it is installed.

    ``what`` names the wheel in messages. Left out is what does not run in Lambda or would tell one machine
    from another: bytecode, scripts (they would name an interpreter of a host) and C headers.
    """
    for entry in read_entries(path, what):
        name = installed_name(entry.name)
        if name is not None:
            yield entry if name == entry.name else entry.renamed(name)


def installed_name(name: str) -> str | None:
    """Return the name of a wheel's file below the directory of packages, or None when it has no place.

    >>> installed_name("demo-1.data/purelib/demo/x.py"), installed_name("demo-1.data/scripts/demo")
    ('demo/x.py', None)
    """
    first, _, rest = name.partition("/")
    if first.endswith(".data") and "-" in first:
        scheme, _, name = rest.partition("/")
        if scheme not in _AT_ROOT or not name:
            return None
    return None if is_bytecode(name) else name
