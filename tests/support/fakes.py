"""A packaging tool that gives the lock it was made with and builds wheels from what lies in ``src``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lbdart_cdk.core.locking.lock import Lock
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store

from .locks import lock_of
from .wheels import make_wheel


@dataclass
class FakeTool:
    """``built`` are the directories whose project was built; ``generator`` is noted in each wheel."""

    locks: Lock = field(default_factory=lock_of)
    name: str = "fake"
    manifest: str = "fake.lock"
    pattern: str = "fake.lock"
    tag: str = "py3-none-any"
    version: str = "1.0"
    built: list[Path] = field(default_factory=list)
    seen: list[Mapping[str, str]] = field(default_factory=list)
    asked: list[Options] = field(default_factory=list)

    @property
    def frontend(self) -> FakeTool:
        return self

    def frontend_of(self, project: Project) -> FakeTool | None:
        return self if project.has_build_system else None

    def is_member(self, root: Path, manifest: Path) -> bool:
        return False

    def lock(self, project: Project, options: Options, target: Target, store: Store) -> Lock:
        self.asked.append(options)
        return self.locks

    def build_wheel(self, source: Path, output: Path, variables: Mapping[str, str] | None = None) -> None:
        self.built.append(source)
        self.seen.append(variables or {})
        files = {
            path.relative_to(source / "src").as_posix(): path.read_bytes()
            for path in (source / "src").rglob("*")
            if path.is_file()
        }
        name = Project(source, source / self.manifest).name
        make_wheel(output, name, self.version, tag=self.tag, files=files)
        (source / "build").mkdir()
