"""Tells a difference in a table: its cells for a terminal, or as Markdown for a pull request."""

from __future__ import annotations

import re
from typing import Final

from ..artifacts.summary import Part, size
from .difference import Change, Difference, Files, Kind
from .inventory import Inventory

#: The most files that a pull request's comment lists.
_FILES: Final = 50
_SIGNS: Final = re.compile(r"([\\`*_{}\[\]()#!|<>~@&$])")
_KINDS: Final[tuple[Kind, ...]] = ("added", "removed", "changed")


def counted(difference: Difference) -> str:
    """Return how many packages differ, and in what way; or that nothing differs."""
    if not difference:
        return "No differences."
    counts = [f"{len(found):,} {kind}" for kind in _KINDS if (found := difference.of(kind))]
    if not counts:
        return "No package differs."
    verb = "differs" if len(difference.changes) == 1 else "differ"
    return f"{Part(len(difference.changes), 'package')} {verb}: {', '.join(counts)}."


def totals(difference: Difference) -> str:
    """Return what all files have before and after; empty when one side does not know it."""
    before, after = difference.before.size, difference.after.size
    if before is None or after is None:
        return ""
    texts = [
        f"{size(one)} {what} before, {size(other)} after ({signed(other - one)})"
        for what, one, other in (
            ("unzipped", before.unzipped, after.unzipped),
            ("zipped", before.zipped, after.zipped),
        )
    ]
    return f"{'; '.join(texts)}."


def row(change: Change) -> tuple[str, str, str, str, str]:
    """Return a change as the name, the version before and after, what happened, and by how much it grows."""
    before, after = change.before, change.after
    what: str = change.kind
    if change.is_same_version:
        what = f"same version, {change.files}" if change.files else "same version, other files"
    grows = signed(change.bytes) if change.bytes is not None else ""
    return (
        change.name,
        (before.version or "any") if before is not None else "",
        (after.version or "any") if after is not None else "",
        what,
        grows,
    )


def caution(difference: Difference) -> str:
    """Return what makes the sides hard to compare; empty when nothing does."""
    sides: tuple[Inventory, ...] = (difference.before, difference.after)
    locks = [side.what for side in sides if side.kind == "lock"]
    if len(locks) != 1:
        return ""
    return f"{locks[0]} is a lock: it has the packages for every target, group and extra."


def markdown(difference: Difference) -> str:
    """Return a difference as Markdown; no name in it is read as markup."""
    before, after = _text(difference.before.what), _text(difference.after.what)
    parts = [f"**{before} → {after}**: {counted(difference)} {totals(difference)}".rstrip()]
    if difference.changes:
        rows: list[tuple[str, ...]] = [
            ("Package", "Before", "After", "Change", "Unzipped"),
            ("---", "---", "---", "---", "---:"),
            *(tuple(map(_text, row(change))) for change in difference.changes),
        ]
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in rows))
    if difference.own:
        parts.append(_details(difference.own))
    return "\n\n".join(parts)


def _details(own: Files) -> str:
    listed = listing(own)
    lines = [f"- {_text(line)}" for line in listed[:_FILES]]
    if len(listed) > _FILES:
        lines.append(f"- and {len(listed) - _FILES:,} more")
    text = "\n".join(lines)
    return f"<details><summary>Own code: {own}</summary>\n\n{text}\n\n</details>"


def listing(files: Files) -> list[str]:
    """Return a line for each file that differs."""
    return sorted(
        f"{path} {kind}"
        for kind, paths in (("added", files.added), ("removed", files.removed), ("changed", files.changed))
        for path in paths
    )


def signed(count: int) -> str:
    """Return by how much something grows."""
    return f"{'-' if count < 0 else '+'}{size(abs(count))}" if count else "0 kB"


def _text(text: str) -> str:
    """Return a stranger's text so that Markdown shows it and does not obey it."""
    return _SIGNS.sub(r"\\\1", text)
