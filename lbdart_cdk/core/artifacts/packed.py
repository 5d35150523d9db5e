"""What layers and the one zip of a function have in common: packages go in, and a report comes out."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import BuildWarning
from ..native.check import check
from ..native.found import NativeScan
from ..packing.merge import Bundle, Merged
from ..packing.slim import Slimmed
from ..project.target import Target
from ..store.store import Store
from ..wheels.index import kept_entries
from ..wheels.supply import Wheel
from .report import LayerReport


def bundle_of(wheel: Wheel, store: Store) -> Bundle:
    """Return the files of a wheel in the store.

    :raises LbdartError: when the wheel is not a zip that can be packed.
    """
    return Bundle(wheel.package, tuple(kept_entries(wheel.path, wheel.package, store)))


def report_on(
    slimmed: Slimmed,
    merged: Merged,
    scans: Iterable[NativeScan],
    target: Target,
    *,
    root: str,
    own_files: int,
    warnings: Iterable[BuildWarning] = (),
) -> LayerReport:
    """Return the report about a zip, if what is compiled in it can load on the target.

    :param scans: of all packages, with the files that are left out.
    :param root: the directory on the target that has the packages.
    :param own_files: how many files the project itself has in the zip.
    :param warnings: about the project's own code.
    :raises LbdartError: when a compiled file cannot load.
    """
    left = slimmed.left_of(scans)
    result = check(left, target, root)
    result.raise_errors(target)
    return LayerReport(
        size=sum(entry.size for entry in merged.entries),
        sizes={bundle.name: bundle.size for bundle in slimmed.bundles},
        compiled=any(file.elf is not None for scan in left for file in scan.files),
        warnings=(*slimmed.warnings, *warnings, *merged.warnings, *result.warnings),
        own_files=own_files,
        excluded=slimmed.excluded,
        bytecode=merged.bytecode,
    )
