"""``lbdart cache``: what is kept on this machine, and how to keep less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .output import Column, json_option, print_json, print_table, say, size

if TYPE_CHECKING:
    from ..core.store.holdings import Holding
    from ..core.store.prune import Pruned
    from ..core.store.store import Store

_GIGABYTE = 10**9


@click.command()
@click.option("--prune", "is_pruning", is_flag=True, help="Delete what nothing used for long.")
@click.option(
    "--max-gb",
    type=click.FloatRange(min=0),
    metavar="NUMBER",
    help="With --prune: the gigabytes to leave.  [default: $LBDART_CACHE_MAX_GB, or 10]",
)
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="With --prune: delete what was unused for more days than this.  [default: 90]",
)
@json_option
def command(*, is_pruning: bool, max_gb: float | None, older_than: int | None, as_json: bool) -> None:
    """Show what the cache holds, or delete what nothing used for long.

    What was used today or yesterday always stays.
    """
    if not is_pruning and (max_gb is not None or older_than is not None):
        raise click.UsageError("--max-gb and --older-than are for --prune.")
    from ..core.store.holdings import holdings
    from ..core.store.store import Store

    store = Store()
    pruned = _prune(store, max_gb, older_than) if is_pruning else None
    held = holdings(store)
    if as_json:
        print_json(_document(store, held, pruned))
        return
    if pruned is not None:
        say(f"Deleted {len(pruned.files):,} {_files(len(pruned.files))}, {size(pruned.size)}.")
    _show(store, held)


def _prune(store: Store, max_gb: float | None, older_than: int | None) -> Pruned:
    from datetime import timedelta

    from ..core.store.prune import MAX_UNUSED, prune

    age = timedelta(days=older_than) if older_than is not None else MAX_UNUSED
    return prune(store, older_than=age, max_size=int(max_gb * _GIGABYTE) if max_gb is not None else None)


def _show(store: Store, held: Sequence[Holding]) -> None:
    from ..core.store.uses import today

    say(f"The cache is in {store.root}, and is pruned to {store.max_size / _GIGABYTE:g} GB.")
    if not held:
        say("It is empty.")
        return
    number = [Column(title, is_number=True) for title in ("Files", "Size", "Unused for")]
    rows = [
        (each.kind, f"{each.files:,}", size(each.size), _days((today() - each.oldest_use).days))
        for each in held
    ]
    files, held_bytes = sum(each.files for each in held), sum(each.size for each in held)
    print_table(["Kind", *number], [*rows, ("all", f"{files:,}", size(held_bytes), "")])


def _document(store: Store, held: Sequence[Holding], pruned: Pruned | None) -> dict[str, Any]:
    return {
        "path": str(store.root),
        "max_size": store.max_size,
        "size": sum(each.size for each in held),
        "kinds": [
            {
                "kind": each.kind,
                "files": each.files,
                "size": each.size,
                "oldest_use": each.oldest_use.isoformat(),
                "last_use": each.last_use.isoformat(),
            }
            for each in held
        ],
        "pruned": {"files": len(pruned.files), "size": pruned.size} if pruned is not None else None,
    }


def _files(count: int) -> str:
    return "file" if count == 1 else "files"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
