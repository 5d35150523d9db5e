"""Packs the records (the manifest and the SBOM) into one small zip for the custom resource."""

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
    """Return the bytes of ``records.zip``.

    :param files: the content of each file by its name.
    :raises LbdartError: when the zip is larger than the handler accepts.
    """
    buffer = io.BytesIO()
    write_zip(buffer, [stored(name, content) for name, content in files.items()])
    if buffer.tell() > MAX_RECORDS:
        raise LbdartError(
            f"The manifest and its SBOM have {buffer.tell():,} bytes; the limit is {MAX_RECORDS:,}.",
            "Split the project, so that each part has its own lock.",
        )
    return buffer.getvalue()
