"""Building a project to a wheel for the tools that do not build themselves: with uv, else with pip."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.tool import run, said

from . import uv


def build_wheel(source: Path, output: Path) -> None:
    """Build the project at ``source`` to one wheel in ``output``, by its own build backend.

    Raises :class:`LbdartError` when it cannot be built.
    """
    if uv.executable() is not None:
        uv.TOOL.build_wheel(source, output)
        return
    result = run(
        [
            sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-input",
            "--disable-pip-version-check", "--wheel-dir", output, source,
        ],
        cwd=source,
        environment=os.environ,
    )  # fmt: skip
    if result.returncode:
        raise LbdartError(
            f"pip could not build the project to a wheel: {said(result)}.",
            "Run `pip wheel --no-deps .` in the project to see all that its build backend says.",
        )
