"""The store: whole files or none, and a message when there is no room."""

from __future__ import annotations

import errno
import io
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.store import uses
from lbdart_cdk.core.store.store import CACHE_VARIABLE, SIZE_VARIABLE, Store, default_root
from tests.support.projects import kept_in
from tests.support.wheels import sha256

KEY = "ab" * 32


def keep(store: Store, content: bytes = b"zip", key: str = KEY) -> Path:
    with store.scratch() as folder:
        made = folder / "made.zip"
        made.write_bytes(content)
        return store.keep_archive(key, made, sha256(made), version="1.0")


def test_an_archive_is_kept_under_its_key(store: Store) -> None:
    assert not store.kept_archive(KEY)
    path = keep(store)
    assert store.kept_archive(KEY)
    assert path == store.archive(KEY)
    assert path.read_bytes() == b"zip"
    noted = store.recall("archives", KEY)
    assert noted is not None
    assert (noted["sha256"], noted["version"]) == (sha256(path), "1.0")


@pytest.mark.parametrize("damage", [b"", b"zi", b"other"])
def test_a_damaged_archive_is_not_there(store: Store, damage: bytes) -> None:
    keep(store).write_bytes(damage)
    assert not store.kept_archive(KEY)


def test_an_archive_whose_note_is_lost_is_not_there(store: Store) -> None:
    note = keep(store).with_suffix(".json")
    note.write_text("{half")
    assert not store.kept_archive(KEY)
    note.unlink()
    assert not store.kept_archive(KEY)


def test_a_block_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.writing(store.wheel(KEY)) as file:  # noqa: PT012
        file.write(b"half")
        raise KeyboardInterrupt
    assert kept_in(store) == set()
    assert list((store.root / "tmp").iterdir()) == []


def test_a_file_appears_whole(store: Store) -> None:
    path = store.wheel(KEY)
    with store.writing(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"half"


def test_many_may_make_the_same_file_at_once(store: Store) -> None:
    threads = [threading.Thread(target=keep, args=(store, b"zip" * 10_000)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.kept_archive(KEY)
    assert list((store.root / "tmp").iterdir()) == []


def test_a_note_is_computed_once(store: Store) -> None:
    assert store.memo("notes", KEY, lambda: {"answer": 42}) == {"answer": 42}
    assert store.memo("notes", KEY, lambda: pytest.fail("asked again")) == {"answer": 42}


def test_nothing_is_noted_when_the_computation_fails(store: Store) -> None:
    with pytest.raises(LbdartError):
        store.memo("notes", KEY, fail)
    assert store.recall("notes", KEY) is None


def fail() -> dict[str, object]:
    raise LbdartError("No.", "Do.")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"answer": 44}', b"{half", b"\xff", b"[" * 99_999, b"\n{}"]
)
def test_a_note_that_cannot_be_read_was_never_made(store: Store, content: bytes) -> None:
    store.note("notes", KEY, {"answer": 42})
    (path,) = (store.root / "v1/notes").rglob("*.json")
    path.write_bytes(content)
    assert store.memo("notes", KEY, lambda: {"answer": 43}) == {"answer": 43}
    assert store.recall("notes", KEY) == {"answer": 43}


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_note_is_as_it_was_or_was_never_made(store: Store, place: int, damage: bytes) -> None:
    store.note("notes", KEY, {"answer": 42})
    (path,) = (store.root / "v1/notes").rglob("*.json")
    content = bytearray(path.read_bytes())
    content[place : place + len(damage)] = damage
    path.write_bytes(content)
    assert store.recall("notes", KEY) in ({"answer": 42}, None)


def test_asking_writes_nothing(store: Store) -> None:
    assert store.recall("notes", KEY) is None
    assert not store.kept_archive(KEY)
    assert not store.root.exists()


def test_an_archive_whose_time_changed_is_looked_at_again(store: Store) -> None:
    path = keep(store, b"content")
    os.utime(path, (0, 0))
    assert store.kept_archive(KEY)
    path.write_bytes(b"CONTENT")
    os.utime(path, (1, 1))
    assert not store.kept_archive(KEY)


def test_an_archive_of_the_noted_size_and_time_is_taken_at_its_word(store: Store) -> None:
    path = keep(store, b"content")
    before = path.stat()
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.kept_archive(KEY)


def test_an_archive_is_hashed_before_its_content_is_used(store: Store) -> None:
    path = keep(store, b"content")
    assert store.checked_archive(KEY) == path
    before = path.stat()
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(LbdartError, match=rf"{path.name} has the SHA-256 {sha256(path)}, not "):
        store.checked_archive(KEY)
    path.unlink()
    with pytest.raises(LbdartError, match="were deleted while a build used them"):
        store.checked_archive(KEY)


def test_a_user_without_a_home_is_told_to_name_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", raise_key_error)
    with pytest.raises(LbdartError, match="no home directory") as error:
        default_root()
    assert CACHE_VARIABLE in error.value.remedy


def raise_key_error(_: int) -> None:
    raise KeyError


def test_files_that_are_deleted_while_they_are_used_are_named(store: Store) -> None:
    with pytest.raises(LbdartError, match="were deleted while a build used them"), store.guarded(store.root):
        store.wheel(KEY).read_bytes()


def test_errors_of_other_places_are_not_blamed_on_the_cache(store: Store, tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    with pytest.raises(IsADirectoryError), store.guarded(store.root):
        elsewhere.read_bytes()


class TestScratch:
    """What dead processes leave goes, what living ones use stays, and nobody waits."""

    def left_behind(self, store: Store, when: float) -> Path:
        folder = store.root / "tmp" / "of-a-dead-process"
        folder.mkdir(parents=True)
        (folder / "half.zip").write_bytes(b"half")
        os.utime(folder, (when, when))
        return folder

    @pytest.mark.parametrize("seconds", [-90, -1e6, 90, 1e6])
    def test_of_a_dead_process(self, store: Store, seconds: float) -> None:
        folder = self.left_behind(store, time.time() + seconds)
        with store.scratch():
            assert not folder.exists()

    def test_a_file_of_a_dead_process(self, store: Store) -> None:
        file = store.root / "tmp" / "pyproject.toml"
        file.parent.mkdir(parents=True)
        file.write_text("")
        os.utime(file, (0, 0))
        with store.scratch():
            assert not file.exists()

    def test_that_is_just_made(self, store: Store) -> None:
        folder = self.left_behind(store, time.time())
        with store.scratch():
            assert folder.exists()

    def test_where_files_cannot_be_locked_only_a_day_tells(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_locks(_self: FileLock) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(FileLock, "acquire", no_locks)
        folder = self.left_behind(store, time.time() - 3600)
        with store.scratch():
            assert folder.exists()
        os.utime(folder, (0, 0))
        with store.scratch():
            assert not folder.exists()

    def test_of_a_living_process(self, store: Store) -> None:
        with store.scratch() as mine:
            os.utime(mine, (0, 0))
            with store.scratch():
                assert mine.exists()


@pytest.mark.parametrize(("given", "size"), [("2.5", 2_500_000_000), ("0", 0), ("", 10**10)])
def test_the_size_of_the_cache_is_ten_gigabytes_or_the_one_named(
    monkeypatch: pytest.MonkeyPatch, given: str, size: int
) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, given)
    assert Store().max_size == size


@pytest.mark.parametrize("given", ["10 GB", "-1", "nan", "inf", "1e999"])
def test_a_size_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, given)
    with pytest.raises(LbdartError, match="not a number of gigabytes") as error:
        Store()
    assert SIZE_VARIABLE in error.value.remedy


def test_the_cache_directory_is_the_users_or_the_one_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CACHE_VARIABLE, "here")
    assert default_root() == tmp_path / "here"
    monkeypatch.delenv(CACHE_VARIABLE)
    assert default_root().name == "lbdart_cdk"
    assert Path.home() in default_root().parents


class TestNoRoom:
    """A place where nothing can be written is named, with what to do."""

    def refused(self, store: Store) -> LbdartError:
        with pytest.raises(LbdartError) as error:
            keep(store)
        assert error.value.problem.startswith(f"The cache directory {store.root} cannot be written")
        assert CACHE_VARIABLE in error.value.remedy
        return error.value

    def test_a_file_is_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("")
        self.refused(Store(tmp_path / "cache"))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_it_may_only_be_read(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        assert "Permission denied" in self.refused(Store(tmp_path / "cache")).problem

    def test_its_file_system_is_read_only(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        monkeypatch.setattr(os, "mkdir", refuse)
        assert "Read-only file system" in self.refused(store).problem

    def test_it_is_full(self, store: Store) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("no /dev/full here")
        with (  # noqa: PT012
            Path("/dev/full").open("wb", buffering=0) as full,
            pytest.raises(LbdartError, match="No space left on device"),
            store.writing(store.wheel(KEY)) as file,
        ):
            os.dup2(full.fileno(), file.fileno())
            file.write(b"x" * io.DEFAULT_BUFFER_SIZE * 2)
        assert kept_in(store) == set()

    def test_what_may_only_be_read_is_still_there(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(store)
        shutil.rmtree(store.uses.folder)
        monkeypatch.setattr(uses, "_WRITTEN", {})

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

        monkeypatch.setattr(os, "mkdir", refuse)
        assert store.kept_archive(KEY)
        assert not store.uses.folder.exists()

    def test_other_errors_of_the_system_are_not_hidden(self, store: Store) -> None:
        with pytest.raises(FileNotFoundError), store.writing(store.wheel(KEY)):
            raise FileNotFoundError(errno.ENOENT, "not ours")
