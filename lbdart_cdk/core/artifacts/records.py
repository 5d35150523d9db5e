"""The manifest and the bill of materials in one small zip, on their way to the custom resource."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ..archive.entry import stored
from ..archive.writer import write_zip
from ..errors import LbdartError
from ..publishing.records import MAX_RECORDS

if TYPE_CHECKING:
    from collections.abc import Mapping


def pack_records(files: Mapping[str, bytes]) -> bytes:
    """Return ``records.zip``.

    :raises LbdartError: if it is larger than the handler takes.
    """
    buffer = io.BytesIO()
    write_zip(buffer, [stored(name, content) for name, content in files.items()])
    if buffer.tell() > MAX_RECORDS:
        raise LbdartError(
            f"The manifest and its SBOM have {buffer.tell():,} bytes; {MAX_RECORDS:,} are taken.",
            "Split the project, so that each part has a lock of its own.",
        )
    return buffer.getvalue()
