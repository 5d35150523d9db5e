"""Each wheel is inflated once, when it is new in the store."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.selection import LockedFile
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import integrity as sound
from lbdart_cdk.core.wheels.fetch import fetch
from lbdart_cdk.core.wheels.integrity import refuse_damaged
from tests.support.raw_zip import File, raw_zip
from tests.support.wheels import make_wheel, sha256


def in_store(path: Path, store: Store) -> LockedFile:
    wheel = LockedFile(canonicalize_name("alpha"), path.name, path, sha256(path))
    fetch([wheel], store)
    return wheel


def test_a_sound_wheel_is_inflated_once(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = in_store(make_wheel(tmp_path), store)
    refuse_damaged([wheel], store)
    monkeypatch.setattr(zlib, "decompressobj", lambda *_: pytest.fail("inflated again"))
    refuse_damaged([wheel], store)


def test_a_wheel_that_does_not_hold_what_it_says_is_refused_each_time(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "alpha-1.0-py3-none-any.whl"
    path.write_bytes(raw_zip(File(b"alpha.py", b"x = 1\n" * 9, crc=7)))
    wheel = in_store(path, store)
    for _ in range(2):
        with pytest.raises(LbdartError) as error:
            refuse_damaged([wheel], store)
        assert error.value.problem == (
            "alpha-1.0-py3-none-any.whl is not a usable zip archive: "
            "alpha.py does not match its size and CRC."
        )


def test_a_wheel_that_claims_too_much_is_not_inflated(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = in_store(make_wheel(tmp_path), store)
    monkeypatch.setattr(sound, "MAX_UNZIPPED", 10)
    monkeypatch.setattr(zlib, "decompressobj", lambda *_: pytest.fail("inflated"))
    refuse_damaged([wheel], store)
