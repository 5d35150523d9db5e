"""The lock as a tool gives it."""

from __future__ import annotations

from pathlib import Path

from tests.support.locks import lock_of


def test_local_packages_lie_where_the_lock_says() -> None:
    lock = lock_of(local={"My_Lib": "../lib", "here": "."}, base=Path("/repo/app"))
    assert lock.local_directories() == {"my-lib": Path("/repo/lib"), "here": Path("/repo/app")}


def test_having_a_lock_costs_nothing_until_something_is_selected_from_it() -> None:
    assert lock_of("this is not TOML").content.endswith("this is not TOML")
