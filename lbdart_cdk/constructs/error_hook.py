"""How a user's mistake ends an app: with its two sentences, not with a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from constructs import IConstruct

from ..core.errors import LbdartError


@contextmanager
def errors_at(construct: IConstruct, *ids: str) -> Iterator[None]:
    """Let an :class:`LbdartError` end the app without a traceback; it says where.

    ``ids`` lead from ``construct`` to one below it that is not made yet.
    """
    try:
        yield
    except LbdartError as error:
        error.add_note(f"[at {'/'.join([construct.node.path, *ids])}]")
        _install()
        raise


def _install() -> None:
    """Print an uncaught LbdartError as its message; every other exception goes where it went before."""
    before = sys.excepthook
    if getattr(before, "prints_lbdart_errors", False):
        return

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, LbdartError):
            print(f"Error: {error}", *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
        else:
            before(kind, error, trace)

    hook.prints_lbdart_errors = True  # type: ignore[attr-defined]
    sys.excepthook = hook
