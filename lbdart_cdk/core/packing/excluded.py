"""How many files were left out, for the line and the report of a zip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ExcludedFiles:
    """The files that ``exclude_files`` left out.

    :param count: how many they are.
    :param size: their bytes, unzipped.
    """

    count: int = 0
    size: int = 0


NOTHING: Final = ExcludedFiles()
