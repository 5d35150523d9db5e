"""Messages of the core in the words of the command line: it has options where the constructs have props."""

from __future__ import annotations

import re
from typing import Final

from .project_options import ARGUMENT, OPTIONS

#: What the user types for each prop.
_TYPED: Final = {"project": ARGUMENT} | {option.prop: option.flag for option in OPTIONS}
#: Props that are no words of English: they are props also without a sign after them.
_CODE_NAMES: Final = "|".join(name for name in _TYPED if "_" in name)
_VALUE: Final = r"""True|\[[^\]]*\]|\{[^}]*\}|"[^"]*"|'[^']*'"""
_PROP: Final = re.compile(
    rf"(?<![\w./-])(?:(?P<name>{'|'.join(_TYPED)})=(?P<value>{_VALUE})?|(?P<alone>{_CODE_NAMES})(?![\w=/.]))"
)
_TEXT: Final = re.compile(r"""["']([^"']*)["'](?:\s*:\s*["']([^"']*)["'])?""")


def in_options(message: str) -> str:
    """Return a message with options in place of props: ``--runtime`` for ``runtime=``."""
    return _PROP.sub(_option, message)


def _option(match: re.Match[str]) -> str:
    typed = _TYPED[match["name"] or match["alone"]]
    value = match["value"]
    if not value or value == "True":
        return typed
    values = ["=".join(filter(None, found.groups())) for found in _TEXT.finditer(value)]
    if typed == ARGUMENT:
        return values[0]
    return " ".join(f"{typed} {each}" for each in values) or typed
