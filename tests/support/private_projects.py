"""The project ``orders``, which needs alpha from a private index, locked with each tool."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from lbdart_cdk.core.wheels.frontend import uv_executable

from . import pdm
from .locks import locked_file
from .poetry import package, poetry_lock
from .private_index import PASSWORD, USER, PrivateIndex
from .projects import index_table, make_project


def with_uv(root: Path, index: PrivateIndex, wheel: Path) -> None:
    make_project(root, dependencies=["alpha"], tail=index_table(index.url))
    executable = uv_executable()
    assert executable is not None
    login = {"UV_INDEX_TESTS_USERNAME": USER, "UV_INDEX_TESTS_PASSWORD": PASSWORD}
    subprocess.run([executable, "lock", "-q"], cwd=root, env={**os.environ, **login}, check=True, timeout=60)


def with_poetry(root: Path, index: PrivateIndex, wheel: Path) -> None:
    make_project(root, dependencies=["alpha"])
    source = f'type = "legacy"\nurl = "{index.simple}"\nreference = "tests"\n'
    poetry_lock(root, package(wheel, source=source))


def with_pip(root: Path, index: PrivateIndex, wheel: Path) -> None:
    make_project(root)
    (root / "requirements.txt").write_text(f"--index-url {index.url}/simple\nalpha\n")


def with_pylock(root: Path, index: PrivateIndex, wheel: Path) -> None:
    make_project(root, tail=index_table(index.url))
    head = 'lock-version = "1.0"\ncreated-by = "tests"\n'
    (root / "pylock.toml").write_text(head + locked_file(wheel, index.file_url(wheel)))


def with_pdm(root: Path, index: PrivateIndex, wheel: Path) -> None:
    source = f'[[tool.pdm.source]]\nname = "tests"\nurl = "{index.url}/simple"\n'
    make_project(root, dependencies=["alpha"], tail=source)
    pdm.pdm_lock(root, pdm.package(wheel, static_url=index.file_url(wheel)))


LOCKED_WITH: dict[str, Callable[[Path, PrivateIndex, Path], None]] = {
    "uv": with_uv,
    "poetry": with_poetry,
    "pdm": with_pdm,
    "pip": with_pip,
    "pylock": with_pylock,
}


def environment_for(tool: str, index: PrivateIndex) -> dict[str, str]:
    """Return the variables by which the users of a tool give user and password."""
    if tool == "pip":
        return {"PIP_INDEX_URL": opened(index.simple)}
    prefix = "POETRY_HTTP_BASIC" if tool == "poetry" else "UV_INDEX"
    return {f"{prefix}_TESTS_USERNAME": USER, f"{prefix}_TESTS_PASSWORD": PASSWORD}


def opened(url: str) -> str:
    """Return an address with user and password in it."""
    return url.replace("//", f"//{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@", 1)
