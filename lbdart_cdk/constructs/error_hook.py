"""Ends an app with the message about a user's mistake, without a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from constructs import IConstruct

from ..core.errors import LbdartError


@contextmanager
def errors_at(construct: IConstruct, *ids: str) -> Iterator[None]:
    """Add a construct's path to an :class:`LbdartError`, and let it end the app without a traceback.

    :param ids: the path from ``construct`` to a construct below it that does not exist yet.
    """
    try:
        yield
    except LbdartError as error:
        error.add_note(f"[at {'/'.join([construct.node.path, *ids])}]")
        _install_hook()
        raise


def _install_hook() -> None:
    """Print an uncaught LbdartError as its message; leave other exceptions to the previous hook."""
    previous = sys.excepthook
    if getattr(previous, "prints_lbdart_errors", False):
        return

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, LbdartError):
            print(f"Error: {error}", *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
        else:
            previous(kind, error, trace)

    hook.prints_lbdart_errors = True  # type: ignore[attr-defined]
    sys.excepthook = hook
