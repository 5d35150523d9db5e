"""The wheels of a layer, brought into the store or found there."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BuildWarning
from ..store.store import Store

if TYPE_CHECKING:
    from ..wheels.supply import Wheel


@dataclass(frozen=True, slots=True)
class Supply:
    """The wheels of a layer in the store.

    :param warnings: those about the selection that they are.
    :param left_out: the names of the packages that the layer leaves out.
    :param hashing: what other threads find out about the wheels that were in the store already.
    """

    wheels: list[Wheel]
    warnings: tuple[BuildWarning, ...]
    left_out: tuple[str, ...]
    hashing: tuple[Future[Path | None], ...] = ()

    @property
    def is_unchanged(self) -> bool:
        """Whether each wheel has its hash. Nothing is made of the wheels before that is known."""
        return all(hashed.result() is not None for hashed in self.hashing)


def hashing(hashes: Iterable[str], store: Store) -> tuple[Future[Path | None], ...]:
    """Let other threads hash the wheels of a store that have these hashes; that takes most of a build."""
    pool = ThreadPoolExecutor()
    started = tuple(pool.submit(store.kept_wheel, sha256) for sha256 in hashes)
    pool.shutdown(wait=False)
    return started
