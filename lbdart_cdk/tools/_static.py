"""Which metadata of a directory is static: uv reads it without running a build backend (PEP 621)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from lbdart_cdk.core.project.toml import read_toml_if_any

#: The metadata that uv needs, and that a project may leave to its build backend.
_NEEDED: Final = frozenset({"version", "dependencies", "optional-dependencies", "requires-python"})


def is_static(directory: Path) -> bool:
    """Tell whether uv can read a directory's metadata without running its build backend."""
    return not left_to_backend(directory)


def left_to_backend(directory: Path) -> AbstractSet[str]:
    """Return the keys of ``project`` whose values only a directory's build backend knows (PEP 621)."""
    pyproject = read_toml_if_any(directory / "pyproject.toml")
    project = pyproject.get("project")
    if not isinstance(project, dict):
        scripts = ("setup.py", "setup.cfg")
        has_backend = "build-system" in pyproject or any((directory / name).is_file() for name in scripts)
        return _NEEDED if has_backend else frozenset()
    return _NEEDED & ({*map(str, project.get("dynamic", ()))} | {"version"} - project.keys())
