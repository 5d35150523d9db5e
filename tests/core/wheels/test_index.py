"""The headers of a wheel in the store are read once."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import index
from lbdart_cdk.core.wheels.contents import wheel_entries
from lbdart_cdk.core.wheels.index import kept_entries
from lbdart_cdk.core.wheels.supply import Wheel
from tests.support.wheels import make_wheel, sha256


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    files = {
        "alpha/__init__.py": "x = 1\n" * 50,
        "alpha/ünï.txt": "",
        "alpha/tool.sh": "#!/bin/sh\n",
        "alpha-1.0.data/scripts/run": "#!/bin/sh\n",
        "alpha-1.0.data/headers/alpha.h": "int x;\n",
    }
    path = make_wheel(tmp_path, "alpha", files=files, executable=["alpha/tool.sh"])
    return Wheel(canonicalize_name("alpha"), path, path.name, sha256(path))


def test_what_is_kept_is_what_the_headers_say(wheel: Wheel, store: Store) -> None:
    expected = list(wheel_entries(wheel.path))
    assert [kept_entries(wheel, store), kept_entries(wheel, store)] == [expected, expected]
    contents = {entry.name: entry.read() for entry in kept_entries(wheel, store)}
    assert contents["alpha/__init__.py"] == b"x = 1\n" * 50
    assert "bin/run" in contents


def test_the_headers_are_read_once(wheel: Wheel, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kept_entries(wheel, store)
    monkeypatch.setattr(index, "wheel_entries", lambda *_: pytest.fail("read again"))
    assert kept_entries(wheel, store) == first


def test_the_streams_are_where_the_wheel_is_now(wheel: Wheel, store: Store, tmp_path: Path) -> None:
    kept_entries(wheel, store)
    moved = Wheel(wheel.package, wheel.path.rename(tmp_path / "moved.whl"), wheel.filename, wheel.sha256)
    assert all(entry.read() is not None for entry in kept_entries(moved, store))
