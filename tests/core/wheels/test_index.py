"""The headers of a wheel in the store are read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import index
from lbdart_cdk.core.wheels.contents import wheel_entries
from lbdart_cdk.core.wheels.index import kept_entries
from tests.support.wheels import make_wheel, sha256


@pytest.fixture
def wheel(tmp_path: Path, store: Store) -> Path:
    files = {
        "alpha/__init__.py": "x = 1\n" * 50,
        "alpha/ünï.txt": "",
        "alpha/tool.sh": "#!/bin/sh\n",
        "alpha-1.0.data/scripts/run": "#!/bin/sh\n",
        "alpha-1.0.data/headers/alpha.h": "int x;\n",
    }
    path = make_wheel(tmp_path, "alpha", files=files, executable=["alpha/tool.sh"])
    kept = store.wheel(sha256(path))
    kept.parent.mkdir(parents=True)
    return path.rename(kept)


def test_what_is_kept_is_what_the_headers_say(wheel: Path, store: Store) -> None:
    expected = list(wheel_entries(wheel))
    assert [kept_entries(wheel, "alpha", store), kept_entries(wheel, "alpha", store)] == [expected, expected]
    contents = {entry.name: entry.read() for entry in kept_entries(wheel, "alpha", store)}
    assert contents["alpha/__init__.py"] == b"x = 1\n" * 50
    assert "bin/run" in contents


def test_the_headers_are_read_once(wheel: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kept_entries(wheel, "alpha", store)
    monkeypatch.setattr(index, "wheel_entries", lambda *_: pytest.fail("read again"))
    assert kept_entries(wheel, "alpha", store) == first


def test_two_builds_of_one_source_each_have_their_own_files(tmp_path: Path, store: Store) -> None:
    """A built wheel is kept by what it was built from; the next build may give other files."""
    built = store.archive("ab" * 32)
    for number in range(2):
        files = {f"alpha/m{number}.py": f"x = {number}\n" * (number + 50)}
        built.parent.mkdir(parents=True, exist_ok=True)
        make_wheel(tmp_path / str(number), "alpha", files=files).replace(built)
        entries = kept_entries(built, "alpha", store)
        assert {entry.name: entry.read() for entry in entries if "dist-info" not in entry.name} == {
            name: text.encode() for name, text in files.items()
        }
