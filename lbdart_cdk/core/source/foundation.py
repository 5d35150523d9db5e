"""Where a function's source zip lies, on disk and in S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import LbdartError
from ..layer.foundation import refuse_unless_path
from ..s3 import S3Path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SourcePathLayout", "SourceS3Layout"]


@dataclass(frozen=True)
class SourcePathLayout:
    """Paths of a source build.

    :param path_pyproject_toml: the project's ``pyproject.toml``; its folder is the project root.
    """

    path_pyproject_toml: Path

    def __post_init__(self) -> None:
        refuse_unless_path("path_pyproject_toml", self.path_pyproject_toml, "pyproject.toml")

    @property
    def dir_project_root(self) -> Path:
        """Folder of the project."""
        return self.path_pyproject_toml.parent

    @property
    def dir_build_lambda_source(self) -> Path:
        """``{root}/build/lambda/source``, where the code is put together."""
        return self.dir_project_root / "build" / "lambda" / "source"

    @property
    def path_build_lambda_source_zip(self) -> Path:
        """``{root}/build/lambda/source.zip``."""
        return self.dir_project_root / "build" / "lambda" / "source.zip"


@dataclass(frozen=True)
class SourceS3Layout:
    """Keys of the source zips below one S3 folder.

    :param s3dir_lambda: the folder, as :class:`S3Path` or ``s3://bucket/prefix``.
    """

    s3dir_lambda: S3Path | str

    @property
    def s3dir_source(self) -> S3Path:
        """``{s3dir}/source/``."""
        return S3Path.parse(self.s3dir_lambda) / "source/"

    def get_s3path_source_zip(self, version: str, sha256: str) -> S3Path:
        """``{s3dir}/source/{version}/{sha256}/source.zip``.

        :param version: the project's version, as its pyproject.toml has it.
        :param sha256: 64 hex digits that name the code.
        :raises LbdartError: if the version cannot be the name of a folder.
        """
        if not isinstance(version, str) or "/" in version or version in ("", ".", ".."):
            raise LbdartError(
                f"{version!r} is no version that can name a folder in S3.",
                "Pass the version of the project, as in 1.2.0.",
            )
        return self.s3dir_source / version / sha256 / "source.zip"
