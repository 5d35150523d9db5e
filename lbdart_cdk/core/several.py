"""One name or many, as a user may write them."""

from __future__ import annotations

from collections.abc import Collection


def several(names: str | Collection[str] | None) -> tuple[str, ...]:
    """Return one, several or no names or patterns as a tuple; a single one is one, and not its letters."""
    return (names,) if isinstance(names, str) else tuple(names or ())
