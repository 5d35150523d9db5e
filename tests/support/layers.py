"""Layer zips and records as a build leaves them, without building."""

from __future__ import annotations

import io

from lbdart_cdk.core.archive.entry import stored
from lbdart_cdk.core.archive.writer import write_zip
from lbdart_cdk.core.publishing.identity import LayerIdentity


def layer_zip(text: str, build_key: str) -> bytes:
    """Return a zip with one module that says what it was built for."""
    buffer = io.BytesIO()
    entries = [stored("python/package.py", text.encode())]
    write_zip(buffer, entries, LayerIdentity(build_key).comment)
    return buffer.getvalue()
