"""The other interpreters of this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 14))


def other_interpreter() -> Path | None:
    """Return a Python that this library runs on, of another version than this one, if there is any."""
    others = (interpreter(version) for version in _SUPPORTED if version != sys.version_info[:2])
    return next((python for python in others if python is not None), None)


def interpreter(version: tuple[int, int]) -> Path | None:
    """Return a Python of this version, if there is any."""
    own_home = Path(sys.base_prefix).parent  # pyenv and its like keep all versions side by side
    name = f"python{version[0]}.{version[1]}"
    on_path = shutil.which(name)
    for found in (*own_home.glob(f"*/bin/{name}"), *([Path(on_path)] if on_path else [])):
        if _is_version(found, f"{version[0]}.{version[1]}"):
            return found
    return None


def _is_version(python: Path, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return result.stdout.strip() == version
