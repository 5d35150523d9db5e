"""Which files of a project go into its source artifact, when nobody builds it or more is asked for."""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ..archive import Entry, own_name, stored
from ..build_key import files_below
from ..errors import LbdartError
from ..pack import tree_files
from ..several import several

_NEVER: Final = ("__pycache__", "*.pyc", "*.pyo")


def is_match(relpath_parts: Sequence[str], include: Collection[str], exclude: Collection[str]) -> bool:
    """Tell whether a file is wanted: explicit exclude > explicit include > implicit include.

    Patterns are globs, matched from the right as ``PurePath.match`` does: ``*.json`` is any JSON file,
    ``conf/*.json`` one in any folder ``conf``, ``**`` any folders; a leading ``/`` anchors at the root.
    A pattern that matches a folder matches what is below it. Without ``include`` all files are included.
    """
    path = PurePosixPath(*relpath_parts)
    if any(_matches(path, pattern) for pattern in exclude):
        return False
    return not include or any(_matches(path, pattern) for pattern in include)


def copy_source_for_lambda_deployment(
    source_dir: str | Path,
    target_dir: str | Path,
    include: str | Collection[str] | None = None,
    exclude: str | Collection[str] | None = None,
) -> None:
    """Copy the files of a directory that :func:`is_match` wants; bytecode is never copied.

    Files that are in ``target_dir`` already are kept, unless they have the name of a copied one. Links are
    followed. Raises :class:`LbdartError` when there is no such directory, when a link leads nowhere, and when
    a file cannot be read or written.
    """
    root, target = Path(source_dir), Path(target_dir)
    if not root.is_dir():
        raise LbdartError(
            f"There is no directory {root} to copy from.", "Pass the directory that the files are in."
        )
    included, excluded = several(include), (*several(exclude), *_NEVER)

    def is_wanted(name: str) -> bool:
        return is_match(name.split("/"), included, excluded)

    # Listed before anything is copied: the target may be in it.
    for path in list(tree_files(root, is_wanted)):
        copied = target / path.relative_to(root)
        try:
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copied)
        except OSError as error:
            raise LbdartError(
                f"{path} cannot be copied to {copied}: {error.strerror or error}.",
                "Check that the one may be read and the other written.",
            ) from error


def included_files(root: Path, include: Collection[str]) -> Iterator[Path]:
    """Yield the project's files that a pattern includes explicitly."""
    if include:
        yield from (path for path in files_below(root) if is_match(path.relative_to(root).parts, include, ()))


def module_files(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the importable files of a project that is not built, with their paths in the zip.

    These are the contents of ``src`` where there is one; else the modules beside ``pyproject.toml`` and
    the packages there (folders with ``__init__.py``), except for tests.
    """
    source = root / "src"
    if source.is_dir():
        yield from ((path, path.relative_to(source)) for path in files_below(source))
        return
    for path in files_below(root):
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
    """Return a file as an entry that is not compressed: another zlib would compress it to other bytes.

    Raises :class:`LbdartError` for a name that a zip cannot carry.
    """
    own_name(name)
    return stored(name, path.read_bytes(), executable=bool(path.stat().st_mode & 0o111))


def _matches(path: PurePosixPath, pattern: str) -> bool:
    globs = [*([] if pattern.startswith("/") else ["**"]), *pattern.strip("/").split("/")]
    return any(_match_parts(part.parts, globs) for part in (path, *path.parents[:-1]))


def _match_parts(parts: Sequence[str], globs: Sequence[str]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_match_parts(parts[start:], globs[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], globs[0]) and _match_parts(parts[1:], globs[1:])
