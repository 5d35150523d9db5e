from __future__ import annotations

import pickle

import pytest

from lbdart_cdk.core.errors import LbdartError


def test_the_message_says_what_is_wrong_and_then_what_to_do() -> None:
    error = LbdartError("The lock is stale.", "Run `uv lock`.")
    assert str(error) == "The lock is stale.\nRun `uv lock`."
    assert (error.problem, error.remedy) == ("The lock is stale.", "Run `uv lock`.")


def test_problem_and_remedy_cannot_be_changed() -> None:
    error = LbdartError("a", "b")
    with pytest.raises(AttributeError):
        error.problem = "c"  # type: ignore[misc]


def test_it_survives_the_way_between_processes() -> None:
    assert str(pickle.loads(pickle.dumps(LbdartError("a", "b")))) == "a\nb"
