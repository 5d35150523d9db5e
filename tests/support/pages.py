"""The pages for users, README.md and docs/*.md: their blocks of code, and which test holds which."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_FENCE: Final = re.compile(r"^( *)(```+)([^\n`]*)\n(.*?)^\1\2$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    :param page: the page's path in the repository: ``README.md``, ``docs/layers.md``.
    :param language: what follows the fence, such as ``python``; may be empty.
    :param text: what is between the fences.
    """

    page: str
    language: str
    text: str

    @property
    def first_line(self) -> str:
        return self.text.partition("\n")[0]

    @property
    def program(self) -> str | None:
        """The file name of a program: a block of Python that begins with one."""
        named = re.fullmatch(r"# (\S+\.py)", self.first_line)
        return named[1] if named and self.language == "python" else None

    def __str__(self) -> str:
        return f"{self.page}: {self.first_line}"


def pages() -> list[str]:
    return ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def section(page: str, heading: str) -> str:
    """Return what is below a heading, up to the next one."""
    after = text_of(page).split(f"\n{heading}\n")
    assert len(after) == 2, (page, heading)
    return re.split(r"^#+ ", after[1], maxsplit=1, flags=re.MULTILINE)[0]


@cache
def blocks(page: str) -> tuple[Block, ...]:
    return tuple(
        Block(page, found[3].strip(), textwrap.dedent(found[4])) for found in _FENCE.finditer(text_of(page))
    )


def all_blocks() -> Iterator[Block]:
    for page in pages():
        yield from blocks(page)


def block(page: str, start: str) -> str:
    """Return the one block of a page that begins so."""
    (found,) = (each.text for each in blocks(page) if each.text.startswith(start))
    return found


@cache
def own_tests(page: str) -> tuple[str, ...]:
    """Return the test modules outside of ``tests/docs`` that name a page: what it shows is theirs to hold."""
    name = Path(page).name
    if page == "README.md":
        return ()
    return tuple(
        str(path.relative_to(ROOT))
        for folder in ("tests", "integ")
        for path in sorted((ROOT / folder).rglob("test_*.py"))
        if path.parent.name != "docs" and re.search(rf'["/]{re.escape(name)}"', path.read_text("utf-8"))
    )


def programs() -> dict[str, str]:
    """Return the programs of the pages that have no test of their own; two of one name are one."""
    found: dict[str, str] = {}
    for each in all_blocks():
        if each.program and not own_tests(each.page):
            assert found.setdefault(each.program, each.text) == each.text, f"{each} differs"
    return found
