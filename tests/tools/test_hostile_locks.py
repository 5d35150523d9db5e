"""Locks are other people's files: whatever is in one, it is read, or there is a message that names it."""

from __future__ import annotations

import copy
import datetime
import hashlib
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tomli_w import dumps

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.tools import _index
from tests.support.index import Index
from tests.support.locks import locked_file
from tests.support.poetry import directory, package, poetry_lock
from tests.support.projects import Workbench, make_project
from tests.support.wheels import make_wheel

HOSTILE: list[Any] = [
    0, -1, 2**70, 1.5, float("inf"), True, "", "\0", "x" * 70_000, "../../../etc/passwd", "/", "http://[",
    "☃", "==", "a b", "python_version", "python_version > 'x'", "extra == 'a' and", "'a' in extras",
    "os_name == 'nt' or " * 99 + "os_name == 'nt'", "a.whl", "a-1-py3-none-any.whl", "sha256:", "99.0", [],
    {}, [[]], [{}], [1, "a"], {"name": 1}, {"path": 3}, {"": ""}, {"type": "directory", "url": 7},
    datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), datetime.date(1, 1, 1),
]  # fmt: skip
QUICK = settings(
    max_examples=60,
    phases=[Phase.generate],  # what fails is small anyway, and shrinking it takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value below a table."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Draw a change: a value of another kind, one from elsewhere in the lock, or none."""
    changes = draw(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 3)),
                            min_size=1, max_size=3))  # fmt: skip

    def changed(lock: dict[str, Any]) -> dict[str, Any]:
        result = copy.deepcopy(lock)
        for where, what, kind in changes:
            found = list(places(result))
            if not found:
                break
            *path, key = found[where % len(found)]
            holder: Any = result
            for step in path:
                holder = holder[step]
            if kind == 0:
                del holder[key]
            elif kind == 1:
                other: Any = lock
                for step in list(places(lock))[what % len(list(places(lock)))]:
                    other = other[step]
                holder[key] = copy.deepcopy(other)
            else:
                holder[key] = copy.deepcopy(HOSTILE[what % len(HOSTILE)])  # a later change may go into it
        return result

    return changed


def read(root: Path, cache: Path) -> None:
    """Do all that is done with a lock before anything is fetched; an error is one for the reader."""
    project, tool = find_project(root)
    artifact = LayerArtifact(project, tool, Target((3, 13)), Options(), (), Store(cache))
    try:
        _ = artifact.build_key
        _ = artifact.selection
    except LbdartError as told:
        error = told
    else:
        return
    assert "\n" not in error.problem + error.remedy


@pytest.fixture
def pylock(tmp_path: Path) -> Path:
    root = make_project(tmp_path / "pylock-project")
    make_project(root / "lib", "lib")
    wheel = make_wheel(tmp_path, "alpha")
    (root / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "tests"\nrequires-python = ">=3.11"\nextras = ["fast"]\n'
        'dependency-groups = ["ops"]\ndefault-groups = ["ops"]\nenvironments = ["os_name == \'posix\'"]\n'
        + locked_file(wheel, "https://host.invalid/alpha-1.0-py3-none-any.whl")
        + 'marker = "\'ops\' in dependency_groups"\ndependencies = [{name = "lib"}]\n'
        + '[[packages]]\nname = "lib"\ndirectory = {path = "lib", subdirectory = "."}\n'
        + '[[packages]]\nname = "beta"\nversion = "1"\nmarker = "python_version < \'3\'"\n'
        + f'archive = {{url = "https://host.invalid/beta-1.tar.gz", hashes = {{sha256 = "{"0" * 64}"}}}}\n'
        + '[[packages]]\nname = "gamma"\nvcs = {type = "git", url = "https://x.invalid", commit-id = "a"}\n'
        + "marker = \"os_name == 'nt'\"\n"
    )
    return root


@pytest.fixture
def poetry(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
    _index._pip_configuration.cache_clear()
    root = make_project(tmp_path / "poetry-project")
    make_project(root / "lib", "lib")
    wheels = [make_wheel(index.folder, name) for name in ("alpha", "beta")]
    poetry_lock(
        root,
        package(wheels[0], markers={"main": "os_name == 'posix'"}, requires='beta = {version = "*"}'),
        package(wheels[1], markers='extra == "fast"', requires='urllib3 = ">=1"'),
        directory("lib", "lib"),
    )
    return root


def hostile(root: Path, name: str, change: Callable[[dict[str, Any]], dict[str, Any]], cache: Path) -> None:
    manifest = root / name
    original = manifest.read_text()
    try:
        manifest.write_text(dumps(change(tomllib.loads(original))))
        read(root, cache)
    finally:
        manifest.write_text(original)


@QUICK
@given(change=mutations())
def test_any_pylock(change: Callable[[dict[str, Any]], dict[str, Any]], pylock: Path, tmp_path: Path) -> None:
    hostile(pylock, "pylock.toml", change, tmp_path / "cache")


@QUICK
@given(change=mutations())
def test_any_poetry_lock(
    change: Callable[[dict[str, Any]], dict[str, Any]], poetry: Path, tmp_path: Path
) -> None:
    hostile(poetry, "poetry.lock", change, tmp_path / "cache")


@settings(QUICK, max_examples=30)
@given(change=mutations())
def test_any_uv_lock(
    change: Callable[[dict[str, Any]], dict[str, Any]], orders: Path, tmp_path: Path, workbench: Workbench
) -> None:
    hostile(orders, "uv.lock", change, tmp_path / "cache")


@pytest.mark.parametrize("kind", ["virtual", "directory", "path"])
def test_a_uv_lock_with_a_path_that_no_file_can_have(
    kind: str, orders: Path, tmp_path: Path, workbench: Workbench
) -> None:
    def renamed(lock: dict[str, Any]) -> dict[str, Any]:
        lock["package"][0]["source"] = {kind: "x" * 300}
        return lock

    hostile(orders, "uv.lock", renamed, tmp_path / "cache")


@settings(QUICK, max_examples=30)
@given(
    lines=st.lists(
        st.sampled_from(
            ["alpha", "-r \0", "-r http://[", "-c .", "-r", "--hash=sha256:zz", "alpha @ file:///\0", "\\",
             "${HOME}",
             "-e ../../..", "-i http://[", "alpha==1.0 --hash=sha256:" + "0" * 64, "# é",
             "\ufeff", "[x", "a" * 5000]
        ),
        min_size=1, max_size=4,
    ).map("\n".join) | st.text(max_size=30)
)  # fmt: skip
def test_any_requirements(lines: str, tmp_path: Path, workbench: Workbench) -> None:
    root = tmp_path / "pip-project"
    root.mkdir(exist_ok=True)
    index = f"--index-url {workbench.index.url}/simple/\n"
    (root / "requirements.txt").write_bytes((index + lines).encode(errors="replace"))
    read(root, tmp_path / "cache")


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pylock.toml"])
@pytest.mark.parametrize(
    "content",
    [
        b"a = " + b"[" * 100_000,
        b"a = " + b"{a = " * 50_000,
        b"a = " + b"9" * 5000,
        b"a." * 500 + b"b = 1",
        b"a = 2024-99-99",
        b"\xff\xfe",
        b"\0",
        b"",
        b'"\\ud800" = 1',
        b"version = 1\n" * 2,
    ],
    ids=lambda content: content[:9].decode(errors="replace") + hashlib.sha256(content).hexdigest()[:4],
)
def test_what_is_no_toml_or_hardly(name: str, content: bytes, orders: Path, tmp_path: Path) -> None:
    (orders / "uv.lock").unlink()
    (orders / name).write_bytes(content)
    project, tool = find_project(orders)
    with pytest.raises(LbdartError) as error:
        _ = LayerArtifact(project, tool, Target((3, 13)), Options(), (), Store(tmp_path / "cache")).selection
    assert str(orders / name) in error.value.problem or "uv cannot read the lock" in error.value.problem
    shutil.rmtree(orders)


def test_a_hash_that_is_a_path_is_no_hash(tmp_path: Path) -> None:
    root = make_project(tmp_path / "orders")
    wheel = make_wheel(tmp_path, "alpha")
    (root / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "tests"\n' + locked_file(wheel, sha="../../../etc/cron.d/evil")
    )
    project, tool = find_project(root)
    with pytest.raises(LbdartError, match=r"has no sha256 for alpha-1\.0-py3-none-any\.whl"):
        _ = LayerArtifact(project, tool, Target((3, 13)), Options(), (), Store(tmp_path / "cache")).selection
