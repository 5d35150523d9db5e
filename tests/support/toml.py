"""TOML, written: what a tool makes of its manifest is a lock in the standard's format (PEP 751)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def dumps(table: Mapping[str, Any]) -> str:
    """Return a document with a line for each key of the table.

    >>> dumps({"created-by": "us", "packages": [{"name": "alpha", "size": 7}]})
    '"created-by" = "us"\\n"packages" = [{"name" = "alpha", "size" = 7}]\\n'
    """
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{json.dumps(key)} = {_value(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str | bool | int):
        # A string of JSON is one of TOML, but for characters beyond 16 bits when they are escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)  # dates and times
