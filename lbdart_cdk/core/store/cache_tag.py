"""The tag that marks a directory as a cache (Cache Directory Tagging Specification)."""

from __future__ import annotations

from typing import Final

#: The first bytes of a ``CACHEDIR.TAG`` file.
CACHE_SIGNATURE: Final = b"Signature: 8a477f597d28d172789f06886806bc55"
CACHE_TAG: Final = "CACHEDIR.TAG"
