"""A project whose function answers with what proves which code ran, and from where."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbdart_cdk.core.store.store import CACHE_VARIABLE
from tests.support.projects import make_project, uv_lock
from tests.support.wheels import make_wheel

_HANDLER = """
import alpha

try:
    import native
except ImportError:
    native = None

def handler(event, context):
    return {
        "said": "one",
        "alpha": alpha.VERSION,
        "native": getattr(native, "TAG", None),
        "source": __file__,
        "layer": alpha.__file__,
    }
"""


@dataclass(frozen=True)
class Project:
    """The project ``orders`` 1.2.0, locked: it needs alpha, and native with the extra ``fast``.

    ``locks`` has ``pyproject.toml`` and ``uv.lock`` for each version of alpha.
    """

    root: Path
    locks: Mapping[str, tuple[bytes, bytes]]

    def say(self, word: str) -> None:
        """Change one line of the function's code."""
        module = self.root / "src" / "orders" / "app.py"
        lines = module.read_text().splitlines()
        place = next(number for number, line in enumerate(lines) if '"said"' in line)
        lines[place] = f'        "said": "{word}",'
        module.write_text("\n".join(lines))

    def depend_on(self, alpha: str) -> None:
        """Require another version of alpha, and lock."""
        pyproject, lock = self.locks[alpha]
        (self.root / "pyproject.toml").write_bytes(pyproject)
        (self.root / "uv.lock").write_bytes(lock)

    def copy(self, to: Path) -> Project:
        """The same project in another place."""
        return Project(Path(shutil.copytree(self.root, to)), self.locks)


def make_locked_project(folder: Path) -> Project:
    """Write the project and the wheels it is locked to, all below ``folder``."""
    wheels = folder / "wheels"
    for version in ("1.0", "2.0"):
        module = {"alpha/__init__.py": f"VERSION = {version!r}\n"}
        make_wheel(wheels, "alpha", version, files=module)
    for python in ("cp311", "cp313"):
        for machine in ("x86_64", "aarch64"):
            tag = f"{python}-{python}-manylinux_2_17_{machine}"
            make_wheel(wheels, "native", tag=tag, files={"native.py": f"TAG = {tag!r}\n"})
    index = f'[[tool.uv.index]]\nname = "tests"\nurl = "{wheels}"\nformat = "flat"\ndefault = true\n'
    root = make_project(
        folder / "orders", dependencies=["alpha==1.0"], extras={"fast": ["native"]}, tail=index
    )
    (root / "src" / "orders" / "app.py").write_text(_HANDLER)
    pyproject, locks = root / "pyproject.toml", {}
    for version in ("2.0", "1.0"):
        text = pyproject.read_text()
        pyproject.write_text(text.replace("alpha==1.0", "alpha==2.0") if version == "2.0" else text)
        locks[version] = (pyproject.read_bytes(), uv_lock(root).read_bytes())
        pyproject.write_text(text)
    return Project(root, locks)


def go_offline(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Keep uv and this library from the network and from the caches and settings of the machine."""
    for name in list(os.environ):
        if name.startswith(("UV_", "PIP_", "XDG_")) or name.lower().endswith("_proxy"):
            patch.delenv(name)
    for name, value in {
        "XDG_CONFIG_HOME": str(home / "config"),
        "PIP_CONFIG_FILE": os.devnull,
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(home / "uv"),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        CACHE_VARIABLE: str(home / "cache"),
    }.items():
        patch.setenv(name, value)
