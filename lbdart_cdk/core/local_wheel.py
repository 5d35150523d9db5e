"""Sources built to a wheel: a project of the user's, whose tree is only read, or a source distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from .archive import usable, write_zip
from .build_key import key_of, tree_hash
from .errors import LbdartError
from .lock import Requirements
from .progress import announced
from .project import copy_of
from .sdist import unpack_sdist
from .store import Store
from .tool import Frontend
from .wheel import lasting, required_by, wheel_entries


@dataclass(frozen=True, slots=True)
class BuiltWheel:
    """A wheel in the store, and what its build backend said it requires."""

    path: Path
    requires: Requirements


def build_local_wheel(directory: Path, tool: Frontend, store: Store) -> BuiltWheel:
    """Return a wheel of the project at ``directory``, built when its files changed.

    Raises :class:`LbdartError` when it cannot be built, and when it compiles: what this machine's
    compiler makes need not load in Lambda.
    """
    key = key_of({"artifact": "wheel", "tool": tool.name, "tree": tree_hash(directory)})
    return _built(
        key, str(directory), lambda folder: copy_of(directory, folder / directory.name), tool, store
    )


def build_sdist_wheel(sdist: Path, filename: str, sha256: str, tool: Frontend, store: Store) -> BuiltWheel:
    """Return a wheel of a source distribution, built once for its hash; it raises as above."""
    key = key_of({"artifact": "wheel", "tool": tool.name, "sdist": sha256})
    return _built(key, filename, lambda folder: unpack_sdist(sdist, filename, folder / "sdist"), tool, store)


def _built(key: str, what: str, source: Callable[[Path], Path], tool: Frontend, store: Store) -> BuiltWheel:
    if not store.has_archive(key):
        with store.scratch() as folder:
            output = folder / "wheel"
            with announced(f"Building {Path(what).name}"):
                tool.build_wheel(source(folder), output)
            (built,) = output.glob("*.whl")
            _refuse_compiled(built, what)
            made = folder / "made.whl"
            with store.explained(made), usable(built.name), made.open("wb") as file:
                write_zip(file, lasting(wheel_entries(built)))
            store.keep_archive(key, made, requires=required_by(built))
    return BuiltWheel(store.archive(key), store.about_archive(key)["requires"])


def _refuse_compiled(wheel: Path, what: str) -> None:
    if not any(tag.platform == "any" for tag in parse_wheel_filename(wheel.name)[-1]):
        raise LbdartError(
            f"{what} builds to {wheel.name}, a wheel compiled for this machine and not for Lambda.",
            "Publish wheels of it that are built for Lambda, and depend on those.",
        )
