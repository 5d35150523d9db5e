"""Selects the files of a source artifact: included files, and the modules of a project without a build."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from ..archive.entry import Entry, stored
from ..archive.names import own_name
from ..project.patterns import is_match
from ..project.tree import input_files


def included_files(root: Path, include: Collection[str]) -> Iterator[Path]:
    """Yield the project's files that match a pattern of ``include``."""
    if include:
        yield from (path for path in input_files(root) if is_match(path.relative_to(root).parts, include, ()))


def module_files(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the importable files of a project without a build system, with their paths in the zip.

    These are the contents of ``src`` if it exists, else the modules and packages (folders with
    ``__init__.py``) beside ``pyproject.toml``, without tests.
    """
    source = root / "src"
    if source.is_dir():
        yield from ((path, path.relative_to(source)) for path in input_files(source))
        return
    for path in input_files(root):
        relative = path.relative_to(root)
        top = relative.parts[0]
        module = len(relative.parts) == 1 and path.suffix == ".py"
        package = (
            len(relative.parts) > 1
            and top not in ("test", "tests")
            and (root / top / "__init__.py").is_file()
        )
        if module or package:
            yield path, relative


def stored_file(path: Path, name: str) -> Entry:
    """Return a file as an uncompressed entry; another zlib would compress it to other bytes.

    :raises LbdartError: when a zip cannot have an entry of this name.
    """
    own_name(name)
    return stored(name, path.read_bytes(), executable=bool(path.stat().st_mode & 0o111))
