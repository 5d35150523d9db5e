"""pylock: any PEP 751 lock file, whatever tool wrote it."""

from __future__ import annotations

from typing import Final

from .._tool import LockingTool

#: Locks in the standard's own format: ``pylock.toml``, or a ``pylock.NAME.toml`` that the user passes.
TOOL: Final = LockingTool("pylock", "pylock.toml", "pylock.*toml")
