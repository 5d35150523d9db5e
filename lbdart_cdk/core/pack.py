"""Many bundles of files become the entries of one Lambda zip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from .archive import Entry, deflated, own_name, usable
from .build_key import is_bytecode
from .clash import Clash, settle
from .errors import LbdartError

#: *Lambda quotas* (AWS Lambda Developer Guide): a function's code and all its layers, unzipped, in bytes.
MAX_UNZIPPED: Final = 262_144_000
#: What installers write beside a package's metadata (*Recording installed projects*, PyPA; uv).
_RECORDS: Final = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json")
#: What uv leaves in a directory that it installed into.
_LOCK: Final = ".lock"


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


def directory_bundle(root: Path, spool: IO[bytes], spool_path: Path) -> Bundle:
    """Return the files below a directory of packages, compressed into ``spool``.

    Left out is what tells one machine from another: bytecode, an installer's records, and the scripts that it
    made for an interpreter of its own. Raises as :func:`tree_files` does.
    """
    files = {path.relative_to(root).as_posix(): path for path in tree_files(root, _is_lasting)}
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


def tree_files(root: Path, is_wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Yield the files below a directory whose relative names are wanted, in a fixed order.

    Links are followed, except into a directory that the walk is already in. Raises :class:`LbdartError` for
    one that leads nowhere, and when a directory cannot be read.
    """
    return _walk(root, "", is_wanted, (root.resolve(),))


def _walk(
    folder: Path, prefix: str, is_wanted: Callable[[str], bool], inside: tuple[Path, ...]
) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise LbdartError(
            f"The directory {folder} cannot be read: {error.strerror}.", "Check that it may be read."
        ) from error
    for path in paths:
        name = f"{prefix}{path.name}"
        if path.is_dir():
            resolved = path.resolve()
            if resolved not in inside:
                yield from _walk(path, f"{name}/", is_wanted, (*inside, resolved))
        elif is_wanted(name):
            if path.is_symlink() and not path.exists():
                raise LbdartError(
                    f"{path} is a link to {path.readlink()}, which is not there.",
                    "Remove the link, or make what it leads to.",
                )
            if path.is_file():
                yield path


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
