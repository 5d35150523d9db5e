"""One package for each packaging tool. One that defines ``TOOL`` is a tool; nothing else lists them.

It says which files are the tool's. How it reads a lock is in its module ``lock``, loaded to read one.

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
