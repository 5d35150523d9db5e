"""A project of the user's, built to a wheel; the user's tree is only read."""

from __future__ import annotations

from pathlib import Path

from packaging.utils import parse_wheel_filename

from .archive import write_zip
from .build_key import key_of, tree_hash
from .errors import LbdartError
from .progress import announced
from .project import copy_of
from .store import Store
from .tool import Tool
from .wheel import lasting, wheel_entries


def build_local_wheel(directory: Path, tool: Tool, store: Store) -> Path:
    """Return a wheel of the project at ``directory``, built when its files changed.

    Raises :class:`LbdartError` when it cannot be built, and when it compiles: what this machine's
    compiler makes need not load in Lambda.
    """
    key = key_of({"artifact": "wheel", "tool": tool.name, "tree": tree_hash(directory)})
    if not store.has_archive(key):
        with store.scratch() as folder:
            output = folder / "wheel"
            with announced(f"Building {directory.name}"):
                tool.build_wheel(copy_of(directory, folder / directory.name), output)
            (built,) = output.glob("*.whl")
            _refuse_compiled(built, directory)
            made = folder / "made.whl"
            with store.explained(made), made.open("wb") as file:
                write_zip(file, lasting(wheel_entries(built)))
            store.keep_archive(key, made)
    return store.archive(key)


def _refuse_compiled(wheel: Path, directory: Path) -> None:
    if not any(tag.platform == "any" for tag in parse_wheel_filename(wheel.name)[-1]):
        raise LbdartError(
            f"{directory} builds to {wheel.name}, a wheel compiled for this machine and not for Lambda.",
            "Publish wheels of it that are built for Lambda, and depend on those.",
        )
