"""Glob patterns that include and exclude files."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath


def is_match(relpath_parts: Sequence[str], include: Collection[str], exclude: Collection[str]) -> bool:
    """Tell whether a file is included: explicit exclude > explicit include > implicit include.

    Patterns are globs that match from the right, as in ``PurePath.match``: ``*.json`` matches any JSON file,
    ``conf/*.json`` those in any directory ``conf``, and ``**`` any number of directories. A leading ``/``
    anchors the pattern at the root. A pattern that matches a directory matches everything below it.

    :param relpath_parts: the parts of the file's path, relative to the root.
    :param include: patterns of files to include; without any, all files are included.
    :param exclude: patterns of files to exclude.
    """
    path = PurePosixPath(*relpath_parts)
    if any(_matches(path, pattern) for pattern in exclude):
        return False
    return not include or any(_matches(path, pattern) for pattern in include)


def _matches(path: PurePosixPath, pattern: str) -> bool:
    globs = [*([] if pattern.startswith("/") else ["**"]), *pattern.strip("/").split("/")]
    return any(_match_parts(ancestor.parts, globs) for ancestor in (path, *path.parents[:-1]))


def _match_parts(parts: Sequence[str], globs: Sequence[str]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_match_parts(parts[start:], globs[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], globs[0]) and _match_parts(parts[1:], globs[1:])
