"""A git repository of the user around a project, and its state in a copy of the project.

Build backends ask git which files are source, and which version the tags give. So a copy gets a git directory
of its own, which shares objects, refs and settings with the user's through a ``commondir`` file, as a linked
work tree does. Git writes only to the copy's directory, and the user's git knows nothing about it.

Sources: *gitrepository-layout*, *git-worktree* and *git-update-index* (skip-worktree).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePath
from typing import Final

from ..errors import LbdartError
from ..windows import IS_WINDOWS, relative_or_absolute
from . import git

#: Files of a git directory that belong to one work tree.
_OF_WORK_TREE: Final = ("HEAD", "index", "sharedindex.*")
_PLACEHOLDER: Final = "untracked"
#: Not the content of any file, so that git takes the file for changed.
_NOT_COPIED: Final = "This file is changed or not tracked, and is not copied.\n"
#: Modes in the index: of a submodule, and of an executable file.
_SUBMODULE: Final = "160000"
_EXECUTABLE: Final = "100755"


@dataclass(frozen=True)
class Repository:
    """The work tree of a git repository.

    :param top: its top directory, without symbolic links.
    """

    top: Path

    @classmethod
    def around(cls, directory: Path) -> Repository | None:
        """Return the repository that a directory is in, or None."""
        resolved = directory.resolve()
        return next((cls(above) for above in (resolved, *resolved.parents) if _is_top(above)), None)

    @cached_property
    def _directories(self) -> tuple[Path, Path] | None:
        """The git directory of this work tree and that of the repository; None when git cannot read them."""
        found = git.read(self.top, "rev-parse", "--git-dir", "--git-common-dir")
        lines = (found or "").splitlines()
        if len(lines) != 2:
            return None
        return (self.top / lines[0]).resolve(), (self.top / lines[1]).resolve()

    @property
    def common_directory(self) -> Path | None:
        """The directory with the objects and refs, which a copy refers to; None when git cannot read it."""
        return self._directories[1] if self._directories is not None else None

    def stamp(self) -> tuple[int, int]:
        """Return the time and size of the index, which change when git tracks other files."""
        marker = self.top / ".git"
        if marker.is_file():
            marker = self.top / marker.read_text("utf-8", errors="replace").removeprefix("gitdir:").strip()
        try:
            status = (marker / "index").stat()
        except OSError:  # nothing was added yet
            return 0, 0
        return status.st_mtime_ns, status.st_size

    @cached_property
    def _changes(self) -> list[tuple[str, str]]:
        """The changes since the last commit: two letters and a path for each (*git-status*, short format)."""
        listing = git.read(
            self.top, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal"
        )
        return [(entry[:2], entry[3:]) for entry in git.names(listing)]

    @cached_property
    def _staged(self) -> list[tuple[str, str]]:
        """The mode and path of each entry in the index (*git-ls-files*, ``--stage``)."""
        entries = git.names(git.read(self.top, "ls-files", "-z", "--stage"))
        return [(entry.split(" ", 1)[0], entry.partition("\t")[2]) for entry in entries]

    @cached_property
    def _modules(self) -> list[Repository]:
        """The submodules that are checked out."""
        tops = (self.top / name for mode, name in self._staged if mode == _SUBMODULE)
        return [Repository(top) for top in tops if _is_top(top)]

    def files(self) -> Iterator[Path]:
        """Yield the paths of the files that git tracks or would track, relative to the top."""
        listing = git.read(self.top, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        yield from map(Path, dict.fromkeys(git.names(listing)))

    def ignored(self, directory: Path) -> list[str]:
        """Return the files and directories below a directory that git ignores."""
        listing = git.read(
            directory, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"
        )
        return git.names(listing)

    def state(self, directory: Path) -> dict[str, str]:
        """Return what a build in ``directory`` can learn from git, as names and hashes.

        This is the commit, the branch, the tags, the changes, and which files of the directory are tracked
        and ignored.
        """
        asked = {
            "commit": ("rev-parse", "HEAD"),
            "branch": ("symbolic-ref", "--quiet", "HEAD"),
            "tags": ("for-each-ref", "--format=%(refname) %(objectname)", "refs/tags"),
            "tracked": ("ls-files", "-z"),
        }
        answers = {name: git.read(directory, *arguments) or "" for name, arguments in asked.items()}
        answers["ignored"] = "\0".join(self.ignored(directory))
        answers["changes"] = "\0".join(f"{letters} {name}" for letters, name in self._changes)
        answers["depth"] = self._shallow()
        for module in self._modules:
            if module.top.is_relative_to(directory):
                name = module.top.relative_to(directory).as_posix()
                answers[f"module {name}"] = str(module.state(module.top))
        return {name: _digest(answer) for name, answer in answers.items()}

    def _shallow(self) -> str:
        """Return the commits that the history of a shallow clone starts with."""
        path = self.common_directory / "shallow" if self.common_directory is not None else None
        return path.read_text("utf-8") if path is not None and path.is_file() else ""

    def link(self, copy: Path, copied: Collection[Path]) -> None:
        """Make a copy of this work tree a work tree in the same state.

        In the copy, git takes every file for unchanged that is unchanged here, whether it was copied or not.

        :param copy: the top of the copy.
        :param copied: the directories here that were copied with their untracked files.
        :raises LbdartError: when git cannot use a copy of the index.
        """
        self._link(copy, copy / ".git", copied)

    def _link(self, copy: Path, git_directory: Path, copied: Collection[Path]) -> None:
        if self._directories is None:
            return
        own, common = self._directories
        git_directory.mkdir(parents=True)
        for pattern in _OF_WORK_TREE:
            for path in own.glob(pattern):
                shutil.copyfile(path, git_directory / path.name)
        (git_directory / "commondir").write_text(f"{common}\n", "utf-8", newline="\n")
        # The second letter is about the file, the first about what is staged.
        changed = {name for letters, name in self._changes if letters[1] != " "}
        unchanged = "\0".join(name for _, name in self._staged if name not in changed)
        variables = {"GIT_DIR": str(git_directory), "GIT_WORK_TREE": str(copy)}
        update = ("update-index", "--skip-worktree", "-z", "--stdin")
        done = git.read(copy, *update, stdin=os.fsencode(unchanged), **variables)
        if unchanged and done is None:
            raise LbdartError(
                f"The git repository in {self.top} has an index that git cannot use in a copy.",
                "Run `git status` there, and `git sparse-checkout disable` if its index is sparse.",
            )
        for letters, name in self._changes:
            # Git also looks for the files that were not copied, and not at what is in them.
            is_copied = any((self.top / name).is_relative_to(path) for path in copied)
            if not is_copied and (letters == "??" or (name in changed and (self.top / name).is_file())):
                _stand_for(copy / name, is_directory=name.endswith("/"))
        for number, module in enumerate(self._modules):
            place = copy / module.top.relative_to(self.top)
            if place.is_dir():
                # As in place, .git is a file there: some build backends pack it.
                own_directory = git_directory / "modules" / str(number)
                own_path = relative_or_absolute(own_directory, place).as_posix()
                (place / ".git").write_text(f"gitdir: {own_path}\n", "utf-8", newline="\n")
                module._link(place, own_directory, copied)


def tracked_folders(directory: Path) -> frozenset[str]:
    """Return the directories below a directory in which git tracks files, by their relative paths.

    Asks git once, as long as the index does not change.
    """
    repository = Repository.around(directory)
    if repository is None:
        return frozenset()
    return _tracked_folders(directory.resolve(), repository.stamp())


@lru_cache(maxsize=64)
def _tracked_folders(directory: Path, _stamp: tuple[int, int]) -> frozenset[str]:
    files = map(PurePath, git.names(git.read(directory, "ls-files", "-z")))
    return frozenset(folder.as_posix() for file in files for folder in file.parents)


def is_executable(path: Path, mode: int) -> bool:
    """Tell whether a file is executable in a checkout on Linux.

    Windows keeps no such bit, so there the index of git says it.

    :param mode: the mode that the file has here.
    """
    if not IS_WINDOWS:
        return bool(mode & 0o111)
    repository = Repository.around(path.parent)
    if repository is None:
        return False
    return path.resolve() in _executables(repository.top, repository.stamp())


@lru_cache(maxsize=64)
def _executables(top: Path, _stamp: tuple[int, int]) -> frozenset[Path]:
    return frozenset(top / name for mode, name in Repository(top)._staged if mode == _EXECUTABLE)


def _is_top(directory: Path) -> bool:
    marker = directory / ".git"  # a directory; in linked work trees and submodules a file
    return marker.is_file() or (marker / "HEAD").exists() or (marker / "HEAD").is_symlink()


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _stand_for(path: Path, *, is_directory: bool) -> None:
    """Make a file in place of a changed or untracked one, unless the copy has it."""
    file = path / _PLACEHOLDER if is_directory else path
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="\n") as new:
            new.write(_NOT_COPIED)
