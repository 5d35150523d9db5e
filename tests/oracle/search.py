"""Try many projects, and find the simplest one that shows what is wrong."""

from __future__ import annotations

import re
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .compare import Bench, Outcome, check
from .projects import Project


@dataclass
class Report:
    """What was tried and what differs, by backend and by kind of difference."""

    tried: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    differ: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, project: Project, outcome: Outcome) -> None:
        name = f"{project.backend} as {project.role}"
        self.tried[name] += 1
        self.failed[name] += bool(outcome.failed)
        self.differ[name] += bool(outcome.wrong)
        self.kinds.update({line.partition(":")[0] for line in outcome.wrong})

    def __str__(self) -> str:
        lines = [f"{'projects':32}{'tried':>8}{'fail in place':>15}{'differ':>8}"]
        rows = [(name, self.tried[name], self.failed[name], self.differ[name]) for name in sorted(self.tried)]
        rows.append(("all", self.tried.total(), self.failed.total(), self.differ.total()))
        lines += [f"{name:32}{tried:8}{failed:15}{differ:8}" for name, tried, failed, differ in rows]
        lines += [f"{kind:55}{count:8}" for kind, count in self.kinds.most_common()]
        return "\n".join(lines)


def tried(project: Project, index: str, uv_cache: Path, edits: int) -> tuple[Project, Outcome]:
    """Check a project in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="oracle-", ignore_cleanup_errors=True) as folder:
        try:
            return project, check(project, Bench(Path(folder), index, uv_cache), edits=edits)
        except Exception:
            return project, Outcome((f"the oracle failed: {traceback.format_exc()}",))


def shrunk(project: Project, index: str, uv_cache: Path, edits: int) -> tuple[Project, Outcome]:
    """Check a project; if it differs, return the simplest one that differs in one of the same kinds."""
    simplest, outcome = tried(project, index, uv_cache, edits)
    kinds = {_kind(line) for line in outcome.wrong}
    candidates = simplest.simpler()
    while kinds and (candidate := next(candidates, None)) is not None:
        if not candidate.is_possible:
            continue
        _, found = tried(candidate, index, uv_cache, edits)
        if kinds & {_kind(line) for line in found.wrong}:
            simplest, outcome, candidates = candidate, found, candidate.simpler()
    return simplest, outcome


def _kind(line: str) -> str:
    return re.sub(r"[0-9a-f]{7,}|/\S+", "*", line)[:60]
