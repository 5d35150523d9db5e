"""Which packages are left out of a layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from packaging.markers import Marker
from packaging.pylock import Package
from packaging.utils import NormalizedName, canonicalize_name

from ..project.target import Target
from .lock import Requirements

#: What Lambda brings itself or never needs; the specification's list.
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
    """Leave out what the user excludes, and what is on the default list unless a kept package requires it.

    :param requires: who requires whom; None when nobody knows, and then the default list leaves out nothing.
    :param exclude: names of packages to leave out in any case.
    :return: the packages that are kept, and the names of the others.
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
    """Return which names of ``among`` the roots require, directly or through each other."""
    environment = dict[str, str](**target.environment(), extra="")
    found: set[NormalizedName] = set()
    waiting = list(roots)
    while waiting:
        for name, marker in requires.get(waiting.pop(), {}).items():
            required = canonicalize_name(name)
            is_new = required in among and required not in found
            if is_new and (marker is None or Marker(marker).evaluate(environment)):
                found.add(required)
                waiting.append(required)
    return found
