"""pip: ``requirements.txt`` and the files it includes."""

from __future__ import annotations

from typing import Final

from .._tool import LockingTool

#: Requirements files, with or without pinned versions and hashes.
TOOL: Final = LockingTool("pip", "requirements.txt", "*.txt")
