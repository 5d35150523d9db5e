"""Any PEP 751 lock is read as it stands; nobody has to be asked."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.lock import Lock
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.select import select
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import frontend
from lbdart_cdk.tools.pylock import lock as reader
from tests.support.git import make_repository
from tests.support.locks import locked, locked_file
from tests.support.projects import files_in, make_project
from tests.support.wheels import make_wheel, names_in


def write(root: Path, *packages: str, head: str = "", name: str = "pylock.toml") -> Path:
    root.mkdir(exist_ok=True)
    path = root / name
    path.write_text(f'lock-version = "1.0"\ncreated-by = "tests"\n{head}\n' + "\n".join(packages))
    return path


def lock(path: Path, store: Store, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> Lock:
    project, tool = find_project(path)
    return tool.lock(project, Options(extras, groups), Target((3, 13)), store)


def layer(path: Path, store: Store, **options: tuple[str, ...]) -> LayerArtifact:
    project, tool = find_project(path)
    return LayerArtifact(project, tool, Target((3, 13)), Options(**options), (), store)


def packed(path: Path, store: Store) -> set[str]:
    """Return the packages that a layer of the lock has."""
    names = [name.split("/")[1] for name in names_in(layer(path, store).build())]
    return {name for name in names if not name.endswith(".dist-info")}


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.prod.toml"])
def test_a_lock_is_taken_as_it_stands(tmp_path: Path, store: Store, name: str) -> None:
    path = write(tmp_path, locked_file(make_wheel(tmp_path)), name=name)
    found = lock(path, store)
    assert found.content == tomllib.loads(path.read_text())
    assert packed(path, store) == {"alpha"}


def test_what_uv_exports_is_understood(orders: Path, store: Store) -> None:
    executable = frontend.uv_executable()
    assert executable is not None
    subprocess.run(
        [
            executable, "export", "--quiet", "--format=pylock.toml", "--no-emit-project",
            "--output-file=pylock.toml",
        ],
        cwd=orders,
        check=True,
        capture_output=True,
    )  # fmt: skip
    (orders / "uv.lock").unlink()
    chosen = select(lock(orders, store), Target((3, 11)))
    assert chosen.packages == ("alpha", "native", "urllib3")
    assert packed(orders, store) == {"alpha", "native.so", "urllib3"}


def test_the_project_is_left_as_it_is_and_the_lock_is_understood_once(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "orders", locked("alpha", wheels=["alpha-1.0-py3-none-any.whl"])).parent
    before = files_in(root)
    first = lock(root, store)
    assert files_in(root) == before
    monkeypatch.setattr(reader, "_read", lambda _: pytest.fail("read again"))
    assert lock(root, store) == first


def test_wheels_at_relative_paths_lie_beside_the_lock(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "orders"
    wheel = make_wheel(root / "vendor")
    table = locked_file(wheel).replace(str(wheel), f"vendor/{wheel.name}")
    write(root, table)
    monkeypatch.chdir(tmp_path)
    assert packed(Path("orders"), store) == {"alpha"}


def test_extras_groups_and_default_groups_are_those_of_the_lock(tmp_path: Path, store: Store) -> None:
    markers = {
        "alpha": "'default' in dependency_groups",
        "beta": "'fast' in extras",
        "gamma": "'ops' in dependency_groups",
    }
    root = write(
        tmp_path,
        *(
            locked(name, wheels=[f"{name}-1.0-py3-none-any.whl"], marker=marker)
            for name, marker in markers.items()
        ),
        head='extras = ["fast"]\ndependency-groups = ["ops"]\ndefault-groups = ["default"]\n',
    ).parent

    def chosen(**options: tuple[str, ...]) -> tuple[str, ...]:
        return select(lock(root, store, **options), Target((3, 13))).packages

    assert chosen() == ("alpha",)
    assert chosen(extras=("Fast",), groups=("OPS",)) == ("alpha", "beta", "gamma")
    with pytest.raises(LbdartError, match=r"pylock\.toml has no extras named slow\.\n.*: fast\."):
        chosen(extras=("slow",))


class TestWhoRequiresWhom:
    """urllib3 stays when a kept package requires it: the wheels say that."""

    def wheels(self, folder: Path, *, requires: list[str]) -> list[str]:
        return [
            locked_file(make_wheel(folder, "alpha", requires=requires)),
            locked_file(make_wheel(folder, "urllib3")),
            locked_file(make_wheel(folder, "boto3", requires=["urllib3"])),
        ]

    @pytest.mark.parametrize(
        ("requires", "kept"),
        [
            (["urllib3>=1"], {"alpha", "urllib3"}),
            ([], {"alpha"}),
            (["urllib3; sys_platform == 'win32'"], {"alpha"}),
            (["urllib3; sys_platform == 'win32'", "urllib3; sys_platform == 'linux'"], {"alpha", "urllib3"}),
            (["urllib3; extra == 'http'"], {"alpha"}),
            (["not a requirement !"], {"alpha"}),
        ],
    )
    def test_else_the_wheels_say_it(
        self, tmp_path: Path, store: Store, requires: list[str], kept: set[str]
    ) -> None:
        root = write(tmp_path, *self.wheels(tmp_path, requires=requires)).parent
        assert lock(root, store).requires is None
        assert packed(root, store) == kept

    def test_a_project_of_the_users_says_it_when_it_is_built(self, tmp_path: Path, store: Store) -> None:
        lib = make_project(tmp_path / "lib", "lib")
        backend = lib / "backend.py"
        backend.write_text(
            backend.read_text().replace(
                "Metadata-Version: 2.1\\n", "Metadata-Version: 2.1\\nRequires-Dist: urllib3\\n"
            )
        )
        root = write(
            tmp_path,
            locked("lib", source='directory = { path = "lib" }\n'),
            *self.wheels(tmp_path, requires=[]),
        ).parent
        assert packed(root, store) == {"alpha", "lib", "urllib3"}


class TestLocalPackages:
    """Directories of the user's are built from a copy; their files are part of the build key."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        make_project(tmp_path / "lib", "lib")
        table = {"path": "..", "subdirectory": "lib"}
        inline = ", ".join(f"{name} = {json.dumps(value)}" for name, value in table.items())
        return write(tmp_path / "orders", locked("lib", source=f"directory = {{ {inline} }}\n")).parent

    @pytest.mark.parametrize("with_uv", [True, False], ids=["uv", "pip"])
    def test_they_are_built_with_uv_or_else_with_pip(
        self, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch, with_uv: bool
    ) -> None:
        before = files_in(root.parent / "lib")
        if not with_uv:
            monkeypatch.setattr(frontend, "uv_executable", lambda: None)
        assert packed(root, store) == {"lib"}
        assert files_in(root.parent / "lib") == before

    def test_both_builders_give_the_same_bytes(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with_uv = layer(root, Store(tmp_path / "one")).build().read_bytes()
        monkeypatch.setattr(frontend, "uv_executable", lambda: None)
        assert layer(root, Store(tmp_path / "other")).build().read_bytes() == with_uv

    @pytest.mark.parametrize("with_uv", [True, False], ids=["uv", "pip"])
    def test_a_project_that_cannot_be_built(
        self, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch, with_uv: bool
    ) -> None:
        if not with_uv:
            monkeypatch.setattr(frontend, "uv_executable", lambda: None)
        (root.parent / "lib/backend.py").write_text("raise RuntimeError('no such compiler')\n")
        with pytest.raises(LbdartError, match="/lib could not be built: RuntimeError: no such compiler"):
            layer(root, store).build()

    def test_an_edit_gives_another_build_key(self, root: Path, store: Store) -> None:
        before = layer(root, store).build_key
        (root.parent / "lib/src/lib/app.py").write_text("changed = True\n")
        assert layer(root, store).build_key != before


def test_a_directory_of_a_repository(tmp_path: Path, store: Store) -> None:
    make_project(tmp_path / "mono/libs/lib", "lib")
    commit = make_repository(tmp_path / "mono")
    for place in (f'url = "{(tmp_path / "mono").as_uri()}"', 'path = "../mono"'):
        vcs = f'vcs = {{ type = "git", {place}, commit-id = "{commit}", subdirectory = "libs/lib" }}\n'
        root = write(tmp_path / "orders", locked("lib", source=vcs)).parent
        assert packed(root, store) == {"lib"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda _: "= 1", "is not TOML"),
        (lambda text: text.replace("lock-version", "version"), "is not a valid lock"),
        (lambda text: text.replace('"1.0"', '"2.0"', 1), "is not a valid lock"),
    ],
)
def test_what_is_no_lock(tmp_path: Path, store: Store, change: Callable[[str], str], problem: str) -> None:
    path = write(tmp_path, locked("alpha", wheels=["alpha-1.0-py3-none-any.whl"]))
    path.write_text(change(path.read_text()))
    with pytest.raises(LbdartError) as error:
        _ = lock(path, store).pylock
    assert error.value.problem.startswith(f"{path} {problem}")
