"""Step 2 of the workflow without CDK: packs the build directory into ``layer.zip``."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..archive.writer import write_zip
from ..arguments import as_tuple, checked_path
from ..artifacts.summary import excluded_text
from ..errors import InvalidError, LbdartError, MissingError
from ..locking.default_list import DEFAULT_EXCLUDE
from ..packing.bytecode import Compiler
from ..packing.directory import directory_bundle
from ..packing.merge import merge
from ..packing.slim import slim
from ..project.build_directory import claimed, replaced_directory, scratch
from ..publishing.logger import T_PRINTER, BaseLogger
from ..wheels.integrity import inflate
from ..windows import replace_file
from .contents import Contents
from .path_layout import LayerPathLayout

#: A list, since scripts add their own names to it.
default_ignore_package_list: Final = [*DEFAULT_EXCLUDE]


def move_to_dir_python(dir_site_packages: Path, dir_python: Path) -> None:
    """Move a ``site-packages`` directory to the layer's ``python`` directory, which it replaces.

    What was in ``dir_python`` is gone. Nothing happens when both are the same directory.

    :raises LbdartError: when ``dir_site_packages`` does not exist, or ``dir_python`` is in it.
    """
    if not dir_site_packages.is_dir():
        raise MissingError(
            f"There is no directory {dir_site_packages} to move packages from.",
            "Pass the directory that the packages were installed into.",
        )
    source, python = dir_site_packages.resolve(), dir_python.resolve()
    if source == python:
        return
    if python.is_relative_to(source):
        raise InvalidError(
            f"{dir_python} is in {dir_site_packages}, so it cannot be replaced by it.",
            "Install the packages into a directory outside the layer's.",
        )
    with replaced_directory(dir_python) as new:
        # The source may be in the directory that it replaces, as lib/python3.13/site-packages of a prefix.
        new.rmdir()
        shutil.move(source, new)


def create_layer_zip_file(
    path_layout: LayerPathLayout | Path | None = None,
    path_layer_zip: Path | None = None,
    ignore_package_list: str | Collection[str] | None = None,
    verbose: bool = True,
    *,
    prefer: str | Collection[str] = (),
    exclude_files: str | Collection[str] = (),
    compiler: Compiler | None = None,
    printer: T_PRINTER = print,
    dir_python: Path | None = None,
) -> Path:
    """Pack a build directory, or a directory of packages; return the path of the zip.

    A wheel's compressed streams are copied as they are; files of a directory are compressed here. The zip
    appears whole or not at all, and nothing in the directories is changed.

    :param path_layout: the build directory, whose wheels and files become its ``layer.zip``. A path instead
        is that of a directory of packages, and may also be passed as ``dir_python``.
    :param path_layer_zip: the zip to write for a directory of packages.
    :param ignore_package_list: one package to leave out, or several, by name; an empty list leaves out none.
        Default: the packages of :data:`default_ignore_package_list` that no package in the zip requires. Of
        packages in a directory, the files are left out that their installer listed. Wheels that a tool's
        builder chose stay, unless they are named.
    :param verbose: whether to print what is left out.
    :param prefer: one package whose files are taken where two packages bring one, or several: of two of them,
        the first one.
    :param exclude_files: one pattern of files to leave out, or several, in the syntax of ``.gitignore``.
        Paths start where the packages do.
    :param compiler: adds the bytecode of the modules. Default: no bytecode.
    :param printer: prints one line.
    :raises LbdartError: when there is nothing to pack, the layer is too large, a wheel is damaged, a link
        leads nowhere, the zip would be in the directory, or another build uses the build directory.
    """
    place = _place(path_layout, dir_python, path_layer_zip)
    ignored = None if ignore_package_list is None else as_tuple(ignore_package_list)
    with place.claimed(), scratch(place.zip.parent) as folder:
        contents = Contents.read(place.wheels, place.python, ignored)
        wheels = contents.kept_wheels
        bundles = list(wheels)
        spool_path, finished = folder / "spool", folder / place.zip.name
        with spool_path.open("wb") as spool:
            if place.python.is_dir():
                bundles.append(
                    directory_bundle(place.python, spool, spool_path, without=contents.files_left_out)
                )
        if not any(bundle.entries for bundle in bundles):
            raise _empty(place, contents)
        if compiler is not None:
            bundles = compiler.with_bytecode(bundles)
        slimmed = slim(bundles, as_tuple(exclude_files))
        merged = merge(slimmed.bundles, "python/", prefer=as_tuple(prefer))
        for bundle in wheels:
            inflate(bundle.entries, bundle.name)
        with finished.open("wb") as file:
            write_zip(file, merged.entries)
        replace_file(finished, place.zip)
        logger = BaseLogger(verbose=verbose, printer=printer)
        warnings = (*slimmed.warnings, *merged.warnings)
        said = (excluded_text(slimmed.excluded),) if slimmed.excluded.count else ()
        for line in (*contents.report, *said, *(warning.line for warning in warnings)):
            logger.log(line)
    return place.zip


@dataclass(frozen=True, slots=True)
class _Place:
    """What is packed, and where to.

    :param layout: the build directory, for one.
    :param shown: names what is packed in messages.
    """

    python: Path
    zip: Path
    shown: Path
    layout: LayerPathLayout | None = None

    @classmethod
    def of(cls, layout: LayerPathLayout) -> _Place:
        """Return the place of a build directory."""
        return cls(layout.dir_python, layout.path_build_lambda_layer_zip, layout.dir_artifacts, layout)

    def claimed(self) -> AbstractContextManager[None]:
        """Keep other builds out of the build directory."""
        return claimed(self.layout.dir_build_lambda_layer) if self.layout else nullcontext()

    @property
    def wheels(self) -> list[Path]:
        """The wheels to pack with the directory."""
        return sorted(self.layout.dir_wheels.glob("*.whl")) if self.layout else []


def _place(
    path_layout: LayerPathLayout | Path | None, dir_python: Path | None, path_layer_zip: Path | None
) -> _Place:
    if path_layout is not None and dir_python is not None:
        raise InvalidError("Both path_layout and dir_python are given.", "Pass one of the two.")
    if isinstance(path_layout, LayerPathLayout):
        if path_layer_zip is not None:
            raise InvalidError(
                f"path_layer_zip is {path_layer_zip}, but a LayerPathLayout names its own layer.zip.",
                "Leave it out, or pass the directory of packages instead of the layout.",
            )
        return _Place.of(path_layout)
    python = checked_path("dir_python", dir_python or path_layout, "build/lambda/layer/artifacts/python")
    path_zip = checked_path("path_layer_zip", path_layer_zip, "build/lambda/layer/layer.zip")
    layout = _layout_of(python)
    if layout is not None and layout.path_build_lambda_layer_zip == path_zip:
        return _Place.of(layout)  # a builder may have left wheels there
    if not python.is_dir():
        raise MissingError(
            f"There is no directory {python} to pack.",
            "Pass the directory that the packages were installed into.",
        )
    if path_zip.resolve().is_relative_to(python.resolve()):
        raise InvalidError(
            f"{path_zip} is in {python}, so the zip would become a part of what is packed.",
            "Pass a path outside of that directory.",
        )
    return _Place(python, path_zip, python)


def _layout_of(dir_python: Path) -> LayerPathLayout | None:
    """Return the layout whose ``dir_python`` a directory is; None when it is another directory."""
    if len(dir_python.parents) < 5:
        return None
    layout = LayerPathLayout(dir_python.parents[4] / "pyproject.toml")
    return layout if layout.dir_python == dir_python else None


def _empty(place: _Place, contents: Contents) -> LbdartError:
    if not contents.left_out:
        return LbdartError(f"There is nothing to pack in {place.shown}.", "Run a builder before packing.")
    return LbdartError(
        f"There is nothing to pack in {place.shown} but {', '.join(sorted(contents.left_out))}, which "
        "ignore_package_list leaves out.",
        "Pass ignore_package_list=[] to pack all of it, or remove the layer.",
    )
