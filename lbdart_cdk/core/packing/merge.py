"""Merge many bundles of files to the entries of one Lambda zip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from ..archive.entry import Entry
from ..archive.reader import usable
from ..errors import BuildWarning, LbdartError
from ..project.target import MAX_UNZIPPED
from .clash import Clash, settle


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files of one package or directory.

    :param name: the package or directory, for messages.
    :param bytecode: for the path of a module in ``entries``, its bytecode.
    """

    name: str
    entries: tuple[Entry, ...]
    bytecode: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The unzipped size in bytes."""
        return sum(entry.size for entry in self.entries) + self.bytecode_size

    @property
    def bytecode_size(self) -> int:
        """The unzipped size of the bytecode in bytes."""
        return sum(entry.size for entry in self.bytecode.values())


@dataclass(frozen=True, slots=True)
class Merged:
    """The entries of one zip.

    :param warnings: about paths that more than one bundle brings.
    :param bytecode: the bytes of the entries that are bytecode, unzipped.
    """

    entries: list[Entry]
    warnings: tuple[BuildWarning, ...]
    bytecode: int = 0


def merge(
    bundles: Iterable[Bundle],
    prefix: str = "",
    settled: Callable[[Collection[Clash]], tuple[BuildWarning, ...]] = settle,
    prefer: Iterable[str] = (),
) -> Merged:
    """Return the entries of all bundles, each path once, with the bytecode of the modules.

    When two bundles bring a path with different contents, the one in ``prefer`` wins. If none is there, the
    later bundle wins, unless ``settled`` raises. Paths that differ only in case or in Unicode composition are
    different files on Lambda's file system.

    :param prefix: put before every path.
    :param settled: gets the clashes that ``prefer`` does not settle; raises to refuse some, and returns
        warnings about others.
    :param prefer: names of bundles, the first of which is preferred to the second.
    :raises LbdartError: when the entries together are larger than Lambda allows (checked before anything is
        inflated), when a path is both a file and a folder, when ``prefer`` names no bundle, and when
        ``settled`` raises.
    """
    kept, preferred = _last_wins(bundles, prefer)
    owners: dict[str, tuple[Entry, Bundle]] = {}
    repeated: list[tuple[str, Entry, Bundle, Entry, Bundle]] = []
    for bundle in kept:
        for entry in bundle.entries:
            path = prefix + entry.name
            if (earlier_owner := owners.get(path)) is not None:
                repeated.append((entry.name, *earlier_owner, entry, bundle))
            owners[path] = (entry, bundle)
    # The bytecode of a module is of the bundle that the module is from. No other file is in its place.
    compiled = {
        prefix + code.name: (code, bundle)
        for entry, bundle in owners.values()
        if (code := bundle.bytecode.get(entry.name)) is not None
    }
    packed = {**owners, **compiled}
    entries = [entry if entry.name == path else entry.renamed(path) for path, (entry, _) in packed.items()]
    bytecode = sum(code.size for code, _ in compiled.values())
    sizes = {bundle.name: bundle.size for bundle in kept}
    refuse_too_large(sum(entry.size for entry in entries), sizes, bytecode=bytecode)
    _refuse_files_that_are_folders(packed)
    with usable("One of the zips"):
        warnings = settled(
            [
                Clash(path, earlier.name, first, later.name, second)
                for path, first, earlier, second, later in repeated
                if owners[prefix + path][1].name not in preferred and not first.same_file(second)
            ]
        )
    return Merged(entries, warnings, bytecode)


def _last_wins(bundles: Iterable[Bundle], prefer: Iterable[str]) -> tuple[list[Bundle], Sequence[str]]:
    """Return the bundles, the most preferred last, and the names of the preferred ones."""
    kept = list(bundles)
    preferred: list[str] = [canonicalize_name(name) for name in prefer]
    names = {bundle.name for bundle in kept}
    if unknown := [name for name in preferred if name not in names]:
        raise LbdartError(
            f"prefer= names {', '.join(unknown)}, which this does not contain.",
            f"Name packages among {', '.join(sorted(names))}.",
        )
    last = preferred[::-1]
    return sorted(kept, key=lambda bundle: last.index(bundle.name) if bundle.name in last else -1), preferred


def _refuse_files_that_are_folders(owners: Mapping[str, tuple[Entry, Bundle]]) -> None:
    for parent in {path.rpartition("/")[0] for path in owners}:
        folder = parent
        while folder:
            if folder in owners:
                below = next(path for path in owners if path.startswith(f"{folder}/"))
                entry, bundle = owners[folder]
                raise LbdartError(
                    f"{bundle.name} brings the file {entry.name}, and {owners[below][1].name} brings "
                    f"{owners[below][0].name}: one path cannot be a file and a folder.",
                    "Leave one of the packages out with exclude=.",
                )
            folder = folder.rpartition("/")[0]


def is_too_large(size: int) -> bool:
    """Tell whether Lambda refuses a function with all its layers for its size.

    :param size: the unzipped size in bytes.
    """
    return size > MAX_UNZIPPED


def refuse_too_large(size: int, sizes: Mapping[str, int], what: str = "this", *, bytecode: int = 0) -> None:
    """Refuse more bytes than Lambda allows for a function with all its layers.

    :param size: the unzipped size in bytes.
    :param sizes: the unzipped size of each package.
    :param what: names the content in the message.
    :param bytecode: the bytes of ``size`` that are bytecode.
    :raises LbdartError: when ``size`` is too large; names the largest packages.
    """
    if not is_too_large(size):
        return
    largest = ", ".join(f"{name} {count / 1e6:.1f} MB" for name, count in Counter(sizes).most_common(5))
    of_bytecode = f", {bytecode:,} of them bytecode" if bytecode else ""
    leave = "Turn bytecode= off, leave" if bytecode else "Leave"
    raise LbdartError(
        f"Unzipped, {what} has {size:,} bytes{of_bytecode}, but Lambda allows {MAX_UNZIPPED:,} for a "
        f"function with all its layers; the largest packages are {largest}.",
        f"{leave} packages out with exclude= or files with exclude_files=, depend on a smaller build of a "
        "package, or use a container image.",
    )
