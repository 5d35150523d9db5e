"""What nothing used for 90 days goes from the store, and nothing else does."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbdart_cdk.core import store as package
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import sha256_of
from lbdart_cdk.core.store import prune as pruning
from lbdart_cdk.core.store import uses
from lbdart_cdk.core.store.locks import held
from lbdart_cdk.core.store.prune import Pruned, prune
from lbdart_cdk.core.store.store import CACHE_VARIABLE, Store
from tests.support.projects import files_in, kept_in

DAY = timedelta(days=1)
START = date(2026, 11, 1)


class Clock:
    """The calendar of this process."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.day = START
        patch.setattr(uses, "today", lambda: self.day)
        patch.setattr(pruning, "today", lambda: self.day)

    def advance(self, days: int) -> None:
        self.day += timedelta(days=days)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def key(number: int) -> str:
    return f"{number:064x}"


def keep(store: Store, number: int, content: bytes = b"zip", made_from: tuple[Path, ...] = ()) -> Path:
    with store.scratch() as folder:
        made = folder / "made.zip"
        made.write_bytes(content)
        return store.keep_archive(key(number), made, sha256_of(made), made_from)


def keep_wheel(store: Store, content: bytes) -> Path:
    path = store.wheel(digest(content))
    with store.writing(path) as file:
        file.write(content)
    return path


def in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what this process has written to the log."""
    monkeypatch.setattr(uses, "_WRITTEN", {})


def restore(store: Store) -> None:
    """Give every file the time of now, as a restored cache of CI may have it."""
    for path in store.root.rglob("*"):
        os.utime(path)


def test_what_nothing_used_for_90_days_goes(store: Store, clock: Clock) -> None:
    wheel, archive = keep_wheel(store, b"wheel"), keep(store, 1)
    store.note("notes", key(2), {"answer": 42})
    clock.advance(90)
    assert prune(store).files == {}
    clock.advance(1)
    went = prune(store)
    assert set(went.files) == {
        wheel,
        archive,
        archive.with_suffix(".json"),
        store.files / "notes" / key(2)[:2] / f"{key(2)[2:]}.json",
    }
    assert went.files[wheel] == len(b"wheel")
    assert (went.size, went.left) == (sum(went.files.values()), 0)
    assert kept_in(store) == set()
    assert not any(path.is_file() and path.name[:4].isdigit() for path in store.uses.folder.iterdir())


USES: dict[str, Callable[[Store, Path], object]] = {
    "a wheel": lambda store, wheel: store.kept_wheel(wheel.parent.name + wheel.stem),
    "a zip": lambda store, _: store.kept_archive(key(1)),
    "a zip by its hash": lambda store, _: store.checked_archive(key(1)),
    "a note": lambda store, _: store.recall("notes", key(2)),
}


@pytest.mark.parametrize("use", USES)
def test_what_is_read_stays(store: Store, clock: Clock, use: str) -> None:
    wheel = keep_wheel(store, b"wheel")
    keep(store, 1)
    store.note("notes", key(2), {})
    for _ in range(4):
        clock.advance(60)
        assert USES[use](store, wheel) is not None
        prune(store)
    assert USES[use](store, wheel) is not None
    assert {name.split("/")[1] for name in kept_in(store)} == {
        {"a wheel": "wheels", "a note": "notes"}.get(use, "archives")
    }


def test_who_uses_a_zip_uses_the_wheels_that_it_is_made_from(store: Store, clock: Clock) -> None:
    wheel, other = keep_wheel(store, b"wheel"), keep_wheel(store, b"other")
    keep(store, 1, made_from=(wheel,))
    clock.advance(60)
    assert store.kept_archive(key(1))
    clock.advance(60)
    prune(store)
    assert wheel.exists()
    assert not other.exists()


def test_a_use_is_written_once_a_day(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, 1)
    clock.advance(1)
    assert store.kept_archive(key(1))
    before = files_in(store.root), [path.stat().st_mtime_ns for path in sorted(store.root.rglob("*"))]
    for _ in range(2):
        assert store.kept_archive(key(1))
        in_another_process(monkeypatch)
    assert before == (
        files_in(store.root),
        [path.stat().st_mtime_ns for path in sorted(store.root.rglob("*"))],
    )


def test_a_restored_cache_of_ci_shrinks(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each day a run that builds something else, and all files are new each time."""
    sizes = []
    for number in range(1, 8):
        in_another_process(monkeypatch)
        restore(store)
        keep(store, number)
        keep_wheel(store, bytes([number]))
        prune(store, older_than=timedelta(0))
        sizes.append(len(kept_in(store)))
        clock.advance(1)
    assert sizes == [3, 6, 6, 6, 6, 6, 6]  # what this run and the one of the day before used


def test_a_cache_without_a_log_grows_old_from_the_time_of_its_files(store: Store, clock: Clock) -> None:
    old, new = keep_wheel(store, b"old"), keep_wheel(store, b"new")
    shutil.rmtree(store.uses.folder)
    clock.day = date.today() + 60 * DAY
    then = time.time() - 60 * 24 * 3600
    os.utime(old, (then, then))
    assert list(prune(store).files) == [old]
    restore(store)
    clock.advance(60)
    assert list(prune(store).files) == [new]


def test_the_longest_unused_go_until_the_store_is_small_enough(store: Store, clock: Clock) -> None:
    wheels = []
    for number in range(4):
        wheels.append(keep_wheel(store, bytes([number]) * 100))
        clock.advance(1)
    assert store.kept_wheel(wheels[0].parent.name + wheels[0].stem)
    went = prune(store, max_size=250)
    assert (set(went.files), went.left) == ({wheels[1], wheels[2]}, 200)
    went = prune(store, max_size=0)
    assert (went.files, went.left) == ({}, 200)  # used today and yesterday
    clock.advance(2)
    small = Store(store.root, max_size=150)
    assert (set(prune(small).files), prune(small).left) == ({wheels[3]}, 100)


@pytest.mark.parametrize("older_than", [timedelta(0), timedelta(days=-400), DAY])
def test_what_was_used_yesterday_stays(store: Store, clock: Clock, older_than: timedelta) -> None:
    """A build over midnight reads what it used yesterday."""
    wheel = keep_wheel(store, b"wheel")
    clock.advance(1)
    assert prune(store, older_than=older_than, max_size=0) == Pruned({}, len(b"wheel"))
    clock.advance(1)
    assert list(prune(store, older_than=older_than).files) == [wheel]


def test_a_clock_that_jumps_back_deletes_nothing_and_keeps_nothing_for_ever(
    store: Store, clock: Clock
) -> None:
    clock.advance(4000)
    wheel = keep_wheel(store, b"wheel")
    clock.advance(-4000)
    assert prune(store, older_than=timedelta(0)).files == {}
    clock.advance(91)
    assert list(prune(store).files) == [wheel]


def test_the_log_has_each_key_once(store: Store, clock: Clock) -> None:
    wheels = [keep_wheel(store, bytes([number])) for number in range(5)]
    for wheel in wheels:
        assert store.kept_wheel(sha256_of(wheel))
        clock.advance(1)
    prune(store)
    written = [path.read_text().split() for path in store.uses.folder.glob("2026-*")]
    assert sorted(itertools.chain(*written)) == sorted(map(sha256_of, wheels))
    assert len(written) == 5


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=12), st.integers(0, 120))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_exactly_what_was_not_used_for_as_long_goes(
    tmp_path: Path, clock: Clock, history: list[tuple[int, int]], older_than: int
) -> None:
    """Whatever is used on whatever days, with prunings in between that change nothing."""
    shutil.rmtree(tmp_path / "store", ignore_errors=True)
    uses._WRITTEN.clear()
    store, clock.day = Store(tmp_path / "store"), START
    last: dict[str, date] = {}
    for number, days in history:
        clock.advance(days)
        content = bytes([number])
        name = digest(content)
        if store.kept_wheel(name) is None:
            keep_wheel(store, content)
        last[name] = clock.day
        prune(store, older_than=timedelta(days=10_000))
    prune(store, older_than=timedelta(days=older_than))
    stay = {name for name, day in last.items() if clock.day - day <= max(DAY, timedelta(days=older_than))}
    assert kept_in(store) == {f"v1/wheels/{name[:2]}/{name[2:]}.whl" for name in stay}


def make_strangers(store: Store, outside: Path) -> dict[str, bytes]:
    """Put what is not the store's own among its files; return the files outside."""
    name = key(7)[2:]
    outside.mkdir()
    (outside / "00").mkdir()
    for path in (outside / f"{name}.whl", outside / "00" / f"{name}.whl"):
        path.write_bytes(b"not the store's")
    wheels = store.files / "wheels"
    for path in (
        store.root / "readme.txt",
        store.files / "readme.txt",
        store.files / "used" / "readme.txt",
        store.files / "used" / "20261101",
        wheels / f"{name}.whl",
        wheels / "00" / "readme.txt",
        wheels / "00" / f"{name}.tar",
        wheels / "00" / f"{name.replace('0', 'x')}.whl",
        wheels / "00" / f"{name}.whl" / "in-a-folder",
        wheels / "other" / f"{name}.whl",
        store.root / "v2" / "wheels" / "00" / f"{name}.whl",
        store.root / "wheels" / "00" / f"{name}.whl",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"somebody else's")
    (wheels / "11").symlink_to(outside)
    (store.files / "linked").symlink_to(outside, target_is_directory=True)
    (wheels / "22").mkdir()
    (wheels / "22" / f"{name}.whl").symlink_to(outside / f"{name}.whl")
    return files_in(outside)


def test_what_is_not_the_stores_own_stays_and_links_are_not_followed(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    keep_wheel(store, b"wheel")
    outside = make_strangers(store, tmp_path / "outside")
    before = kept_in(store)
    clock.day = date.today() + 400 * DAY
    assert len(prune(store, older_than=timedelta(0), max_size=0).files) == 1
    assert before - kept_in(store) == {
        name for name in before if name.endswith(f"{digest(b'wheel')[2:]}.whl")
    }
    assert files_in(tmp_path / "outside") == outside
    assert (store.files / "wheels" / "22").joinpath(f"{key(7)[2:]}.whl").is_symlink()
    assert (store.files / "used" / "readme.txt").exists()
    assert (store.files / "used" / "20261101").exists()


@pytest.mark.parametrize("content", [b"", b"\xff" * 70, b"\n" + b"a" * 63, b"{}", None])
def test_a_damaged_log_deletes_nothing_early(store: Store, clock: Clock, content: bytes | None) -> None:
    clock.day = date.today()
    wheel = keep_wheel(store, b"wheel")
    log = store.uses.folder / clock.day.isoformat()
    log.unlink()
    if content is None:
        log.mkdir()
    else:
        log.write_bytes(content)
    clock.advance(3)
    other = keep_wheel(store, b"other")
    assert prune(store).files == {}
    clock.advance(89)
    assert list(prune(store).files) == [wheel]
    clock.advance(2)
    assert list(prune(store).files) == [other]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may delete everything")
def test_what_may_not_be_deleted_is_left(store: Store, clock: Clock) -> None:
    wheel = keep_wheel(store, b"wheel")
    wheel.parent.chmod(0o500)
    clock.advance(100)
    assert prune(store) == Pruned({}, len(b"wheel"))


def test_a_file_that_cannot_be_deleted_is_left(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn, other = keep_wheel(store, b"stubborn"), keep_wheel(store, b"other")
    clock.advance(100)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == stubborn:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert prune(store) == Pruned({other: len(b"other")}, len(b"stubborn"))
    monkeypatch.undo()


def test_an_unreadable_wheel_is_fetched_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = keep_wheel(store, b"wheel")

    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("lbdart_cdk.core.store.store.sha256_of", refuse)
    assert store.kept_wheel(wheel.parent.name + wheel.stem) is None


def test_a_store_that_is_not_there_is_not_made(store: Store) -> None:
    assert prune(store) == Pruned()
    assert not store.root.exists()


def test_a_store_that_may_only_be_read_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, 1)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(LbdartError, match="cannot be written"):
        prune(store)


def test_of_two_prunings_one_does_nothing(store: Store, clock: Clock) -> None:
    keep(store, 1)
    clock.advance(100)
    with held(store.uses.folder / "prune.lock"):
        assert prune(store) == Pruned()
    assert len(prune(store).files) == 2


class TestAtOnce:
    """A build of any process keeps what it reads."""

    def test_what_a_build_starts_to_use_during_a_pruning_stays(
        self, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At the last moment: the pruning has chosen both wheels."""
        wheels = sorted([keep_wheel(store, b"one"), keep_wheel(store, b"other")], key=str)
        first, second = (path.parent.name + path.stem for path in wheels)
        clock.advance(100)
        delete = pruning._delete

        def use_the_other(files: dict[Path, int]) -> object:
            deleted = dict(delete(files))
            in_another_process(monkeypatch)
            thread = threading.Thread(target=store.kept_wheel, args=(second,))
            thread.start()
            thread.join(0.05)  # it waits for the log
            assert thread.is_alive()
            started.append(thread)
            return deleted.items()

        started: list[threading.Thread] = []
        monkeypatch.setattr(pruning, "_delete", use_the_other)
        locked = uses.UseLog.locked

        def after_the_build(log: uses.UseLog) -> object:
            for thread in started if threading.current_thread() is threading.main_thread() else ():
                thread.join()
            return locked(log)

        monkeypatch.setattr(uses.UseLog, "locked", after_the_build)
        assert list(prune(store).files) == [wheels[0]]
        assert store.kept_wheel(second) == wheels[1]
        assert store.kept_wheel(first) is None

    def test_a_log_that_others_hold_for_long_stops_no_build(
        self, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheel = keep_wheel(store, b"wheel")
        clock.advance(1)
        monkeypatch.setattr(uses, "_PATIENCE", 0.05)
        with held(store.uses.folder / "log.lock"):
            assert store.kept_wheel(wheel.parent.name + wheel.stem) == wheel
            clock.advance(100)
            assert prune(store).files == {}

    def test_readers_never_lose_what_they_read(self, store: Store) -> None:
        """Processes that use wheels at random, while others prune as if each use were long ago."""
        wheels = [sha256_of(keep_wheel(store, bytes([number]) * 1000)) for number in range(40)]
        shutil.rmtree(store.uses.folder)
        uses._WRITTEN.clear()  # the readers begin without what this process knows
        for path in store.files.rglob("*.whl"):
            os.utime(path, (0, 0))
        context = multiprocessing.get_context("fork")
        readers = [context.Process(target=read_all, args=(store, wheels[start::4])) for start in range(4)]
        pruners = [context.Process(target=prune, args=(store,)) for _ in range(2)]
        for process in [*readers, *pruners]:
            process.start()
        for process in [*readers, *pruners]:
            process.join(60)
        assert [process.exitcode for process in [*readers, *pruners]] == [0] * 6


def read_all(store: Store, keys: list[str]) -> None:
    for sha256 in keys:
        path = store.kept_wheel(sha256)
        time.sleep(0.002)
        assert path is None or sha256_of(path) == sha256


@pytest.mark.parametrize("milliseconds", range(0, 60, 12))
def test_a_pruning_that_is_killed_is_done_by_the_next_one(store: Store, milliseconds: int) -> None:
    for number in range(40):
        keep(store, number)
    fresh = keep_wheel(store, b"wheel")
    shutil.rmtree(store.uses.folder)
    for path in store.files.rglob("*.*"):
        if path != fresh:
            os.utime(path, (0, 0))
    process = multiprocessing.get_context("fork").Process(target=prune, args=(store,))
    process.start()
    time.sleep(milliseconds / 1000)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    prune(store)
    assert {
        path for path in store.files.rglob("*.*") if path.parent.parent.name in ("archives", "wheels")
    } == {fresh}


PROGRAM = """
import sys
from pathlib import Path
from lbdart_cdk.core.keys import sha256_of
from lbdart_cdk.core.store.store import Store
store = Store()
for key in sys.argv[1:]:
    with store.scratch() as folder:
        made = folder / "made.zip"
        made.write_bytes(b"zip")
        store.keep_archive(key, made, sha256_of(made))
"""


class TestWhenABuildEnds:
    """A process that made a zip prunes the store when it ends, once a day."""

    def build(self, store: Store, number: int) -> None:
        environment = {**os.environ, CACHE_VARIABLE: str(store.root)}
        root = Path(package.__file__).parents[3]
        subprocess.run(
            [sys.executable, "-c", PROGRAM, key(number)],
            env=environment,
            cwd=root,
            check=True,
            capture_output=True,
        )

    def make_old(self, store: Store, number: int) -> Path:
        path = keep(store, number)
        shutil.rmtree(store.uses.folder / uses.today().isoformat(), ignore_errors=True)
        (store.uses.folder / uses.today().isoformat()).unlink()
        for each in (path, path.with_suffix(".json")):
            os.utime(each, (0, 0))
        return path

    def test_once_a_day(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        old = self.make_old(store, 1)
        self.build(store, 2)
        assert not old.exists()
        assert store.archive(key(2)).exists()
        in_another_process(monkeypatch)
        old = self.make_old(store, 3)
        self.build(store, 4)
        assert old.exists()
        (store.uses.folder / "pruned").write_text("2026-01-01")
        self.build(store, 5)
        assert not old.exists()

    def test_not_before_the_build_has_used_what_it_needs(self, store: Store) -> None:
        old = self.make_old(store, 1)
        keep(store, 2)
        assert store.kept_archive(key(1))
        pruning._prune_grown()
        assert old.exists()

    def test_a_build_does_not_fail_when_nothing_can_be_deleted(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(store, 1)
        monkeypatch.setattr(pruning, "prune", partial(refuse_to_prune))
        pruning._prune_grown()

    def test_a_synth_that_builds_nothing_looks_through_nothing(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(store, 1)
        monkeypatch.setattr(pruning, "_GROWN", set())
        assert store.kept_archive(key(1))
        assert not pruning._GROWN


def test_the_documentation_prunes(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    docs = Path(package.__file__).parents[3] / "docs"
    printed: list[str] = []
    (program,) = re.findall(r"```python\n(.*?)```", (docs / "cache.md").read_text(), re.DOTALL)
    lines = re.findall(r'python -c "(.*)"', (docs / "pipelines.md").read_text())
    assert len(lines) == 3
    for number, code in enumerate((program, *lines)):
        store = Store()
        assert store.root == cache
        keep(store, number)
        (store.uses.folder / uses.today().isoformat()).unlink()
        in_another_process(monkeypatch)
        for path in store.files.rglob("*.*"):
            os.utime(path, (0, 0))
        exec(code, {"print": printed.append})
        assert kept_in(store) == set()
    assert printed[0].startswith("2 files, ")


def refuse_to_prune(_: Store) -> Pruned:
    raise LbdartError("No.", "Do.")
