"""``lbdart cache``: what is kept, and what goes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lbdart_cdk.cli import main
from lbdart_cdk.core.store import prune, uses
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.store.uses import today

#: Read before a test changes the calendar.
TODAY = today()


def lbdart(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["cache", *arguments])


def travel(patch: pytest.MonkeyPatch, days: int) -> None:
    for module in (uses, prune):
        patch.setattr(module, "today", lambda: TODAY + timedelta(days=days))


@pytest.fixture
def filled(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with a wheel that was used 100 days ago, and two notes from today."""
    store = Store(cache)
    travel(monkeypatch, -100)
    with store.writing(store.wheel("a" * 64)) as file:
        file.write(b"x" * 3000)
    travel(monkeypatch, 0)
    store.note("uv-locks", "b" * 64, {})
    store.note("archives", "c" * 64, {})
    return store


def test_what_it_holds(filled: Store) -> None:
    assert lbdart().stdout.splitlines() == [
        f"The cache is in {filled.root}, and is pruned to 10 GB.",
        "Kind      Files  Size  Unused for",
        "wheels        1  3 kB    100 days",
        "archives      1  1 kB      0 days",
        "notes         1  1 kB      0 days",
        "all           3  4 kB",
    ]


def test_what_nothing_used_for_long_goes(filled: Store) -> None:
    result = lbdart("--prune")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "Deleted 1 file, 3 kB."
    assert not filled.wheel("a" * 64).exists()
    assert lbdart("--prune", "--max-gb", "0", "--older-than", "0").stdout.startswith("Deleted 0 files, 0 kB.")


def test_limits_are_for_pruning(filled: Store) -> None:
    assert lbdart("--prune", "--older-than", "101").stdout.startswith("Deleted 0 files")
    assert lbdart("--prune", "--older-than", "101", "--max-gb", "0").stdout.startswith("Deleted 1 file,")
    for wrong in (["--max-gb", "1"], ["--prune", "--max-gb", "-1"], ["--prune", "--older-than", "x"]):
        assert lbdart(*wrong).exit_code == 2


def test_json_is_one_document(filled: Store) -> None:
    told = json.loads(lbdart("--json").stdout)
    assert (told["path"], told["max_size"], told["pruned"]) == (str(filled.root), 10**10, None)
    assert told["size"] == sum(each["size"] for each in told["kinds"])
    assert told["kinds"][0] == {
        "kind": "wheels",
        "files": 1,
        "size": 3000,
        "oldest_use": (TODAY - timedelta(days=100)).isoformat(),
        "last_use": (TODAY - timedelta(days=100)).isoformat(),
    }
    assert json.loads(lbdart("--prune", "--json").stdout)["pruned"] == {"files": 1, "size": 3000}


def test_an_empty_cache_stays_empty(cache: Path) -> None:
    for arguments in ([], ["--prune"]):
        assert lbdart(*arguments).stdout.endswith("It is empty.\n")
    assert not cache.exists()


def test_a_limit_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBDART_CACHE_MAX_GB", "much")
    result = lbdart()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "LBDART_CACHE_MAX_GB is 'much'" in result.stderr
