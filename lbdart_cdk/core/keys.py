"""Hashes: one SHA-256 over all inputs of a result, and the SHA-256 of a file.

Credentials, paths, times and the host are never inputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

#: Increased when a release packs the same inputs to other bytes.
PACKER_FORMAT: Final = 4

Json = str | int | bool | None | Collection["Json"] | Mapping[str, "Json"]


def key_of(inputs: Mapping[str, Json]) -> str:
    """Return the SHA-256 of the inputs as canonical JSON, in hexadecimal."""
    canonical = json.dumps(
        {"format": PACKER_FORMAT, **inputs}, sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
