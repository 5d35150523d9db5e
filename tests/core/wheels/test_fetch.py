"""Wheels into the store: in parallel, each checked, and nothing half-written."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.selection import LockedFile
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.fetch import fetch
from tests.support.index import Index, after, cut_off, ends_early, status, wrong_bytes
from tests.support.projects import kept_in
from tests.support.wheels import make_wheel, sha256


def locked(path: Path, source: str | Path, *, sized: bool = True) -> LockedFile:
    name = canonicalize_name(path.name.split("-")[0])
    return LockedFile(name, path.name, source, sha256(path), path.stat().st_size if sized else None)


def locked_at(index: Index, name: str = "alpha", *, sized: bool = True) -> LockedFile:
    wheel = make_wheel(index.folder, name, files={f"{name}.py": name * 1000})
    return locked(wheel, index.file_url(wheel), sized=sized)


def refused(wheel: LockedFile, store: Store) -> LbdartError:
    """Fetch what cannot be had; nothing of it may be left in the store."""
    with pytest.raises(LbdartError) as error:
        fetch([wheel], store)
    assert kept_in(store) == set()
    return error.value


def test_every_wheel_is_in_the_store_with_the_bytes_that_the_lock_names(index: Index, store: Store) -> None:
    wheels = [locked_at(index, f"package{number}") for number in range(20)]
    fetch(wheels, store)
    assert [sha256(store.wheel(wheel.sha256)) for wheel in wheels] == [wheel.sha256 for wheel in wheels]


def test_what_is_in_the_store_is_not_asked_for_again(index: Index, store: Store) -> None:
    wheel = locked_at(index)
    fetch([wheel], store)
    index.requested.clear()
    fetch([wheel], store)
    assert index.requested == []


def test_a_damaged_wheel_in_the_store_is_fetched_again(index: Index, store: Store) -> None:
    wheel = locked_at(index)
    fetch([wheel], store)
    store.wheel(wheel.sha256).write_bytes(b"damaged")
    fetch([wheel], store)
    assert sha256(store.wheel(wheel.sha256)) == wheel.sha256


def test_downloads_run_at_the_same_time(index: Index, store: Store) -> None:
    together = threading.Barrier(4, timeout=5)
    wheels = [locked_at(index, f"package{number}") for number in range(4)]
    for wheel in wheels:
        index.faults[wheel.filename] = [after(together.wait)]
    fetch(wheels, store)


@pytest.mark.parametrize("sized", [True, False])
def test_a_download_that_was_cut_off_is_tried_again(index: Index, store: Store, sized: bool) -> None:
    wheel = locked_at(index, sized=sized)
    index.faults[wheel.filename] = [cut_off, cut_off]
    fetch([wheel], store)
    assert index.requested == [wheel.filename] * 3


@pytest.mark.parametrize("fault", [cut_off, ends_early])
def test_a_download_that_is_always_cut_off(index: Index, store: Store, fault: object) -> None:
    wheel = locked_at(index)
    index.faults[wheel.filename] = [fault] * 9  # type: ignore[list-item]
    error = refused(wheel, store)
    assert error.problem.startswith("The download of alpha-1.0-py3-none-any.whl from 127.0.0.1 was cut off: ")
    assert "network" in error.remedy


def test_a_server_that_fails_once_is_asked_again(index: Index, store: Store) -> None:
    wheel = locked_at(index)
    index.faults[wheel.filename] = [status(500)]
    fetch([wheel], store)
    assert index.requested == [wheel.filename] * 2


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_download_that_is_refused_is_not_tried_again(index: Index, store: Store, code: int) -> None:
    wheel = locked_at(index)
    index.faults[wheel.filename] = [status(code)]
    error = refused(wheel, store)
    assert error.problem.startswith(f"127.0.0.1 refused alpha-1.0-py3-none-any.whl: {code} ")
    assert index.requested == [wheel.filename]


def test_a_server_that_is_not_there(index: Index, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)
    wheel = locked_at(index)
    with Index(index.folder) as gone:
        url = gone.file_url(Path(wheel.filename))
    error = refused(LockedFile(wheel.package, wheel.filename, url, wheel.sha256), store)
    assert error.problem.startswith("alpha-1.0-py3-none-any.whl cannot be downloaded from 127.0.0.1: ")
    assert "Connection refused" in error.problem


def test_other_bytes_than_the_lock_names(index: Index, store: Store) -> None:
    wheel = locked_at(index)
    index.faults[wheel.filename] = [wrong_bytes]
    error = refused(wheel, store)
    assert error.problem.startswith("alpha-1.0-py3-none-any.whl from 127.0.0.1 has the sha256 ")
    assert error.problem.endswith(f"but the lock says {wheel.sha256}.")


def test_one_failure_ends_the_other_downloads_at_once(index: Index, store: Store) -> None:
    large = locked_at(index, "large")
    small = locked_at(index, "s")
    failed = threading.Event()
    index.faults[small.filename] = [status(404)]
    index.faults[large.filename] = [after(lambda: failed.wait(5))]
    threading.Timer(0.3, failed.set).start()
    with pytest.raises(LbdartError, match=r"refused s-1\.0"):
        fetch([large, small], store)
    assert kept_in(store) == set()


def test_a_local_wheel_is_read_from_its_path_or_its_file_url(tmp_path: Path, store: Store) -> None:
    at_path = make_wheel(tmp_path / "100%20 wheels", "alpha")
    at_url = make_wheel(tmp_path / "100%20 wheels", "beta")
    wheels = [locked(at_path, at_path), locked(at_url, at_url.as_uri())]
    fetch(wheels, store)
    assert all(store.wheel(wheel.sha256).is_file() for wheel in wheels)


def test_a_local_wheel_that_is_gone(tmp_path: Path, store: Store) -> None:
    path = make_wheel(tmp_path)
    wheel = locked(path, path)
    path.unlink()
    error = refused(wheel, store)
    assert (
        error.problem == f"The lock names {path} for alpha, which cannot be read: No such file or directory."
    )


@pytest.mark.parametrize(
    "url",
    [
        "ftp://user:hunter2@127.0.0.1/alpha-1.0-py3-none-any.whl",
        "http://user:hunter2@:99999999/alpha-1.0-py3-none-any.whl",
        "http://user:hunter2@127.0.0.1:1/alpha-1.0-py3-none-any.whl?token=hunter2",
    ],
)
def test_no_message_shows_a_password(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)
    error = refused(locked(make_wheel(tmp_path), url), store)
    assert "hunter2" not in str(error)
    assert "alpha-1.0-py3-none-any.whl" in error.problem


def test_a_refusal_of_a_private_index_shows_no_password(index: Index, store: Store) -> None:
    wheel = locked_at(index)
    index.faults[wheel.filename] = [status(401)]
    private = str(wheel.source).replace("//", "//user:hunter2@") + "?token=hunter2"
    error = refused(LockedFile(wheel.package, wheel.filename, private, wheel.sha256), store)
    assert "hunter2" not in str(error)


def team(url: str, path: str, password: str) -> Credentials:
    return Credentials(password, f"{url}/{path}", "ci", password)


@pytest.mark.parametrize("order", [1, -1])
def test_files_apart_from_their_index_are_opened_by_the_index_that_may(
    index: Index, store: Store, order: int
) -> None:
    """The address of a file then does not tell which of the indexes at its host it belongs to."""
    wheel = locked_at(index)
    index.demanded = ("ci", "right")
    given = [team(index.url, "other/simple/", "wr0ng"), team(index.url, "simple/", "right")]
    fetch([wheel], store, lambda: given[::order])
    assert len(index.authorizations) == (2 if order == 1 else 1)


def test_no_index_elsewhere_is_tried_where_all_are_refused(
    index: Index, store: Store, tmp_path: Path
) -> None:
    wheel = locked_at(index)
    index.demanded = ("ci", "right")
    with Index(tmp_path) as elsewhere:
        urls = (index.url, elsewhere.url, index.url)
        given = [team(url, "simple/", f"wr0ng{number}") for number, url in enumerate(urls)]
        with pytest.raises(LbdartError, match="401 Unauthorized") as error:
            fetch([wheel], store, lambda: given)
    sent = [base64.b64decode((header or "").removeprefix("Basic ")) for header in index.authorizations]
    assert sent == [b"ci:wr0ng0", b"ci:wr0ng2"]
    assert elsewhere.authorizations == []
    assert "wr0ng" not in str(error.value)


def test_a_quick_download_says_nothing(index: Index, store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    fetch([locked_at(index)], store)
    assert capfd.readouterr() == ("", "")
