"""Leave files out of bundles, by patterns of their paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import BuildWarning, LbdartError
from ..project.gitignore import Patterns
from .excluded import NOTHING, ExcludedFiles
from .merge import Bundle

if TYPE_CHECKING:
    from ..native.found import NativeScan


@dataclass(frozen=True, slots=True)
class Slimmed:
    """Bundles without the files that patterns match.

    :param unmatched: the patterns that match no file.
    """

    bundles: tuple[Bundle, ...]
    excluded: ExcludedFiles
    unmatched: tuple[str, ...]

    def left_of(self, scans: Iterable[NativeScan]) -> list[NativeScan]:
        """Return the scans of the bundles without the files that are left out."""
        if not self.excluded.count:
            return list(scans)
        names = {entry.name for bundle in self.bundles for entry in bundle.entries}
        return [scan.among(names) for scan in scans]

    @property
    def warnings(self) -> tuple[BuildWarning, ...]:
        """A warning for each pattern that matches no file."""
        return tuple(
            BuildWarning(
                f"lbdart_cdk:exclude-files:{pattern}",
                f"The pattern {pattern!r} in exclude_files= matches no file. Paths start where the packages "
                "do, as numpy/__init__.py does. Correct the pattern, or remove it.",
            )
            for pattern in self.unmatched
        )


def slim(bundles: Iterable[Bundle], lines: Sequence[str]) -> Slimmed:
    """Return the bundles without the files that patterns match. A module's bytecode goes with the module.

    :param lines: patterns in the syntax of ``.gitignore``; a package's files are paths below the directory of
        packages.
    :raises LbdartError: when no file is left.
    """
    given = tuple(bundles)
    patterns = Patterns(tuple(lines))
    if not patterns.effective:
        return Slimmed(given, NOTHING, ())
    kept = tuple(_without(bundle, patterns) for bundle in given)
    if not any(bundle.entries for bundle in kept):
        raise LbdartError(
            f"exclude_files= leaves out every file: {', '.join(patterns.effective)}.",
            "Leave out less, or leave out packages with exclude=.",
        )
    files = _files(given)
    excluded = ExcludedFiles(len(files) - len(_files(kept)), _size(given) - _size(kept))
    return Slimmed(kept, excluded, tuple(patterns.without_match(files)))


def _without(bundle: Bundle, patterns: Patterns) -> Bundle:
    kept = tuple(entry for entry in bundle.entries if not patterns.matches(entry.name))
    names = {entry.name for entry in kept}
    bytecode = {
        module: code
        for module, code in bundle.bytecode.items()
        if module in names and not patterns.matches(code.name)
    }
    return replace(bundle, entries=kept, bytecode=bytecode)


def _files(bundles: Iterable[Bundle]) -> list[str]:
    return [entry.name for bundle in bundles for entry in (*bundle.entries, *bundle.bytecode.values())]


def _size(bundles: Iterable[Bundle]) -> int:
    return sum(bundle.size for bundle in bundles)
