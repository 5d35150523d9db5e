"""Building a project to a wheel for the tools that do not build themselves: with uv, else with pip."""

from __future__ import annotations

from pathlib import Path

from lbdart_cdk.core.wheels import frontend


def build_wheel(source: Path, output: Path) -> None:
    """Build the project at ``source`` to one wheel in ``output``, by its own build backend.

    Raises :class:`LbdartError` when it cannot be built.
    """
    (frontend.PIP if frontend.uv_executable() is None else frontend.UV).build_wheel(source, output)
