"""What a person sees while something takes longer than a second."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from lbdart_cdk.core import progress
from lbdart_cdk.core.progress import Counter, announced, counted, shown_on


class Clock:
    """Time as the test wants it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock))
    return clock


def test_what_is_quick_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with counted("Fetching 2 wheels", 2_000_000) as shown:
        shown.advance(1_000_000)
        clock.now += 0.9
        shown.advance(1_000_000)
    assert capsys.readouterr() == ("", "")


def test_lines_come_now_and_then_on_stderr(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with counted("Fetching 2 wheels", 9_000_000) as shown:
        for _ in range(9):
            clock.now += 2
            shown.advance(1_000_000)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "Fetching 2 wheels: 1.0 MB of 9.0 MB",
        "Fetching 2 wheels: 6.0 MB of 9.0 MB",
        "Fetching 2 wheels: 9.0 MB in 18.0 s",
    ]


def test_a_total_that_is_not_known_is_not_shown(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with counted("Fetching 2 wheels", 0) as shown:
        clock.now += 2
        shown.advance(1_000_000)
    assert capsys.readouterr().err.splitlines()[0] == "Fetching 2 wheels: 1.0 MB"


def test_a_failure_is_not_told_as_a_success(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), counted("Fetching", 1):  # noqa: PT012
        clock.now += 60
        raise ValueError("no")
    assert capsys.readouterr().err == ""


def test_what_goes_on_for_longer_is_announced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with announced("Reading uv.lock"):
        pass
    assert capsys.readouterr() == ("", "")
    said = threading.Event()
    monkeypatch.setattr(progress, "_QUIET", 0.01)
    monkeypatch.setattr(progress, "print", lambda *_, **__: said.set(), raising=False)
    with announced("Reading uv.lock"):
        assert said.wait(5)


class Seen:
    """A display that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    @contextmanager
    def counted(self, what: str, total: int) -> Iterator[Counter]:
        self.told.append((what, total))
        yield self

    def advance(self, count: int) -> None:
        self.told.append(count)

    @contextmanager
    def announced(self, what: str) -> Iterator[None]:
        self.told.append(what)
        yield


def test_another_display_sees_all_threads_until_its_block_ends() -> None:
    def work() -> None:
        with counted("Fetching", 9) as shown:
            shown.advance(9)
        with announced("Reading"):
            pass

    seen = Seen()
    with pytest.raises(ValueError, match="no"), shown_on(seen):  # noqa: PT012
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        raise ValueError("no")
    work()
    assert seen.told == [("Fetching", 9), 9, "Reading"]
