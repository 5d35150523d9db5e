"""What a command prints: the result on stdout, for people or as one JSON document; all else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from ..core.errors import BuildWarning

#: The space between two columns.
_GAP: Final = "  "


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` to a command, which gets it as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def say(text: str = "") -> None:
    """Print a line of the result."""
    click.echo(text)


def note(text: str) -> None:
    """Print a line that is not the result, on stderr."""
    click.echo(text, err=True)


def warn(warnings: Iterable[BuildWarning]) -> None:
    """Print warnings on stderr."""
    from .wording import in_options

    for warning in warnings:
        note(in_options(warning.line))


@contextmanager
def showing_progress() -> Iterator[None]:
    """Show work that takes longer on stderr while the block runs: as bars on a terminal, else as lines."""
    if not sys.stderr.isatty():
        yield
        return
    from ..core.progress import shown_on
    from ._bars import Bars

    with Bars() as bars, shown_on(bars):
        yield


def print_json(document: Any) -> None:
    """Print the result as one JSON document."""
    click.echo(json.dumps(document, indent=2))


def size(count: int) -> str:
    """Return a number of bytes as all messages show it."""
    from ..core.artifacts.summary import size as size_of

    return size_of(count)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    :param is_number: whether its values end, and do not begin, below each other.
    """

    title: str
    is_number: bool = False


def print_table(columns: Sequence[Column | str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table.

    On a terminal it fits the terminal. Elsewhere it is plain text that nothing shortens, for ``grep`` and
    ``awk``.
    """
    known = [Column(column) if isinstance(column, str) else column for column in columns]
    cells = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich_table(known, cells)
    else:
        for line in _plain_lines(known, cells):
            click.echo(line)


def _plain_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    table = [[column.title for column in columns], *rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(columns))]
    for row in table:
        padded = (
            cell.rjust(width) if column.is_number else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        )
        yield _GAP.join(padded).rstrip()


def _print_rich_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column.title, justify="right" if column.is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # Text, because a name with brackets is no markup
    Console(file=sys.stdout, highlight=False).print(table)
