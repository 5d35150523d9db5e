"""Which files of a project go into its source artifact."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.project.patterns import is_match
from lbdart_cdk.core.source.copy import copy_source_for_lambda_deployment
from tests.support.projects import files_in

paths = st.lists(
    st.text("abc.", min_size=1, max_size=4).filter(lambda part: part.strip(".")), min_size=1, max_size=4
)


@pytest.mark.parametrize(
    ("path", "pattern", "matches"),
    [
        ("a.json", "*.json", True),
        ("conf/a.json", "*.json", True),
        ("conf/a.json", "conf/*.json", True),
        ("x/conf/a.json", "conf/*.json", True),
        ("conf/x/a.json", "conf/*.json", False),
        ("conf/x/a.json", "conf/**/*.json", True),
        ("conf/a.json", "conf/**/*.json", True),
        ("x/conf/a.json", "/conf/*.json", False),
        ("conf/a.json", "/conf/*.json", True),
        ("conf/x/a.json", "conf", True),
        ("conf/x/a.json", "conf/", True),
        ("x/conf/a.json", "/conf", False),
        ("conf/x/a.json", "c*/x", True),
        ("conf.json", "conf", False),
        ("A.JSON", "*.json", False),
        ("a1.json", "a[0-9].json", True),
        ("a.json", "?.json", True),
        ("any/thing", "**", True),
        ("tests/test_a.py", "test_*.py", True),
    ],
)
def test_a_pattern_is_a_glob_that_matches_from_the_right(path: str, pattern: str, matches: bool) -> None:
    assert is_match(path.split("/"), [pattern], []) is matches
    assert is_match(path.split("/"), [], [pattern]) is not matches


@given(paths)
def test_without_patterns_every_file_is_included(parts: list[str]) -> None:
    assert is_match(parts, [], [])


@given(paths)
def test_an_explicit_exclude_beats_an_explicit_include(parts: list[str]) -> None:
    name = "/".join(parts)
    assert is_match(parts, [name], [])
    assert not is_match(parts, [name], [name])


@given(paths, st.sampled_from(["*.a", "a*", "b/*", "a/b/*.c", "?", "abc"]))
def test_a_file_matches_as_pathlib_says(parts: list[str], pattern: str) -> None:
    path = PurePosixPath(*parts)
    expected = any(above.match(pattern) for above in (path, *path.parents[:-1]))
    assert is_match(parts, [pattern], []) is expected


def tree(root: Path) -> Path:
    for name in ("app.py", "conf/a.json", "conf/b.yaml", "__pycache__/app.pyc", "x.pyc", "y.pyo"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.mark.parametrize(
    ("include", "exclude", "copied"),
    [
        (None, None, {"app.py", "conf/a.json", "conf/b.yaml"}),
        ("*.json", None, {"conf/a.json"}),
        (["*.json", "*.py"], "app.py", {"conf/a.json"}),
        (None, ["conf"], {"app.py"}),
        (["*.pyc", "*.pyo", "__pycache__"], None, set()),
    ],
)
def test_a_copy_holds_what_is_wanted_and_never_bytecode(
    tmp_path: Path, include: str | list[str] | None, exclude: str | list[str] | None, copied: set[str]
) -> None:
    copy_source_for_lambda_deployment(tree(tmp_path / "in"), tmp_path / "out", include, exclude)
    assert set(files_in(tmp_path / "out")) == copied


def test_a_copy_keeps_what_is_there(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/app.py").write_text("old")
    (tmp_path / "out/other.py").write_text("kept")
    copy_source_for_lambda_deployment(str(tmp_path / "in"), str(tmp_path / "out"), "app.py")
    assert files_in(tmp_path / "out") == {"app.py": b"app.py", "other.py": b"kept"}


def test_a_copy_follows_links(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/shared").symlink_to(tree(tmp_path / "shared"))
    (tmp_path / "shared/loop").symlink_to(tmp_path / "in")
    copy_source_for_lambda_deployment(tmp_path / "in", tmp_path / "out", "*.py")
    assert files_in(tmp_path / "out") == {"shared/app.py": b"app.py"}


def test_a_copy_tells_of_a_link_that_leads_nowhere_unless_nobody_wants_it(tmp_path: Path) -> None:
    (tree(tmp_path / "in") / "conf/c.json").symlink_to("gone.json")
    copy_source_for_lambda_deployment(tmp_path / "in", tmp_path / "out", "*.py")
    with pytest.raises(LbdartError, match=r"conf/c\.json is a link to gone\.json, which does not exist"):
        copy_source_for_lambda_deployment(tmp_path / "in", tmp_path / "out", "*.json")


@pytest.mark.parametrize("name", ["nowhere", "app.py"])
def test_a_copy_of_what_is_no_directory_is_refused(tmp_path: Path, name: str) -> None:
    source = tree(tmp_path / "in") / name
    with pytest.raises(LbdartError, match=f"There is no directory {source} to copy from"):
        copy_source_for_lambda_deployment(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_copy_to_where_a_file_is_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(LbdartError, match=r"in/app\.py cannot be copied to .*/out/app\.py: "):
        copy_source_for_lambda_deployment(tree(tmp_path / "in"), tmp_path / "out")


def test_a_copy_into_the_directory_itself_holds_no_copy_of_the_copy(tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    copy_source_for_lambda_deployment(root, root / "a/copy", "app.py")
    assert files_in(root / "a") == {"copy/app.py": b"app.py"}


def as_regex(pattern: str) -> re.Pattern[str]:
    """Return what :func:`is_match` says of a pattern, in another language: on the path as one string."""
    parts = pattern.strip("/").split("/")
    # The translation ends with an anchor, \\Z or \\z.
    translated = "".join(
        "(?:[^/]+/)*" if part == "**" else f"(?:{fnmatch.translate(part)[:-2]})/" for part in parts
    )
    start = "" if pattern.startswith("/") else "(?:[^/]+/)*"
    return re.compile(f"(?s:{start}{translated}(?:[^/]+/)*)\\Z")


globs = st.lists(st.sampled_from(["a", "b", "ab", "[ab]", "[!a]", "**"]), min_size=1, max_size=3).map(
    "/".join
)


@given(paths, globs, st.booleans())
def test_a_pattern_says_the_same_as_its_translation(path: list[str], pattern: str, anchored: bool) -> None:
    pattern = f"/{pattern}" if anchored else pattern
    wanted = as_regex(pattern).fullmatch("/".join(path) + "/") is not None
    assert is_match(path, [pattern], ()) == wanted
    assert is_match(path, (), [pattern]) != wanted
    assert not is_match(path, [pattern], [pattern])
