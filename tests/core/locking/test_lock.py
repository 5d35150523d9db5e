"""The lock as a tool gives it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.lock import Lock, without_dates
from tests.support.locks import lock_of, locked


def test_having_a_lock_costs_nothing_until_something_is_selected_from_it() -> None:
    lock = Lock({"lock-version": "none"}, Path("/repo/uv.lock"), Path("/repo"))
    with pytest.raises(LbdartError, match="is not a valid lock"):
        _ = lock.pylock


def test_a_lock_is_read_once() -> None:
    lock = lock_of(locked("alpha", wheels=["alpha-1.0-py3-none-any.whl"]))
    assert lock.pylock is lock.pylock


def test_json_holds_a_lock_once_its_dates_are_gone() -> None:
    tables = {
        "created": date(2026, 1, 2),
        "packages": [{"name": "alpha", "wheels": [{"upload-time": datetime(2026, 1, 2, 3, 4, tzinfo=UTC)}]}],
    }
    assert without_dates(tables) == {"packages": [{"name": "alpha", "wheels": [{}]}]}
