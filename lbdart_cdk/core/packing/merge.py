"""Many bundles of files become the entries of one Lambda zip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from ..archive.entry import Entry
from ..archive.reader import usable
from ..errors import LbdartError
from ..project.target import MAX_UNZIPPED
from .clash import Clash, settle


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files that come from one place; ``name`` is the package or directory, for messages."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes when unzipped."""
        return sum(entry.size for entry in self.entries)


def merge(
    bundles: Iterable[Bundle],
    prefix: str = "",
    settled: Callable[[Collection[Clash]], None] = settle,
) -> list[Entry]:
    """Return the entries of all bundles, each path once, below ``prefix``.

    Where two bundles bring one path with different contents, the later bundle wins, if ``settled`` does not
    raise. Raises :class:`LbdartError` when the whole is larger than Lambda takes, before anything is
    inflated, and when a path is a file and a folder at once. Names that differ in case only, or in the
    way in which Unicode composes them, are different names on Lambda's file system.
    """
    kept = list(bundles)
    owners: dict[str, tuple[Entry, Bundle]] = {}
    repeated: list[tuple[str, Entry, Bundle, Entry, Bundle]] = []
    for bundle in kept:
        for entry in bundle.entries:
            path = prefix + entry.name
            if (before := owners.get(path)) is not None:
                repeated.append((entry.name, *before, entry, bundle))
            owners[path] = (entry, bundle)
    entries = [entry if entry.name == path else entry.renamed(path) for path, (entry, _) in owners.items()]
    refuse_too_large(sum(entry.size for entry in entries), {bundle.name: bundle.size for bundle in kept})
    _refuse_files_with_files_below(owners)
    with usable("One of the zips"):
        settled(
            [
                Clash(path, earlier.name, first, later.name, second)
                for path, first, earlier, second, later in repeated
                if not first.same_file(second)
            ]
        )
    return entries


def _refuse_files_with_files_below(owners: Mapping[str, tuple[Entry, Bundle]]) -> None:
    for folder in {path.rpartition("/")[0] for path in owners}:
        above = folder
        while above:
            if above in owners:
                below = next(path for path in owners if path.startswith(f"{above}/"))
                entry, bundle = owners[above]
                raise LbdartError(
                    f"{bundle.name} brings the file {entry.name}, and {owners[below][1].name} brings "
                    f"{owners[below][0].name}: one path cannot be a file and a folder.",
                    "Leave one of the packages out with exclude=.",
                )
            above = above.rpartition("/")[0]


def is_too_large(size: int) -> bool:
    """Tell whether a function with all its layers has more bytes, unzipped, than Lambda takes."""
    return size > MAX_UNZIPPED


def refuse_too_large(size: int, sizes: Mapping[str, int], what: str = "this") -> None:
    """Raise :class:`LbdartError` with the largest packages when there are more bytes than Lambda takes."""
    if not is_too_large(size):
        return
    largest = ", ".join(f"{name} {count / 1e6:.1f} MB" for name, count in Counter(sizes).most_common(5))
    raise LbdartError(
        f"Unzipped, {what} is {size:,} bytes, and Lambda takes {MAX_UNZIPPED:,} for a function with all its "
        f"layers; the largest packages are {largest}.",
        "Leave packages out with exclude=, depend on a smaller build of one, or use a container image.",
    )
