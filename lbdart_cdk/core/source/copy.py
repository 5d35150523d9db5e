"""Copies further files into a source directory."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

from ..arguments import as_tuple
from ..errors import LbdartError, MissingError
from ..project.patterns import is_match
from ..project.tree import wanted_files

_NEVER: Final = ("__pycache__", "*.pyc", "*.pyo")


def copy_source_for_lambda_deployment(
    source_dir: str | Path,
    target_dir: str | Path,
    include: str | Collection[str] | None = None,
    exclude: str | Collection[str] | None = None,
) -> None:
    """Copy the files of a directory for which :func:`is_match` is true; bytecode is never copied.

    Files in ``target_dir`` stay, unless a copied file has the same name. Links are followed. A target inside
    the source is not copied into itself.

    :raises LbdartError: when ``source_dir`` does not exist, a link leads nowhere, or a file cannot be read or
        written.
    """
    root, target = Path(source_dir), Path(target_dir)
    if not root.is_dir():
        raise MissingError(
            f"There is no directory {root} to copy from.", "Pass the directory that has the files."
        )
    included, excluded = as_tuple(include), (*as_tuple(exclude), *_NEVER)

    def is_wanted(name: str) -> bool:
        return is_match(name.split("/"), included, excluded)

    inside = target.resolve()
    # Listed before anything is copied, because the target may be inside the source.
    paths = [path for path in wanted_files(root, is_wanted) if not path.resolve().is_relative_to(inside)]
    for path in paths:
        copied = target / path.relative_to(root)
        try:
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copied)
        except OSError as error:
            raise LbdartError(
                f"{path} cannot be copied to {copied}: {error.strerror or error}.",
                "Check the permissions to read the first and to write the second.",
            ) from error
