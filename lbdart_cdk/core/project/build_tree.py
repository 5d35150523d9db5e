"""All that a build of a project can see: its directory, what it uses outside of it, and the state of git.

The build runs in a copy, so that the user's tree is only read. The copy has the shape of the repository: the
project and what it uses lie in it at their places, below the ignore files and settings of the directories
above.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from ..keys import Json, key_of
from ..windows import relative_or_absolute
from .backend import Backend
from .repository import Repository, tracked_folders
from .tree import copy_inputs, file_hash, input_files, links, reading, resolve_links, tree_hash
from .workspace import members

#: Files that say, for their directory and all below, what is no source.
_IGNORE_FILES: Final = (".gitignore", ".hgignore")
#: Files that uv reads in the directories above a project.
_SETTINGS: Final = ("pyproject.toml", "uv.toml", ".python-version")


@dataclass(frozen=True)
class BuildTree:
    """The input of a build.

    :param directory: the directory of the project.
    """

    directory: Path

    @cached_property
    def _own(self) -> Path:
        return self.directory.resolve()

    @cached_property
    def repository(self) -> Repository | None:
        """The git repository that the project is in; None when it is in none."""
        return Repository.around(self._own)

    @cached_property
    def _backend(self) -> Backend:
        return Backend(self._own)

    @cached_property
    def _outside(self) -> list[Path]:
        """The files and directories outside of the project that its build may use."""
        named = [path.resolve() for path in (*self._backend.named_outside(), *self._linked())]
        if self._backend.runs_code and self.repository is not None:
            top = self.repository.top
            named += [top / path for path in self.repository.files() if (top / path).is_file()]
        return sorted({path for path in named if not path.is_relative_to(self._own)})

    @cached_property
    def _outputs(self) -> list[Path]:
        """What other builds left in the project and its settings name, such as ``dist`` of a frontend."""
        named = self._backend.named_outputs()
        tracked = tracked_folders(self._own) if named else frozenset()
        return [path for path in named if path.relative_to(self._own).parts[0] not in tracked]

    def _linked(self) -> Iterator[Path]:
        """Yield what relative links in the project lead to outside of it."""
        for path in links(self._own):
            target = Path(os.path.realpath(path))  # unlike resolve(), it ends in a loop of links
            if not path.readlink().is_absolute() and target.exists() and not self._own.is_relative_to(target):
                yield target

    @cached_property
    def _ignore_files(self) -> list[Path]:
        """The files above the project that say what is no source.

        Without a repository there is no end to them; then the next one counts.
        """
        top = self.repository.top if self.repository is not None else None
        above = [path for path in self._own.parents if top is None or path.is_relative_to(top)]
        found = [path / name for path in above for name in _IGNORE_FILES if (path / name).is_file()]
        if top is not None:
            return found
        return [] if any((self._own / name).is_file() for name in _IGNORE_FILES) else found[:1]

    @cached_property
    def _base(self) -> Path:
        """The directory that the copy is a copy of."""
        if self.repository is not None:
            inside = [path for path in self._outside if not path.is_relative_to(self.repository.top)]
            paths = [self.repository.top, *inside]
        else:
            paths = [self._own, *self._outside, *(path.parent for path in self._ignore_files)]
        return Path(os.path.commonpath(paths))

    def key(self) -> str:
        """Return the SHA-256 over everything that the build's result depends on.

        :raises LbdartError: when a file or directory cannot be read.
        """
        inputs: dict[str, Json] = {"files": tree_hash(self._own)}
        with reading(self._own):
            if outside := self._hashed_outside():
                inputs["outside"] = outside
            if self.repository is not None and self._backend.asks_git:
                inputs["git"] = self.repository.state(self._own)
            elif self.repository is not None and self._backend.asks_for_ignored:
                inputs["ignored"] = self.repository.ignored(self._own)
        return key_of(inputs)

    def _hashed_outside(self) -> dict[str, str]:
        outside = [*self._outside, *self._ignore_files, *self._outputs]
        return {relative_or_absolute(path, self._own).as_posix(): _hash(path) for path in outside}

    def files(self) -> dict[str, str]:
        """Return the hash of each file that the key covers, by its path from the project.

        :raises LbdartError: when a file or directory cannot be read.
        """
        with reading(self._own):
            own = {path.relative_to(self._own).as_posix(): path for path in input_files(self._own)}
            return {name: file_hash(path) for name, path in own.items()} | self._hashed_outside()

    def copy(self, folder: Path) -> tuple[Path, Path]:
        """Copy the tree into a folder; return the top of the copy and the project's directory in it.

        :raises LbdartError: when a file or directory cannot be read.
        """
        # The directory's own name is not an input, so every copy has this one.
        top = folder / "project"
        copy_trees([self], lambda path: top / path.relative_to(self._base))
        return top, top / self._own.relative_to(self._base)

    def copy_files(self, place: Callable[[Path], Path]) -> None:
        """Copy all files of the tree.

        :param place: returns the path of a file's copy.
        :raises LbdartError: when a file or directory cannot be read.
        """
        more = (*self._outside, *self._outputs, *self._ignore_files, *self._settings())
        paths = dict.fromkeys([self._own, *more])
        with reading(self._own):
            for path in paths:
                _copy(path, place(path))
            for path in paths:
                if path.is_dir():
                    resolve_links(path, place(path))

    def _settings(self) -> list[Path]:
        """The files above the project that uv reads, and those of the other members of its workspace.

        uv refuses a workspace with a member that lacks its settings. In the copy, a member is there as soon
        as one of its files is: because the build uses it, or because git says that it has changed.
        """
        above = [path for path in self._own.parents if path.is_relative_to(self._base)]
        found = [path / name for path in above for name in _SETTINGS if (path / name).is_file()]
        others = (member / "pyproject.toml" for path in above for member in members(path))
        return [*found, *(path for path in others if path.is_relative_to(self._base))]


def copy_trees(trees: Collection[BuildTree], place: Callable[[Path], Path]) -> None:
    """Copy several trees, and make the copies of their repositories such.

    :param place: returns the path of a file's copy.
    :raises LbdartError: when a file or directory cannot be read.
    """
    for tree in trees:
        tree.copy_files(place)
    projects: defaultdict[Repository, list[Path]] = defaultdict(list)
    for tree in trees:
        if tree.repository is not None:
            projects[tree.repository].append(tree.directory.resolve())
    for repository, directories in projects.items():
        repository.link(place(repository.top), directories)


def _hash(path: Path) -> str:
    return tree_hash(path) if path.is_dir() else file_hash(path)


def _copy(path: Path, copied: Path) -> None:
    if path.is_dir():
        copy_inputs(path, copied)
    elif not copied.exists():
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
