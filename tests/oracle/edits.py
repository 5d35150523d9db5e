"""Edits of a project, any of which may change what is built from it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .projects import Project, Written, git


@dataclass(frozen=True)
class Edit:
    """A change of the tree or of its repository; it prints as what it does."""

    what: str
    apply: Callable[[Written], object]

    def __str__(self) -> str:
        return self.what


def edits_of(project: Project, written: Written, count: int) -> Iterator[Edit]:
    """Yield edits that are chosen by the project, so that the same project has the same ones."""
    every = list(_every(project, written))
    yield from random.Random(str(project)).sample(every, min(count, len(every)))


def _every(project: Project, written: Written) -> Iterator[Edit]:
    for path in sorted(written.folder.rglob("*")):
        name = path.relative_to(written.folder)
        is_git = ".git" in name.parts or name.parts[0] in ("main", "vendored", "app")
        if not is_git and path.is_file() and not path.is_symlink():
            yield Edit(f"change {name}", _appending(name))
    package = written.root.relative_to(written.folder) / project.package
    yield Edit("a new module", lambda copy: (copy.folder / package / "new.py").write_text("new = 1\n"))
    yield Edit("a new data file", lambda copy: (copy.folder / package / "new.json").write_text("{}\n"))
    yield Edit("app.py may be executed", lambda copy: (copy.folder / package / "app.py").chmod(0o755))
    if project.has_git:
        yield Edit("a tag", lambda copy: git(copy.repository, "tag", "v7.0"))
        yield Edit("another file is tracked", _tracked)
        yield Edit("a commit", _committed)


def _appending(name: Path) -> Callable[[Written], object]:
    def apply(copy: Written) -> None:
        path = copy.folder / name
        content = path.read_bytes()
        if name.name == "VERSION":
            path.write_text("6.6\n")
        elif name.name in (".gitignore", "exclude", "ignore"):
            path.write_bytes(content + b"*.json\n*.txt\n")
        else:
            path.write_bytes(content + b"\n")

    return apply


def _tracked(copy: Written) -> None:
    git(copy.repository, "add", "--all", "--force")


def _committed(copy: Written) -> None:
    git(copy.repository, "commit", "--quiet", "--allow-empty", "--message", "later")
