"""Many bundles of files become the entries of one Lambda zip."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from .archive import Entry, deflated
from .build_key import is_bytecode
from .errors import LbdartError

#: *Lambda quotas* (AWS Lambda Developer Guide): a function's code and all its layers, unzipped, in bytes.
MAX_UNZIPPED: Final = 262_144_000


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files that come from one place; ``name`` is the package or directory, for messages."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes when unzipped."""
        return sum(entry.size for entry in self.entries)


def merge(bundles: Iterable[Bundle], prefix: str = "") -> list[Entry]:
    """Return the entries of all bundles, each path once, below ``prefix``.

    Where two bundles bring one path with different contents, the later bundle wins, as with installers,
    and a line on stderr names both. Raises :class:`LbdartError` when the whole is larger than Lambda
    takes.
    """
    kept = list(bundles)
    owners: dict[str, tuple[Entry, str]] = {}
    for bundle in kept:
        for entry in bundle.entries:
            path = prefix + entry.name
            before = owners.get(path)
            if before is not None and not before[0].same_file(entry):
                print(
                    f"Warning: {before[1]} and {bundle.name} both bring {entry.name}; "
                    f"the one of {bundle.name} is used.",
                    file=sys.stderr,
                )
            owners[path] = (entry, bundle.name)
    entries = [entry if entry.name == path else entry.renamed(path) for path, (entry, _) in owners.items()]
    refuse_too_large(sum(entry.size for entry in entries), {bundle.name: bundle.size for bundle in kept})
    return entries


def directory_bundle(root: Path, spool: IO[bytes], spool_path: Path) -> Bundle:
    """Return the files below a plain directory, compressed into ``spool``; bytecode is left out."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    names = {path: path.relative_to(root).as_posix() for path in files}
    return Bundle(
        root.name,
        tuple(
            deflated(name, path, spool, spool_path) for path, name in names.items() if not is_bytecode(name)
        ),
    )


def refuse_too_large(size: int, sizes: Mapping[str, int], what: str = "this") -> None:
    """Raise :class:`LbdartError` with the largest packages when there are more bytes than Lambda takes."""
    if size <= MAX_UNZIPPED:
        return
    largest = ", ".join(f"{name} {count / 1e6:.1f} MB" for name, count in Counter(sizes).most_common(5))
    raise LbdartError(
        f"Unzipped, {what} is {size:,} bytes, and Lambda takes {MAX_UNZIPPED:,} for a function with all its "
        f"layers; the largest packages are {largest}.",
        "Leave packages out with exclude=, depend on a smaller build of one, or use a container image.",
    )
