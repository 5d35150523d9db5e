"""Choose the packages that a layer leaves out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from packaging.markers import Marker
from packaging.pylock import Package
from packaging.utils import NormalizedName, canonicalize_name

from ..project.target import Target
from .lock import Requirements

#: The packages that Lambda provides or never needs: the specification's list.
DEFAULT_EXCLUDE: Final = (
    "boto3",
    "botocore",
    "s3transfer",
    "urllib3",
    "setuptools",
    "pip",
    "wheel",
    "twine",
    "_pytest",
    "pytest",
)


def without_excluded(
    packages: Sequence[Package],
    requires: Mapping[str, Requirements] | None,
    target: Target,
    exclude: Collection[str],
) -> tuple[list[Package], tuple[NormalizedName, ...]]:
    """Leave out the packages in ``exclude``, and those on the default list that no kept package requires.

    :param requires: the requirements of each package. None when they are unknown; then the default list
        leaves out nothing.
    :param exclude: names of packages to leave out in any case.
    :return: the kept packages, and the names of the packages left out.
    """
    unwanted = {canonicalize_name(name) for name in exclude}
    optional = {canonicalize_name(name) for name in DEFAULT_EXCLUDE} - unwanted
    present = {package.name for package in packages}
    if requires is None:
        required = optional
    else:
        required = _required(requires, present - unwanted - optional, optional, target)
    excluded = unwanted | (optional - required)
    kept = [package for package in packages if package.name not in excluded]
    return kept, tuple(sorted(excluded & present))


def _required(
    requires: Mapping[str, Requirements],
    roots: Collection[NormalizedName],
    among: Collection[NormalizedName],
    target: Target,
) -> set[NormalizedName]:
    """Return the names in ``among`` that the roots require, directly or through other names in ``among``."""
    environment = dict[str, str](**target.environment(), extra="")
    required: set[NormalizedName] = set()
    waiting = list(roots)
    while waiting:
        for requirement, marker in requires.get(waiting.pop(), {}).items():
            name = canonicalize_name(requirement)
            is_new = name in among and name not in required
            if is_new and (marker is None or Marker(marker).evaluate(environment)):
                required.add(name)
                waiting.append(name)
    return required
