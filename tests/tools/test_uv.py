"""uv is run for real, on projects that were locked against an index on the loopback address."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.lock import Lock
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.select import select
from lbdart_cdk.core.locking.selection import LocalPackage
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import frontend
from lbdart_cdk.core.wheels.build_hooks import BuildError
from lbdart_cdk.tools import uv
from tests.support.git import commit_all, make_repository
from tests.support.locks import local_directories
from tests.support.projects import (
    Workbench,
    files_in,
    index_table,
    leave_extras_to_backend,
    make_project,
    uv_lock,
)
from tests.support.wheels import make_wheel, names_in


def lock(root: Path, store: Store, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> Lock:
    project, tool = find_project(root)
    return tool.lock(project, Options(extras, groups), Target((3, 13)), store)


def chosen(found: Lock, target: Target | None = None) -> list[str]:
    return [wheel.package for wheel in select(found, target or Target((3, 11))).wheels]


def refused(
    root: Path, store: Store, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()
) -> LbdartError:
    with pytest.raises(LbdartError) as error:
        lock(root, store, extras, groups)
    return error.value


def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs uv from now on fails the test."""
    monkeypatch.setattr(frontend, "uv_executable", lambda: pytest.fail("uv was asked"))


def test_the_projects_own_dependencies_are_locked_with_all_they_require(orders: Path, store: Store) -> None:
    found = lock(orders, store)
    assert chosen(found) == ["alpha", "native", "urllib3"]
    assert found.requires is not None
    assert found.requires["alpha"] == {"1.0": ["urllib3"]}


def test_extras_and_groups_are_only_what_was_asked_for(orders: Path, store: Store) -> None:
    assert chosen(lock(orders, store, extras=("fast",))) == ["alpha", "beta", "native", "urllib3"]
    assert chosen(lock(orders, store, groups=("ops",))) == ["alpha", "gamma", "native", "urllib3"]


def test_wheels_have_their_url_hash_and_the_tags_of_the_target(
    orders: Path, store: Store, workbench: Workbench
) -> None:
    found = lock(orders, store)
    for target, tag in (
        (Target((3, 13), "arm64"), "cp313-cp313-manylinux_2_17_aarch64"),
        (Target((3, 11)), "cp311-cp311-manylinux_2_17_x86_64"),
    ):
        wheel = next(locked for locked in select(found, target).wheels if locked.package == "native")
        assert wheel.filename == f"native-1.0-{tag}.whl"
        assert wheel.source == f"{workbench.index.url}/files/{wheel.filename}"
        served = (workbench.index.folder / wheel.filename).read_bytes()
        assert wheel.sha256 == hashlib.sha256(served).hexdigest()


def test_uv_is_asked_once_and_the_project_is_left_as_it_is(
    orders: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_in(orders)
    first = lock(orders, store)
    assert files_in(orders) == before
    unreachable(monkeypatch)
    assert lock(orders, store) == first


def test_a_lock_that_does_not_match_its_pyproject_says_uv_lock(orders: Path, store: Store) -> None:
    lock(orders, store)
    pyproject = orders / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"native"', '"native", "beta"', 1))
    error = refused(orders, store)
    assert error.problem == f"{orders / 'uv.lock'} does not match {pyproject}."
    assert error.remedy == "Run `uv lock` and commit the result."


def test_a_lock_that_no_longer_matches_its_workspace(
    workbench: Workbench, tmp_path: Path, store: Store
) -> None:
    """Also where the workspace is no project itself."""
    workspace = tmp_path / "workspace"
    member = make_project(workspace / "app", "app", dependencies=["alpha"])
    pyproject = workspace / "pyproject.toml"
    pyproject.write_text("[tool.uv.workspace]\nmembers = ['app']\n" + index_table(workbench.index.url))
    uv_lock(workspace)
    lock(member, store)
    tables = pyproject.read_text()
    pyproject.write_text(f"[tool.uv]\nconstraint-dependencies = ['urllib3<9']\n{tables}")
    error = refused(member, store)
    assert error.problem == (
        f"{workspace / 'uv.lock'} does not match {pyproject}, or that of a member of the workspace."
    )
    pyproject.write_text(tables)
    lock(member, store)


def test_a_lock_that_does_not_match_what_a_backend_says(
    workbench: Workbench, tmp_path: Path, store: Store
) -> None:
    root = leave_extras_to_backend(make_project(tmp_path / "app", "app", dependencies=["alpha"]))
    pyproject = root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + index_table(workbench.index.url))
    uv_lock(root)
    lock(root, store)
    backend = root / "backend.py"
    backend.write_text(backend.read_text().replace('project["dependencies"]', '["beta"]'))
    assert refused(root, store).problem == f"{root / 'uv.lock'} does not match {pyproject}."


def test_an_extra_that_the_project_lacks(orders: Path, store: Store) -> None:
    error = refused(orders, store, extras=("slow",))
    assert "orders" in error.problem
    assert "slow" in error.problem
    assert error.remedy == "Its extras are: fast; its groups are: ops."


def test_a_group_that_the_project_lacks(orders: Path, store: Store) -> None:
    error = refused(orders, store, groups=("nops",))
    assert "nops" in error.problem
    assert "its groups are: ops." in error.remedy


@pytest.mark.parametrize("content", ["= 1\n", "version = [\n"])
def test_a_manifest_that_is_no_toml(orders: Path, store: Store, content: str) -> None:
    (orders / "uv.lock").write_text(content)
    error = refused(orders, store)
    assert error.problem.startswith(f"{orders / 'uv.lock'} is not TOML: ")


@pytest.mark.parametrize("content", ["", "x = 1\n", 'version = 1\n[[package]]\nversion = "1"\n'])
def test_a_manifest_that_is_no_lock_of_uv(orders: Path, store: Store, content: str) -> None:
    (orders / "uv.lock").write_text(content)
    error = refused(orders, store)
    assert str(orders) in error.problem
    assert "uv lock" in error.remedy


def test_a_project_that_requires_nothing(workbench: Workbench, tmp_path: Path, store: Store) -> None:
    root = make_project(tmp_path / "empty", tail=index_table(workbench.index.url))
    uv_lock(root)
    assert chosen(lock(root, store)) == []


def test_packages_of_a_workspace_are_directories(workbench: Workbench, tmp_path: Path, store: Store) -> None:
    workspace = make_project(
        tmp_path / "workspace",
        dependencies=["lib"],
        tail="[tool.uv.workspace]\nmembers = ['packages/*']\n[tool.uv.sources]\nlib = { workspace = true }\n"
        + index_table(workbench.index.url),
    )
    lib = make_project(workspace / "packages/lib", "lib", dependencies=["alpha"])
    app = make_project(
        workspace / "packages/app", "app", dependencies=["lib"],
        tail="[tool.uv.sources]\nlib = { workspace = true }\n",
    )  # fmt: skip
    uv_lock(workspace)
    for root in (workspace, app):
        found = lock(root, store)
        selection = select(found, Target((3, 11)))
        assert [wheel.package for wheel in selection.wheels] == ["alpha", "urllib3"]
        assert selection.local == (LocalPackage(selection.local[0].package, lib),)
        assert local_directories(found) == {"lib": lib}


def test_a_path_dependency_is_a_directory(workbench: Workbench, tmp_path: Path, store: Store) -> None:
    lib = make_project(tmp_path / "lib", "lib")
    root = make_project(
        tmp_path / "app", "app", dependencies=["lib"],
        tail='[tool.uv.sources]\nlib = { path = "../lib" }\n' + index_table(workbench.index.url),
    )  # fmt: skip
    uv_lock(root)
    assert local_directories(lock(root, store)) == {"lib": lib}


def test_a_directory_of_a_repository_is_built_at_its_commit(
    workbench: Workbench, tmp_path: Path, store: Store
) -> None:
    lib = make_project(tmp_path / "mono/libs/lib", "lib")
    before = make_repository(tmp_path / "mono")
    root = make_project(
        tmp_path / "app", "app", dependencies=["lib"],
        tail=f"[tool.uv.sources]\nlib = {{ git = '{(tmp_path / 'mono').as_uri()}', branch = 'main', "
        f"subdirectory = 'libs/lib' }}\n" + index_table(workbench.index.url),
    )  # fmt: skip
    uv_lock(root)
    (found,) = select(lock(root, store), Target((3, 13))).commits
    assert (found.commit.commit, found.subdirectory) == (before, "libs/lib")
    (lib / "src/lib/later.py").write_text("")
    commit_all(tmp_path / "mono")
    project, tool = find_project(root)
    first = LayerArtifact(project, tool, Target((3, 13)), Options(), (), store)
    assert "python/lib/app.py" in names_in(first.build())
    assert "python/lib/later.py" not in names_in(first.build())
    (root / "uv.lock").unlink()
    uv_lock(root)
    project, tool = find_project(root)
    second = LayerArtifact(project, tool, Target((3, 13)), Options(), (), store)
    assert second.build_key != first.build_key
    assert "python/lib/later.py" in names_in(second.build())


def test_a_wheel_and_an_archive_at_an_address(workbench: Workbench, tmp_path: Path, store: Store) -> None:
    make_project(tmp_path / "in/mono/libs/lib", "lib")
    made = shutil.make_archive(str(workbench.index.folder / "mono-1"), "gztar", tmp_path / "in", "mono")
    wheel = make_wheel(workbench.index.folder, "direct")
    root = make_project(
        tmp_path / "app", "app", dependencies=["lib", "direct"],
        tail=f"[tool.uv.sources]\ndirect = {{ url = '{workbench.index.file_url(wheel)}' }}\n"
        f"lib = {{ url = '{workbench.index.file_url(Path(made))}', subdirectory = 'libs/lib' }}\n"
        + index_table(workbench.index.url),
    )  # fmt: skip
    uv_lock(root)
    project, tool = find_project(root)
    names = names_in(LayerArtifact(project, tool, Target((3, 13)), Options(), (), store).build())
    assert {"python/lib/app.py", "python/direct/__init__.py"} < set(names)


def test_wheels_in_a_folder_are_those_of_this_copy_of_the_project(tmp_path: Path, store: Store) -> None:
    one = make_project(
        tmp_path / "one", dependencies=["alpha"],
        tail='[[tool.uv.index]]\nname = "flat"\nurl = "./wheels"\nformat = "flat"\ndefault = true\n',
    )  # fmt: skip
    make_wheel(one / "wheels")
    uv_lock(one)
    other = Path(shutil.copytree(one, tmp_path / "other"))
    for root in (one, other):
        (wheel,) = select(lock(root, store), Target((3, 11))).wheels
        assert Path(str(wheel.source).removeprefix("file://")).parent == root / "wheels"


def test_files_beside_a_project_whose_backend_says_what_it_requires(tmp_path: Path, store: Store) -> None:
    root = make_project(
        tmp_path / "one", dependencies=["alpha", "beta"],
        tail='[[tool.uv.index]]\nname = "flat"\nurl = "./wheels"\nformat = "flat"\ndefault = true\n'
        f"[tool.uv.sources]\nbeta = {{ path = '../{make_wheel(tmp_path, 'beta').name}' }}\n",
    )  # fmt: skip
    make_wheel(root / "wheels")
    leave_extras_to_backend(root)
    uv_lock(root)
    alpha, beta = (str(wheel.source) for wheel in select(lock(root, store), Target((3, 11))).wheels)
    assert alpha == (root / "wheels/alpha-1.0-py3-none-any.whl").as_uri()
    assert Path(beta).resolve() == tmp_path / "beta-1.0-py3-none-any.whl"


def test_variables_of_uv_do_not_change_the_answer(
    orders: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_FROZEN", "1")
    monkeypatch.setenv("UV_NO_DEV", "1")
    monkeypatch.setenv("UV_NO_GROUP", "ops")
    assert chosen(lock(orders, store, groups=("ops",))) == ["alpha", "gamma", "native", "urllib3"]


@pytest.mark.parametrize("variable", ["UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"])
def test_a_variable_that_names_another_project_is_not_for_this_one(
    orders: Path, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    other = make_project(tmp_path / "other", "other")
    uv_lock(other)
    monkeypatch.setenv(variable, str(other))
    assert chosen(lock(orders, store)) == ["alpha", "native", "urllib3"]
    uv.TOOL.frontend.build_wheel(orders, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").glob("*.whl")] == ["orders-1.2.0-py3-none-any.whl"]


def test_a_project_is_built_by_its_own_backend(orders: Path, tmp_path: Path) -> None:
    uv.TOOL.frontend.build_wheel(orders, tmp_path / "out")
    (wheel,) = (tmp_path / "out").glob("*.whl")
    assert wheel.name == "orders-1.2.0-py3-none-any.whl"
    assert "orders/app.py" in names_in(wheel)


def test_the_python_that_is_pinned_for_lambda_need_not_be_installed(
    orders: Path, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (orders / ".python-version").write_text("3.14\n")
    monkeypatch.delenv("UV_PYTHON")
    monkeypatch.setenv("PATH", "")
    assert chosen(lock(orders, store)) == ["alpha", "native", "urllib3"]
    uv.TOOL.frontend.build_wheel(orders, tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.whl"))) == 1


@pytest.fixture
def of_the_future(orders: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project for a Python that this machine does not have."""
    for name in ("pyproject.toml", "uv.lock"):
        path = orders / name
        path.write_text(path.read_text().replace(">=3.11", ">=3.99"))
    monkeypatch.delenv("UV_PYTHON")
    return orders


def lock_of_the_future(root: Path, store: Store, *extras: str) -> Lock:
    project, tool = find_project(root)
    return tool.lock(project, Options(extras), Target((3, 99)), store)


def test_a_lock_is_read_without_the_python_that_it_requires(of_the_future: Path, store: Store) -> None:
    made = lock_of_the_future(of_the_future, store, "fast")
    assert made.content["requires-python"] == ">=3.99"
    assert [package["name"] for package in made.content["packages"]] == ["alpha", "beta", "native", "urllib3"]


def test_and_is_refused_when_it_does_not_match(of_the_future: Path, store: Store) -> None:
    pyproject = of_the_future / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"native"', '"gamma"'))
    with pytest.raises(LbdartError, match=r"does not match .*\nRun `uv lock`"):
        lock_of_the_future(of_the_future, store)


def test_nothing_is_built_with_another_python_than_required(of_the_future: Path, store: Store) -> None:
    leave_extras_to_backend(of_the_future)
    with pytest.raises(LbdartError, match=r"uv needs Python >=3\.99 to read"):
        lock_of_the_future(of_the_future, store)
    assert not (of_the_future / "left-behind.txt").exists()
    with pytest.raises(BuildError) as error:
        uv.TOOL.frontend.build_wheel(of_the_future, store.root / "out")
    assert error.value.why == "uv finds no Python >=3.99 for its build"


def test_a_python_that_is_not_installed_is_named(of_the_future: Path, store: Store) -> None:
    orders = of_the_future
    error = refused(orders, store)
    assert error.problem == (
        f"uv needs Python >=3.99 to read {orders / 'uv.lock'}, and finds none on this machine."
    )
    assert error.remedy.startswith("Install it with `uv python install`")


def test_extras_that_exclude_each_other(workbench: Workbench, tmp_path: Path, store: Store) -> None:
    root = make_project(
        tmp_path / "app", extras={"one": ["beta"], "other": ["gamma"]},
        tail="[tool.uv]\nconflicts = [[{ extra = 'one' }, { extra = 'other' }]]\n"
        + index_table(workbench.index.url),
    )  # fmt: skip
    uv_lock(root)
    assert chosen(lock(root, store, extras=("one",))) == ["beta"]
    error = refused(root, store, extras=("one", "other"))
    assert "has options that exclude each other: Extras `one` and `other`" in error.problem
    assert error.remedy == "Select one of them, and put the other in another layer."


def test_a_lock_for_other_machines_alone(workbench: Workbench, tmp_path: Path, store: Store) -> None:
    root = make_project(
        tmp_path / "app", dependencies=["alpha"],
        tail="[tool.uv]\nenvironments = [\"sys_platform == 'darwin'\"]\n" + index_table(workbench.index.url),
    )  # fmt: skip
    uv_lock(root)
    with pytest.raises(LbdartError, match=r"does not cover .*\nLock again with `environments` that"):
        chosen(lock(root, store))


def test_a_project_that_cannot_be_built(orders: Path, tmp_path: Path) -> None:
    (orders / "backend.py").write_text("raise RuntimeError('no such compiler')\n")
    with pytest.raises(
        LbdartError, match="The project could not be built to a wheel: RuntimeError: no such comp"
    ):
        uv.TOOL.frontend.build_wheel(orders, tmp_path / "out")


def test_uv_that_is_not_installed(orders: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uv", None)
    monkeypatch.setenv("PATH", "")
    error = refused(orders, store)
    assert error.problem == "uv is not installed, and the project is locked or built with it."
    assert error.remedy.startswith("Install it: ")


def test_a_password_in_the_address_of_an_index_is_kept_nowhere(
    workbench: Workbench, tmp_path: Path, store: Store
) -> None:
    private = workbench.index.url.replace("//", "//user:hunter2@")
    root = make_project(tmp_path / "app", dependencies=["alpha"], tail=index_table(private))
    uv_lock(root)
    found = lock(root, store)
    assert "hunter2" not in str(found.content)
    assert not [name for name, content in files_in(store.root).items() if b"hunter2" in content]
