"""uv and pip have a project's own build backend make a wheel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.tool import Frontend
from lbdart_cdk.core.process import BuildError
from lbdart_cdk.core.wheels import frontend
from lbdart_cdk.core.wheels.frontend import PIP, UV
from tests.support.index import Index
from tests.support.projects import make_project
from tests.support.wheels import names_in

BOTH = pytest.mark.parametrize("one", [UV, PIP], ids=lambda one: one.name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_project(tmp_path / "orders")


@BOTH
def test_a_project_becomes_one_wheel(root: Path, tmp_path: Path, one: Frontend) -> None:
    one.build_wheel(root, tmp_path / "out")
    (wheel,) = (tmp_path / "out").glob("*.whl")
    assert wheel.name == "orders-1.2.0-py3-none-any.whl"
    assert "orders/app.py" in names_in(wheel)


FAILING = """
import os, sys
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    print("looking for a library")
    print(os.environ.get("UV_INDEX_TEAM_PASSWORD"), file=sys.stderr)
    raise RuntimeError("There is none.\\nInstall it")
"""


@BOTH
def test_a_backend_that_fails_is_quoted(root: Path, tmp_path: Path, one: Frontend) -> None:
    (root / "backend.py").write_text(FAILING)
    with pytest.raises(BuildError, match=f"^{one.name} could not build the project to a wheel: ") as error:
        one.build_wheel(root, tmp_path / "out")
    assert error.value.why == "RuntimeError: There is none. Install it"
    assert [line.strip() for line in error.value.said if "library" in line] == ["looking for a library"]


@BOTH
def test_nobody_hears_of_a_secret_or_of_the_place_of_a_copy(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: Frontend
) -> None:
    (root / "backend.py").write_text(FAILING)
    monkeypatch.setenv("UV_INDEX_TEAM_PASSWORD", "m4rked")
    with pytest.raises(BuildError) as error:
        one.build_wheel(root, tmp_path / "out")
    said = "\n".join(error.value.said)
    assert "****" in said
    assert "m4rked" not in said
    assert str(root) not in said


@BOTH
@pytest.mark.parametrize("missing", ['requires = ["nowhere"]', 'build-backend = "nowhere"'])
def test_so_is_what_does_not_get_to_a_backend(
    root: Path, index: Index, monkeypatch: pytest.MonkeyPatch, one: Frontend, missing: str
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.url}/simple/")
    path = root / "pyproject.toml"
    key = missing.partition(" ")[0]
    path.write_text(re.sub(f"^{key} = .*", missing, path.read_text(), flags=re.MULTILINE))
    with pytest.raises(BuildError) as error:
        one.build_wheel(root, root.parent / "out")
    assert "nowhere" in error.value.why


def test_without_uv(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "uv_executable", lambda: None)
    with pytest.raises(LbdartError, match="uv is not installed, and the project is locked or built with it"):
        UV.build_wheel(root, tmp_path / "out")


def test_without_pip(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a virtual environment that uv made."""
    monkeypatch.setattr(frontend, "find_spec", lambda name: None)
    with pytest.raises(
        LbdartError, match=r"pip is not installed for .*\nInstall it with `python -m ensurepip"
    ):
        PIP.build_wheel(root, tmp_path / "out")
