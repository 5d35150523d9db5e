"""What was found when an artifact was built, kept with its zip: an unchanged synth repeats it unread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from ..errors import BuildWarning

#: Changes when the same files would be judged otherwise; what was kept before is then not believed.
_FORMAT: Final = 1
#: The name of the verdict among the notes of an archive.
NOTED: Final = "native"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an artifact's zip is: ``size`` in bytes when unzipped, ``sizes`` of its packages.

    ``compiled`` tells whether it has files that run on one architecture only.
    """

    size: int
    sizes: Mapping[str, int]
    compiled: bool
    warnings: tuple[BuildWarning, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what is kept."""
        return {**asdict(self), "format": _FORMAT}


def kept_verdict(noted: Mapping[str, Any] | None) -> Verdict | None:
    """Return the verdict in an archive's notes; None if there is none by today's rules."""
    kept = (noted or {}).get(NOTED)
    if not isinstance(kept, dict) or kept.get("format") != _FORMAT:
        return None
    try:
        warnings = tuple(BuildWarning(**warned) for warned in kept["warnings"])
        return Verdict(kept["size"], kept["sizes"], kept["compiled"], warnings)
    except (KeyError, TypeError):
        return None
