"""Which packages are left out of a layer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from packaging.markers import Marker
from packaging.pylock import (
    Package,
)
from packaging.utils import NormalizedName, canonicalize_name

from ..project.target import Target
from .lock import Lock

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


def _without_excluded(
    lock: Lock, packages: Sequence[Package], target: Target, exclude: Collection[str]
) -> tuple[list[Package], tuple[NormalizedName, ...]]:
    """Drop excluded packages: the user's always, the default ones unless a kept package requires them."""
    unwanted = {canonicalize_name(name) for name in exclude}
    optional = {canonicalize_name(name) for name in DEFAULT_EXCLUDE} - unwanted
    present = {package.name for package in packages}
    required = _closure(lock, present - unwanted - optional, optional, target)
    dropped = unwanted | (optional - required)
    kept = [package for package in packages if package.name not in dropped]
    return kept, tuple(sorted(dropped & present))


def _closure(
    lock: Lock, roots: Collection[NormalizedName], among: Collection[NormalizedName], target: Target
) -> set[NormalizedName]:
    """Return which names of ``among`` the roots require, directly or through each other.

    All of them, when nobody knows.
    """
    if lock.requires is None:
        return set(among)
    environment = dict[str, str](**target.environment(), extra="")
    found: set[NormalizedName] = set()
    waiting = list(roots)
    while waiting:
        for name, marker in lock.requires.get(waiting.pop(), {}).items():
            required = canonicalize_name(name)
            wanted = required in among and required not in found
            if wanted and (marker is None or Marker(marker).evaluate(environment)):
                found.add(required)
                waiting.append(required)
    return found
