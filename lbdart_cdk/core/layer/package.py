"""Step 2 of the workflow without CDK: packs the build directory into ``layer.zip``."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ..archive.writer import write_zip
from ..arguments import as_tuple
from ..errors import LbdartError
from ..locking.exclusion import DEFAULT_EXCLUDE
from ..packing.directory import directory_bundle
from ..packing.merge import Bundle, merge
from ..project.build_directory import claimed, scratch, usable_directory
from ..wheels.contents import wheel_entries
from ..wheels.integrity import inflate
from .path_layout import LayerPathLayout

default_ignore_package_list: Final = DEFAULT_EXCLUDE


def move_to_dir_python(dir_site_packages: Path, dir_python: Path) -> None:
    """Move the contents of a ``site-packages`` directory to the layer's ``python`` directory.

    Files and directories with the same name are replaced.

    :raises LbdartError: when ``dir_site_packages`` does not exist, or the directories overlap.
    """
    if not dir_site_packages.is_dir():
        raise LbdartError(
            f"There is no directory {dir_site_packages} to move packages from.",
            "Pass the directory that the packages were installed into.",
        )
    source, python = dir_site_packages.resolve(), dir_python.resolve()
    with usable_directory(dir_python):
        moved = {path: python / path.name for path in sorted(source.iterdir())}
        if python.is_relative_to(source) or any(source.is_relative_to(path) for path in moved.values()):
            raise LbdartError(
                f"{dir_site_packages} and {dir_python} overlap.",
                "Install the packages into a directory outside the layer's.",
            )
        python.mkdir(parents=True, exist_ok=True)
        for path, target in moved.items():
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
            shutil.move(path, target)


def create_layer_zip_file(path_layout: LayerPathLayout, *, prefer: str | Collection[str] = ()) -> Path:
    """Pack the wheels and the files in the build directory; return the path of the zip.

    A wheel's compressed streams are copied as they are; files of a directory are compressed here. The zip
    appears whole or not at all.

    :param prefer: one package whose files are taken where two packages bring one, or several: of two of them,
        the first one.
    :raises LbdartError: when there is nothing to pack, the layer is too large, a wheel is damaged, a link
        leads nowhere, or another build uses the build directory.
    """
    target = path_layout.path_build_lambda_layer_zip
    with claimed(path_layout.dir_build_lambda_layer), scratch(target.parent) as folder:
        wheels = sorted(path_layout.dir_wheels.glob("*.whl"))
        bundles = [Bundle(_package_of(path), tuple(wheel_entries(path))) for path in wheels]
        spool_path, finished = folder / "spool", folder / target.name
        with spool_path.open("wb") as spool:
            if path_layout.dir_python.is_dir():
                bundles.append(directory_bundle(path_layout.dir_python, spool, spool_path))
        entries = merge(bundles, "python/", prefer=as_tuple(prefer))
        for bundle in bundles[: len(wheels)]:
            inflate(bundle.entries, bundle.name)
        if not entries:
            raise LbdartError(
                f"There is nothing to pack in {path_layout.dir_artifacts}.", "Run a builder before packing."
            )
        with finished.open("wb") as file:
            write_zip(file, entries)
        finished.replace(target)
    return target


def _package_of(wheel: Path) -> str:
    """Return the package's name: a tool's builder names the file by it, and others as wheels are named."""
    try:
        return parse_wheel_filename(wheel.name)[0]
    except InvalidWheelFilename:
        return canonicalize_name(wheel.stem)
