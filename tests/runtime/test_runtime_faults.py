"""The faults of :mod:`tests.runtime.faults`, each scenario a test, and what needs no fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runtime import faults
from tests.runtime.faults import KINDS, SCENARIOS, Clock, prepared

if TYPE_CHECKING:
    from tests.runtime.conftest import World


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=": ".join)
def test_nothing_is_lost_or_published_twice(
    world: World, clock: Clock, scenario: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "first", list(SCENARIOS).index(scenario))
    tally = SCENARIOS[scenario](world, clock, scenario[0])
    assert tally.faults
    assert (tally.lost, tally.duplicated) == (0, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_an_event_that_comes_twice_changes_nothing(world: World, kind: str, request_type: str) -> None:
    changes = {"RemovalPolicy": "destroy"} if request_type == "Delete" else {}
    case = prepared(world, kind, request_type, 0 if request_type == "Create" else 1, **changes)
    first, state = world.send(case.event), case.state
    assert world.send(case.event)["Data"] == first["Data"]
    assert case.state == state
