"""The directories of a source build in the user's project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..arguments import checked_path

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class SourcePathLayout:
    """Paths of a source build.

    :param path_pyproject_toml: the project's ``pyproject.toml``; its directory is the project root.
    """

    path_pyproject_toml: Path

    def __post_init__(self) -> None:
        checked_path("path_pyproject_toml", self.path_pyproject_toml, "pyproject.toml")

    @property
    def dir_project_root(self) -> Path:
        """The project's directory."""
        return self.path_pyproject_toml.parent

    @property
    def dir_build_lambda_source(self) -> Path:
        """``{root}/build/lambda/source``, the directory that becomes the zip."""
        return self.dir_project_root / "build" / "lambda" / "source"

    @property
    def path_build_lambda_source_zip(self) -> Path:
        """``{root}/build/lambda/source.zip``."""
        return self.dir_project_root / "build" / "lambda" / "source.zip"
