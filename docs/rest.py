"""Lets the pages of the API reference show the reST of docstrings: literal blocks, roles and doctests."""

from __future__ import annotations

import re
from typing import Any, Final

import griffe

_ROLE: Final = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([^`]+)`")
_DOCTEST: Final = re.compile(r"^>>> .*(?:\n(?!\n).+)*", re.MULTILINE)


class RestInMarkdown(griffe.Extension):
    """Rewrites each docstring as Markdown has it, before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """Return a docstring with Markdown in place of reST, but for its fields.

    >>> markdown("Raises :class:`LbdartError`, as in::")
    'Raises `LbdartError`, as in:'
    """
    text = _ROLE.sub(r"`\1`", text)
    text = re.sub(r"::$", ":", text, flags=re.MULTILINE)
    return _DOCTEST.sub(lambda found: f"```pycon\n{found[0]}\n```", text)
