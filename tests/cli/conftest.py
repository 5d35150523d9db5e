"""What a command says here does not depend on how fast this machine is."""

from __future__ import annotations

import pytest

from lbdart_cdk.core import progress


@pytest.fixture(autouse=True)
def _nothing_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_QUIET", 3600.0)
