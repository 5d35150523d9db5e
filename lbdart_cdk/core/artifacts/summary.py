"""What a user wants to know of a built artifact, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..packing.excluded import NOTHING, ExcludedFiles
from ..project.target import MAX_UNZIPPED

#: How many names of what is left out a line shows.
_SHOWN: Final = 4
#: How many a log shows.
_LOGGED: Final = 12
#: Lambda counts in these: its 250 MB are 262,144,000 bytes.
_KB: Final = 1024
_MB: Final = 1024 * _KB


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an artifact.

    :param count: how many it has of what ``noun`` says.
    :param noun: in the singular.
    :param left_out: the names of what the user might miss in it.
    """

    count: int
    noun: str
    left_out: Sequence[str] = ()

    def __str__(self) -> str:
        counted = f"{self.count:,} {self.noun}{'' if self.count == 1 else 's'}"
        return f"{counted} (without {shortened(self.left_out, _SHOWN)})" if self.left_out else counted


@dataclass(frozen=True, slots=True)
class Summary:
    """A zip in numbers.

    :param zipped: its bytes.
    :param unzipped: the bytes of what is in it.
    :param excluded: the files that ``exclude_files`` left out.
    """

    parts: Sequence[Part]
    zipped: int
    unzipped: int
    excluded: ExcludedFiles = NOTHING

    def line(self, name: str, *, is_new: bool, seconds: float) -> str:
        """Return the line about one synthesis.

        :param name: names the artifact.
        :param is_new: whether the zip was built, and not found as an earlier synthesis built it.
        :param seconds: the time that it took to build or to find it.
        """
        share = round(100 * self.unzipped / MAX_UNZIPPED)
        of_limit = f" ({share}% of {size(MAX_UNZIPPED, digits=0)})" if share else ""
        took = f"{seconds:.1f} s" if seconds >= 1 else f"{round(1000 * seconds)} ms"
        told = [
            *map(str, self.parts),
            f"{size(self.zipped)} zipped",
            f"{size(self.unzipped)} unzipped{of_limit}",
            *([excluded_text(self.excluded)] if self.excluded.count else []),
            f"built in {took}" if is_new else f"unchanged, {took}",
        ]
        return f"{name}: {', '.join(told)}"


def size(count: int, digits: int = 1) -> str:
    """Return a number of bytes in the MB that Lambda's limits are in; in kB below one of these."""
    return f"{count / _MB:.{digits}f} MB" if count >= _MB else f"{-(-count // _KB)} kB"


def excluded_text(excluded: ExcludedFiles) -> str:
    """Return what a line says about the files that ``exclude_files`` left out."""
    return f"exclude_files saved {size(excluded.size)} ({Part(excluded.count, 'file')})"


def left_out_line(names: Sequence[str]) -> str:
    """Return the line of a log about what is left out."""
    return f"Left out: {shortened(names, _LOGGED)}"


def shortened(names: Sequence[str], shown: int) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
