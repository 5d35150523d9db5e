"""The file with the credentials of a container build: there for its script, and gone after the build."""

from __future__ import annotations

import atexit
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath

from ..credentials.value import Credentials
from ..errors import LbdartError
from ..project.build_directory import claimed, usable_directory
from .path_layout import LayerPathLayout


def write_credentials(layout: LayerPathLayout, credentials: Credentials) -> None:
    """Write the file as ``Credentials.dump`` does; it is removed at the latest when this process ends.

    :raises LbdartError: when it cannot be written.
    """
    _remove_at_exit(LayerPathLayout(layout.path_pyproject_toml.absolute()))
    credentials.dump(layout.path_private_repository_credentials_in_local)


def remove_credentials(layout: LayerPathLayout) -> None:
    """Remove the file if it is there, also one that was not written to its end.

    :raises LbdartError: when it cannot be removed.
    """
    with usable_directory(layout.dir_build_lambda_layer):
        for path in _written(layout):
            path.unlink(missing_ok=True)


def remove_copies(layout: LayerPathLayout) -> list[Path]:
    """Remove copies of the file, and wheels that have one, from the build directory.

    :return: those that would have been packed.
    :raises LbdartError: when something cannot be removed.
    """
    name = layout.path_private_repository_credentials_in_local.name
    with usable_directory(layout.dir_build_lambda_layer):
        copies = [path for path in layout.dir_build_lambda_layer.rglob(name) if not path.is_dir()]
        copies += [path for path in layout.dir_wheels.glob("*.whl") if _has(path, name)]
        for path in copies:
            path.unlink()
    packed = {layout.dir_artifacts, layout.dir_wheels}
    return [path for path in copies if packed.intersection(path.parents)]


def _written(layout: LayerPathLayout) -> list[Path]:
    path = layout.path_private_repository_credentials_in_local
    return [
        path,
        *path.parent.glob(f".{path.name}.*"),  # Credentials.dump renames it
        layout.dir_build_lambda_layer / path.name,  # where older packages of the specification write it
    ]


def _has(wheel: Path, name: str) -> bool:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return any(PurePosixPath(entry).name == name for entry in archive.namelist())
    except zipfile.BadZipFile:  # packing refuses it
        return False


@cache
def _remove_at_exit(layout: LayerPathLayout) -> None:
    """Remove the file when this process ends, for a script that runs the steps one by one and fails."""

    def remove() -> None:
        if layout.path_private_repository_credentials_in_local.exists():
            # Unless another build has the directory, and so the file, by now.
            with suppress(LbdartError), claimed(layout.dir_build_lambda_layer):
                remove_credentials(layout)

    atexit.register(remove)
