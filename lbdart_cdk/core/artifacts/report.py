"""The report of a build, kept with its zip: an unchanged synth repeats it without reading the zip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from ..errors import BuildWarning

#: Changes when the same files would be reported otherwise; reports of before are then not believed.
_FORMAT: Final = 1
#: The name of the report among the notes of an archive.
NOTED: Final = "native"


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What is in a layer's zip.

    :param size: bytes, unzipped.
    :param sizes: bytes of each package, unzipped.
    :param compiled: whether it has files that run on one architecture only.
    :param warnings: what may not work on the target.
    """

    size: int
    sizes: Mapping[str, int]
    compiled: bool
    warnings: tuple[BuildWarning, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what is kept."""
        return {**asdict(self), "format": _FORMAT}


def kept_report(noted: Mapping[str, Any] | None) -> LayerReport | None:
    """Return the report in an archive's notes; None if there is none by today's rules."""
    kept = (noted or {}).get(NOTED)
    if not isinstance(kept, dict) or kept.get("format") != _FORMAT:
        return None
    try:
        warnings = tuple(BuildWarning(**warning) for warning in kept["warnings"])
        return LayerReport(kept["size"], kept["sizes"], kept["compiled"], warnings)
    except (KeyError, TypeError):
        return None
