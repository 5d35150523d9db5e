"""Counts the calls of Python into CDK, which runs in Node: each takes from half a millisecond to some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jsii._kernel.providers import process


def counting() -> Callable[[], int]:
    """Count the calls from now on; return what tells their number."""
    calls = 0
    send: Callable[..., Any] = process._NodeProcess.send  # jsii has no public way

    def counted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return send(*arguments)

    process._NodeProcess.send = counted  # type: ignore[assignment,method-assign]
    return lambda: calls
