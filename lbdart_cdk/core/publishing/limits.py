"""Checks the values of a layer version against Lambda's limits before any request.

The limits come from the Lambda API reference, PublishLayerVersion. This module does not import boto3, so apps
can use it at synth time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "MAX_ARCHITECTURES",
    "MAX_DESCRIPTION",
    "MAX_LAYER_NAME",
    "MAX_LICENSE",
    "MAX_RUNTIMES",
    "describe",
    "described_build_key",
    "validate_architectures",
    "validate_build_key",
    "validate_description",
    "validate_keep_versions",
    "validate_layer_name",
    "validate_license",
    "validate_runtimes",
]

MAX_LAYER_NAME: Final = 140
MAX_LICENSE: Final = 512
MAX_RUNTIMES: Final = 15
MAX_ARCHITECTURES: Final = 2
#: The most characters of a description; the build key takes the rest of Lambda's 256.
MAX_DESCRIPTION: Final = 256 - len(f" [lbdart:{'0' * 64}]")

_LAYER_NAME = re.compile(r"[a-zA-Z0-9_-]+", re.ASCII)
_BUILD_KEY = re.compile(r"[0-9a-f]{64}")
_MARKED = re.compile(r"\[lbdart:([0-9a-f]{64})\]\Z")


def describe(description: str, build_key: str) -> str:
    """Return the description of a published version: the user's description, then the build key.

    Layer versions cannot have tags, but ListLayerVersions returns their descriptions. A version gets its
    description when it is published, so its build key is known even when the publisher dies right after that.
    """
    return f"{description} [lbdart:{build_key}]".strip()


def described_build_key(description: str) -> str | None:
    """Return the build key in the description of a version; None when this library did not publish it."""
    match = _MARKED.search(description)
    return match[1] if match else None


def validate_layer_name(layer_name: str) -> None:
    """Check a layer's name.

    :raises LbdartError: when it is not 1 to 140 characters of ``[a-zA-Z0-9-_]``.
    """
    if (
        not isinstance(layer_name, str)
        or not _LAYER_NAME.fullmatch(layer_name)
        or len(layer_name) > MAX_LAYER_NAME
    ):
        raise InvalidError(
            f"{layer_name!r} is not a valid layer name.",
            f"Use 1 to {MAX_LAYER_NAME} letters, digits, hyphens and underscores.",
        )


def validate_build_key(build_key: str) -> None:
    """Check a build key.

    :raises LbdartError: when it is not 64 lower-case hex digits.
    """
    if not _BUILD_KEY.fullmatch(build_key):
        raise InvalidError(
            f"{build_key!r} is not a build key.", "Pass the SHA-256 of the inputs as 64 hex digits."
        )


def validate_description(description: str) -> None:
    """Check the user's part of a description.

    :raises LbdartError: when it is longer than :data:`MAX_DESCRIPTION` or ends with a build key.
    """
    if len(description) > MAX_DESCRIPTION:
        raise InvalidError(
            f"The layer's description has {len(description)} characters; "
            f"the build key leaves {MAX_DESCRIPTION} of Lambda's 256.",
            f"Shorten it to {MAX_DESCRIPTION} characters.",
        )
    if described_build_key(description):
        raise InvalidError(
            "The layer's description ends with [lbdart:...], the mark of a published build.",
            "Remove the mark; publishing the layer adds it.",
        )


def validate_keep_versions(keep_versions: int | None) -> None:
    """Check the number of versions to keep; None keeps all.

    :raises LbdartError: when it is not a whole number of 1 or more.
    """
    if keep_versions is None:
        return
    if isinstance(keep_versions, bool) or not isinstance(keep_versions, int) or keep_versions < 1:
        raise InvalidError(
            f"keep_versions is {keep_versions!r}, not a whole number of 1 or more.",
            "Pass the number of versions to keep, or leave it out to keep all versions.",
        )


def validate_license(license_info: str) -> None:
    """Check a layer's licence: an SPDX identifier, a URL or a text.

    :raises LbdartError: when it is longer than 512 characters.
    """
    if len(license_info) > MAX_LICENSE:
        raise InvalidError(
            f"The layer's license has {len(license_info)} characters; Lambda allows {MAX_LICENSE}.",
            "Pass an SPDX identifier such as MIT, or the URL of the text.",
        )


def validate_runtimes(runtimes: Collection[str]) -> None:
    """Check the names of compatible runtimes.

    :raises LbdartError: when there are more than 15.
    """
    _validate_count("compatible runtimes", runtimes, MAX_RUNTIMES)


def validate_architectures(architectures: Collection[str]) -> None:
    """Check the names of compatible architectures.

    :raises LbdartError: when there are more than 2.
    """
    _validate_count("compatible architectures", architectures, MAX_ARCHITECTURES)


def _validate_count(what: str, names: Collection[str], most: int) -> None:
    if len(names) > most:
        raise InvalidError(
            f"The layer lists {len(names)} {what}; Lambda allows {most}.",
            f"List at most {most}.",
        )
