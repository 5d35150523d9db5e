"""The store of an app: what an index answered once in a synthesis holds for all layers of the app.

So stacks that have the same requirements have the same lock, and uv is asked once.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from constructs import IConstruct

from ..core.store.store import Store

#: The notes of each app, by the root of its construct tree.
_RUNS: Final[WeakKeyDictionary[IConstruct, dict[tuple[str, str], dict[str, Any]]]] = WeakKeyDictionary()


def store_of(app: IConstruct) -> Store:
    """Return the store for the artifacts of an app."""
    return Store(run=_RUNS.setdefault(app, {}))
