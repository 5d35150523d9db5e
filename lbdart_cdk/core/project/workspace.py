"""The workspaces of uv, as their settings declare them.

Source: *Using workspaces* in uv's documentation.
"""

from __future__ import annotations

import os
from pathlib import Path

from .toml import read_toml_if_any, table


def members(root: Path) -> list[Path]:
    """Return the directories of the members of the workspace that a directory is the root of.

    They have a ``pyproject.toml``. There are none if the directory is not the root of a workspace.

    :raises LbdartError: when its ``pyproject.toml`` is not TOML.
    """
    named = table(read_toml_if_any(root / "pyproject.toml"), "tool", "uv", "workspace").get("members")
    texts = [text for text in named if isinstance(text, str)] if isinstance(named, list) else []
    patterns = [pattern for pattern in map(os.path.normpath, texts) if not Path(pattern).is_absolute()]
    found = (path for pattern in patterns for path in sorted(root.glob(f"{pattern}/pyproject.toml")))
    return list(dict.fromkeys(path.parent for path in found))
