"""Hashes: one SHA-256 over every input of something, and the SHA-256 of a file.

Credentials, paths, times and the host are never inputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

#: Changes when the same inputs would be packed to other bytes.
PACKER_FORMAT: Final = 3

_Json = str | int | bool | None | Collection["_Json"] | Mapping[str, "_Json"]


def key_of(inputs: Mapping[str, _Json]) -> str:
    """Return the SHA-256, in hexadecimal, of the inputs as canonical JSON."""
    canonical = json.dumps(
        {"format": PACKER_FORMAT, **inputs}, sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
