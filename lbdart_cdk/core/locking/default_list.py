"""The default list: the packages that a layer leaves out unless something in it requires them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from packaging.utils import NormalizedName, canonicalize_name

from ..errors import LbdartError, in_words

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
#: Their names as packages have them.
DEFAULT: Final = frozenset(map(canonicalize_name, DEFAULT_EXCLUDE))
#: The AWS SDK: each release of one of these works only with releases of the others from about the same day.
SDK: Final = frozenset(map(canonicalize_name, ("boto3", "botocore", "s3transfer")))


def refuse_contradiction(exclude: Collection[str], keep: Collection[str]) -> None:
    """Refuse names that cannot be kept.

    :raises LbdartError: when a name in ``keep`` is not on the default list, or also in ``exclude``.
    """
    kept, excluded = normalized(keep), normalized(exclude)
    if unknown := sorted(kept - DEFAULT):
        raise LbdartError(
            f"keep= names {in_words(unknown)}, which the layer does not leave out by default.",
            f"Remove the name: keep= takes names of the default list ({', '.join(DEFAULT_EXCLUDE)}).",
        )
    if both := sorted(kept & excluded):
        raise LbdartError(
            f"{in_words(both)} is both in keep= and in exclude=.", "Remove the name from one of the two."
        )


def normalized(names: Iterable[str]) -> frozenset[NormalizedName]:
    """Return names in their normal form (PEP 503)."""
    return frozenset(map(canonicalize_name, names))
