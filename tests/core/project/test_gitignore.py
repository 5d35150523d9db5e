"""Patterns match what git matches."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest

from lbdart_cdk.core.project.gitignore import Patterns

PARTS = ("a", "b", "tests", "x.py", "d", "[a]", "a b", "a*", "!d", "#c", "a-b", "]", "c ")
SEGMENTS = (
    *PARTS, "*", "**", "***", "?", "*.py", "[ab]", "t*", "d*", "[!a]", "[^b-d]", "[[:alpha:]]", "[]a]",
    r"\!d", r"\#c", r"a\*", "[a-", r"a\ ", "[[:digit:][:alpha:]]", r"[\]a]", "[a-c]*", "[!]]", "[z-a]",
    "[a-]", "[-a]", "[]-a]", r"[a\-z]", "[[:foo:]]", "\\", "[]",
)  # fmt: skip


def tree(chosen: random.Random) -> list[str]:
    """Return paths of which none is a folder of another."""
    paths = {"/".join(chosen.choices(PARTS, k=chosen.randint(1, 4))) for _ in range(200)}
    return sorted(path for path in paths if not any(other.startswith(f"{path}/") for other in paths))


def pattern(chosen: random.Random) -> str:
    path = "/".join(chosen.choices(SEGMENTS, k=chosen.randint(1, 3)))
    return (
        chosen.choice(("", "", "", "!"))
        + chosen.choice(("", "", "/"))
        + path
        + chosen.choice(("", "", "/"))
        + chosen.choice((*[""] * 9, " "))
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "--quiet", path], check=True)
    return path


def ignored_by_git(repository: Path, patterns: Collection[str], paths: Collection[str]) -> set[str]:
    for path in paths:
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).touch()
    (repository / ".gitignore").write_text("".join(f"{line}\n" for line in patterns))
    result = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--stdin", "-z"],
        input="".join(f"{path}\0" for path in paths),
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(filter(None, result.stdout.split("\0")))


def test_what_is_matched_is_what_git_ignores(repository: Path) -> None:
    chosen = random.Random(20)
    paths = tree(chosen)
    for _ in range(100):
        lines = tuple(pattern(chosen) for _ in range(chosen.randint(1, 4)))
        matched = {path for path in paths if Patterns(lines).matches(path)}
        assert matched == ignored_by_git(repository, lines, paths), lines


@pytest.mark.parametrize(
    ("lines", "path", "matches"),
    [
        (["tests/"], "numpy/linalg/tests/test_x.py", True),
        (["tests/"], "numpy/tests", False),
        (["numpy/tests/"], "other/numpy/tests/x.py", False),
        (["/numpy/**/tests/"], "numpy/core/x/tests/data/y.csv", True),
        (["*.pyi", "!keep.pyi"], "numpy/keep.pyi", False),
        # All files in a matched folder are matched, and no pattern can take one of them back.
        (["tests/", "!tests/keep.py"], "tests/keep.py", True),
        (["tests/*", "!tests/keep.py"], "tests/keep.py", False),
        (["# *.py", "", "  "], "a.py", False),
        (["*.PY"], "a.py", False),
        (["data/?"], "data/é", True),
    ],
)
def test_some_rules_of_git(lines: list[str], path: str, matches: bool) -> None:
    assert Patterns(tuple(lines)).matches(path) is matches


def test_a_pattern_without_a_match_is_named() -> None:
    lines = ("# nothing", "", "docs/", "tests", "*.csv", "!numpy/x.py", "!numpy/y.py")
    found = Patterns(lines).without_match(["numpy/tests/data.csv", "numpy/x.py"])
    assert found == ["docs/", "!numpy/y.py"]
