"""The report of a build, kept with its zip, so that an unchanged synth does not read the zip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from ..errors import BuildWarning
from ..packing.excluded import NOTHING, ExcludedFiles

#: Change it when the same files would get another report; reports in another format are ignored.
_FORMAT: Final = 4
#: The key of the report in the notes of an archive.
NOTED: Final = "native"


@dataclass(frozen=True, slots=True)
class LayerReport:
    """A summary of the files in a layer's zip.

    :param size: bytes, unzipped.
    :param sizes: bytes of each package, unzipped.
    :param compiled: whether it has files that run only on one architecture.
    :param warnings: what may not work on the target, or not be as the user expects.
    :param own_files: how many files the project itself has in it.
    :param left_out: the names of the packages that are left out.
    :param excluded: the files that ``exclude_files`` left out.
    :param bytecode: the bytes of ``size`` that are bytecode.
    """

    size: int
    sizes: Mapping[str, int]
    compiled: bool
    warnings: tuple[BuildWarning, ...] = ()
    own_files: int = 0
    left_out: tuple[str, ...] = ()
    excluded: ExcludedFiles = NOTHING
    bytecode: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the report as the notes of an archive have it."""
        return {**asdict(self), "format": _FORMAT}


def kept_report(noted: Mapping[str, Any] | None) -> LayerReport | None:
    """Return the report in an archive's notes; None if they have none in the current format."""
    kept = (noted or {}).get(NOTED)
    if not isinstance(kept, dict) or kept.get("format") != _FORMAT:
        return None
    try:
        warnings = tuple(BuildWarning(**warning) for warning in kept["warnings"])
        left_out, excluded = tuple(kept["left_out"]), ExcludedFiles(**kept["excluded"])
        counts = kept["own_files"], left_out, excluded, kept["bytecode"]
        return LayerReport(kept["size"], kept["sizes"], kept["compiled"], warnings, *counts)
    except (KeyError, TypeError):
        return None
