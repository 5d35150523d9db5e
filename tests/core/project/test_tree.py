"""One key for every input, and for nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import key_of, sha256_of
from lbdart_cdk.core.project.tree import input_files, is_input, tree_hash
from lbdart_cdk.core.store.store import Store

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
inputs = st.dictionaries(st.text(), values, max_size=4)


@given(inputs)
def test_the_order_of_the_inputs_does_not_show(given_inputs: dict[str, object]) -> None:
    other_order = dict(reversed(given_inputs.items()))
    assert key_of(given_inputs) == key_of(other_order)  # type: ignore[arg-type]


@given(inputs, inputs)
def test_other_inputs_have_another_key(one: dict[str, object], other: dict[str, object]) -> None:
    assert (key_of(one) == key_of(other)) == (repr_of(one) == repr_of(other))  # type: ignore[arg-type]


def repr_of(value: object) -> object:
    """Return what tells values apart in JSON: True is not 1 there."""
    if isinstance(value, dict):
        return sorted((key, repr(repr_of(item))) for key, item in value.items())
    return [repr_of(item) for item in value] if isinstance(value, list) else repr(value)


def test_a_key_is_a_sha256_that_stays_the_same_from_release_to_release() -> None:
    assert key_of({"artifact": "layer", "extras": ["é"]}) == (
        "60b3df57c4966db21f4b947d2888c2a1693ac7ed753f29d1128b07e3b610f703"
    )


def tree(root: Path) -> Path:
    (root / "src/alpha").mkdir(parents=True)
    (root / "src/alpha/__init__.py").write_text("x = 1\n")
    (root / "pyproject.toml").write_text("[project]\n")
    return root


def test_a_tree_has_one_hash_wherever_and_whenever_it_was_made(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "one"), tree(tmp_path / "other")
    for path in other.rglob("*"):
        os.utime(path, (0, 0))
    (other / "pyproject.toml").chmod(0o600)
    assert tree_hash(one) == tree_hash(other)


def touch(name: str, content: str = "") -> Callable[[Path], object]:
    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)

    return change


@pytest.mark.parametrize(
    "change",
    [
        touch("src/alpha/__init__.py", "x = 2\n"),
        touch("src/alpha/new.py"),
        touch("README.md"),
        touch("src/build/__init__.py"),
        touch("src/dist/__init__.py"),
        lambda root: (root / "pyproject.toml").unlink(),
        lambda root: (root / "pyproject.toml").rename(root / "other.toml"),
        lambda root: (root / "pyproject.toml").chmod(0o755),
        lambda root: (root / "link.py").symlink_to("src/alpha/__init__.py"),
    ],
)
def test_every_change_of_a_file_shows(tmp_path: Path, change: Callable[[Path], object]) -> None:
    before = tree_hash(tree(tmp_path))
    change(tmp_path)
    assert tree_hash(tmp_path) != before


@pytest.mark.parametrize(
    "name",
    [
        ".git/HEAD",
        ".venv/pyvenv.cfg",
        "env-of-another-name/pyvenv.cfg",
        "src/alpha/__pycache__/x.pyc",
        "src/alpha/__init__.pyc",
        "src/alpha/x.pyo",
        "src/alpha.egg-info/PKG-INFO",
        "build/lib/alpha.py",
        "dist/alpha.whl",
        "cdk.out/manifest.json",
        "infra/cdk.out/manifest.json",
        "node_modules/aws-cdk/x.py",
        ".pytest_cache/x",
        ".mypy_cache/x",
        ".idea/x.xml",
    ],
)
def test_what_tools_leave_behind_does_not_show(tmp_path: Path, name: str) -> None:
    before = tree_hash(tree(tmp_path))
    touch(name, "x")(tmp_path)
    assert tree_hash(tmp_path) == before


CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by some tool.\n"


@pytest.mark.parametrize(
    ("tag", "content"),
    [("CACHEDIR.TAG", CACHE_TAG), ("cdk.out", '{"version":"54.0.0"}'), ("pyvenv.cfg", "home = /usr/bin\n")],
)
def test_a_folder_that_says_what_it_is_does_not_show(tmp_path: Path, tag: str, content: str) -> None:
    before = tree_hash(tree(tmp_path))
    touch("infra/of-any-name/deep/module.py", "x")(tmp_path)
    touch(f"infra/of-any-name/{tag}", content)(tmp_path)
    assert tree_hash(tmp_path) == before


@pytest.mark.parametrize("tag", ["CACHEDIR.TAG", "cdk.out"])
def test_a_file_that_only_has_such_a_name_is_an_input_as_all_beside_it(tmp_path: Path, tag: str) -> None:
    tree(tmp_path)
    touch(f"src/alpha/{tag}", "what `cdk deploy` said")(tmp_path)
    assert {"src/alpha/__init__.py", f"src/alpha/{tag}"} < {
        path.relative_to(tmp_path).as_posix() for path in input_files(tmp_path)
    }


def test_a_project_that_is_a_cache_itself_has_its_files(tmp_path: Path) -> None:
    touch("CACHEDIR.TAG", CACHE_TAG)(tree(tmp_path))
    assert tmp_path / "src/alpha/__init__.py" in set(input_files(tmp_path))


def test_a_store_in_the_tree_does_not_show(tmp_path: Path) -> None:
    before = tree_hash(tree(tmp_path))
    store = Store(tmp_path / ".ci" / "lbdart")
    with store.scratch() as folder:
        made = folder / "made.zip"
        made.write_bytes(b"zip")
        assert tree_hash(tmp_path) == before
        store.keep_archive("ab" * 32, made, sha256_of(made))
    assert tree_hash(tmp_path) == before


def test_a_linked_folder_is_followed_once(tmp_path: Path) -> None:
    tree(tmp_path / "shared")
    root = tree(tmp_path / "root")
    (root / "shared").symlink_to(tmp_path / "shared")
    (root / "src/loop").symlink_to(root)
    (root / "dangling").symlink_to("nowhere")
    assert [path.relative_to(root).as_posix() for path in input_files(root)] == [
        "pyproject.toml",
        "shared/pyproject.toml",
        "shared/src/alpha/__init__.py",
        "src/alpha/__init__.py",
    ]


def test_a_name_that_is_no_text_is_hashed_too(tmp_path: Path) -> None:
    before = tree_hash(tree(tmp_path))
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system takes only text")
    assert tree_hash(tmp_path) != before


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match=r"nowhere cannot be read: No such file or directory\.\n"):
        tree_hash(tmp_path / "nowhere")


def test_a_file_is_an_input_by_where_it_would_be(tmp_path: Path) -> None:
    names = ("a.zip", "lib/a.zip", "build/a.zip", "lib/build/a.zip", "lib/cdk.out/a.zip", "cache/sub/a.zip")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/pyvenv.cfg").touch()
    told = {name: is_input(tmp_path, tmp_path / name) for name in names}
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {path.relative_to(tmp_path).as_posix() for path in input_files(tmp_path)}
    assert {name for name in names if told[name]} == found == {"a.zip", "lib/a.zip", "lib/build/a.zip"}
