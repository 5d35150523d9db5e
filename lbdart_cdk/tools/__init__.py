"""One module for each packaging tool. A module that defines ``TOOL`` is a tool; nothing else lists them.

The package also has the tools' builders for scripts, such as ``UvLambdaLayerLocalBuilder``.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Return a tool's builder by its name, without importing the other tools."""
    if name.endswith("Builder"):
        from ._builders import builder_named

        builder = builder_named(name)
        if builder is not None:
            return builder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
