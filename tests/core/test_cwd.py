"""Another working directory for a block, and the one before after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.process import temp_cwd


@pytest.fixture(autouse=True)
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", ["inner", Path("inner")])
def test_the_block_works_in_the_directory(start: Path, path: str | Path) -> None:
    with temp_cwd(path) as entered:
        assert Path.cwd() == entered == start / "inner"
    assert Path.cwd() == start


def test_a_block_that_fails_leaves_it_too(start: Path) -> None:
    with pytest.raises(OSError, match="gone"), temp_cwd("inner"):
        raise OSError("gone")
    assert Path.cwd() == start


@pytest.mark.parametrize(("name", "why"), [("nowhere", "No such file"), ("file", "Not a directory")])
def test_a_directory_that_cannot_be_entered_is_named(start: Path, name: str, why: str) -> None:
    (start / "file").write_text("")
    with pytest.raises(LbdartError, match=f"{name} cannot be entered: {why}"), temp_cwd(name):
        pytest.fail("the block ran")
    assert Path.cwd() == start
