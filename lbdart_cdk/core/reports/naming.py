"""How a command is told a layer, or one of its versions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..errors import LbdartError

#: ``NAME`` or ``NAME:3``, with or without the account before it (``123456789012:layer:NAME``), or the ARN.
_NAMED: Final = re.compile(
    r"(?P<layer>(?:arn:[\w-]+:lambda:[a-z0-9-]+:)?(?:\d{12}:layer:)?[A-Za-z0-9_-]+)(?::(?P<number>[1-9]\d*))?"
)


@dataclass(frozen=True, slots=True)
class Named:
    """A layer or one of its versions, as the user names it.

    :param layer: its name or ARN.
    :param number: None for the latest version.
    """

    layer: str
    number: int | None = None

    @classmethod
    def parse(cls, text: str) -> Named:
        """Return what a text names: ``Orders-Deps``, ``Orders-Deps:3``, or an ARN.

        :raises LbdartError: when it names neither.
        """
        named = cls._of(text)
        if named is None:
            raise LbdartError(
                f"{text!r} is not the name of a layer or of a layer version.",
                "Write it like Orders-Deps or Orders-Deps:3.",
            )
        return named

    @classmethod
    def version(cls, text: str) -> Named | None:
        """Return the version that a text names; None when it names something else.

        >>> Named.version("Orders-Deps:3")
        Named(layer='Orders-Deps', number=3)
        """
        named = cls._of(text)
        return named if named is not None and named.number is not None else None

    @classmethod
    def _of(cls, text: str) -> Named | None:
        match = _NAMED.fullmatch(text)
        if match is None:
            return None
        return cls(match["layer"], int(match["number"]) if match["number"] else None)

    @property
    def name(self) -> str:
        """The name of the layer alone."""
        return self.layer.rpartition(":")[2]

    @property
    def region(self) -> str | None:
        """The Region in the ARN, if any."""
        parts = self.layer.split(":")
        return parts[3] if parts[0] == "arn" else None

    def __str__(self) -> str:
        """Return the text that names it."""
        return self.layer if self.number is None else f"{self.layer}:{self.number}"
