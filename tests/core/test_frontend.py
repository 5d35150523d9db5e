"""uv and pip have a project's own build backend make a wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core import frontend
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.frontend import PIP, UV
from lbdart_cdk.core.tool import Frontend
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


@BOTH
def test_a_backend_that_fails_is_quoted(root: Path, tmp_path: Path, one: Frontend) -> None:
    (root / "backend.py").write_text("raise RuntimeError('no such compiler')\n")
    with pytest.raises(LbdartError, match=f"{one.name} could not build the project to a wheel: "):
        one.build_wheel(root, tmp_path / "out")


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
