"""A build directory is one build's at a time, and nobody waits for it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.project.build_directory import claimed

HOLDS = """
import sys
from pathlib import Path
from lbdart_cdk.core.project.build_directory import claimed
with claimed(Path("build/lambda/layer")):
    print("held", flush=True)
    sys.stdin.read()
"""


def elsewhere(directory: Path) -> str:
    """Return what another thread is told that claims a directory."""

    def claim() -> str:
        try:
            with claimed(directory):
                return "is free"
        except LbdartError as error:
            return error.problem

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(claim).result()


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return tmp_path / "build/lambda/layer"


def test_it_is_one_builds_at_a_time(layer: Path) -> None:
    with claimed(layer):
        assert elsewhere(layer) == f"The build directory {layer} is in use by another build."
        assert elsewhere(layer.with_name("source")) == "is free"
    assert elsewhere(layer) == "is free"
    assert {path.name for path in layer.parent.iterdir()} == {".layer.lock", ".source.lock"}


def test_who_has_it_may_claim_it_again(layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(layer.parents[2])
    with claimed(layer):
        with claimed(Path("build/lambda/layer")):
            pass
        assert "is in use" in elsewhere(layer)


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_who_died_holds_nothing(layer: Path, how: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS], cwd=layer.parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert "is in use" in elsewhere(layer)
        getattr(process, how)()
        process.wait(60)
    assert elsewhere(layer) == "is free"
    assert [path.name for path in layer.parent.iterdir()] == [".layer.lock"]


def test_a_builder_may_clear_all_of_it(layer: Path) -> None:
    with claimed(layer):
        for path in layer.parent.iterdir():
            path.unlink()
        layer.parent.rmdir()
    assert elsewhere(layer) == "is free"


def test_what_a_block_raises_comes_out_as_it_is(layer: Path) -> None:
    with pytest.raises(FileNotFoundError), claimed(layer):
        (layer / "nowhere").read_text()


def test_only_one_of_many_has_it(layer: Path) -> None:
    """The file of the lock comes and goes: at each moment at most one process has it."""
    entered: list[int] = []

    def build(_: int) -> int:
        done = 0
        for _ in range(200):
            try:
                with claimed(layer):
                    entered.append(1)
                    assert len(entered) == 1
                    entered.pop()
                    done += 1
            except LbdartError:
                pass
        return done

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(build, range(4))) > 0
    assert [path.name for path in layer.parent.iterdir()] == [".layer.lock"]
