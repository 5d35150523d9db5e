"""Which files of its packages a zip has: without those that patterns match, with bytecode if asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..keys import Json

if TYPE_CHECKING:
    from ..packing.bytecode import Compiler
    from ..packing.merge import Bundle
    from ..packing.slim import Slimmed
    from ..wheels.supply import Wheel


def file_inputs(exclude_files: tuple[str, ...], compiler: Compiler | None) -> dict[str, Json]:
    """Return what a build key says of this; nothing for a zip with all files and no bytecode."""
    inputs: dict[str, Json] = {}
    if exclude_files:
        from ..project.gitignore import Patterns

        inputs |= {"exclude_files": patterns} if (patterns := Patterns(exclude_files).effective) else {}
    if compiler is not None:
        inputs |= {"bytecode": compiler.inputs}
    return inputs


def files_of(
    bundles: Iterable[Bundle],
    exclude_files: tuple[str, ...],
    compiler: Compiler | None,
    wheels: Iterable[Wheel] = (),
) -> Slimmed:
    """Return the bundles with the files that the zip has of them.

    :param exclude_files: patterns of files to leave out.
    :param compiler: makes the bytecode.
    :param wheels: those in the store that bundles are from.
    :raises LbdartError: when no file is left, or the bytecode cannot be made.
    """
    from ..packing.slim import slim

    if compiler is not None:
        bundles = compiler.with_bytecode(bundles, {wheel.package: wheel.path for wheel in wheels})
    return slim(bundles, exclude_files)
