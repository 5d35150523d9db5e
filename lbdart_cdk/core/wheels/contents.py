"""Select the files of a wheel that belong in a Lambda zip, and name their paths there.

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


#: Schemes of ``<name>.data/`` whose files belong beside the packages, as with pip's --target.
_AT_ROOT: Final = {"purelib", "platlib", "data"}


def wheel_entries(path: Path, what: str | None = None) -> Iterator[Entry]:
    """Yield the files of a wheel, with their paths below the directory of packages.

    Leaves out what does not run in Lambda or differs between machines: bytecode, scripts (they would name a
    host's interpreter) and C headers.

    :param what: names the wheel in messages.
    """
    for entry in read_entries(path, what):
        name = installed_name(entry.name)
        if name is not None:
            yield entry if name == entry.name else entry.renamed(name)


def installed_name(name: str) -> str | None:
    """Return the path of a wheel's file below the directory of packages, or None to leave it out.

    >>> installed_name("demo-1.data/purelib/demo/x.py"), installed_name("demo-1.data/scripts/demo")
    ('demo/x.py', None)
    """
    first, _, rest = name.partition("/")
    if first.endswith(".data") and "-" in first:
        scheme, _, name = rest.partition("/")
        if scheme not in _AT_ROOT or not name:
            return None
    return None if is_bytecode(name) else name
