"""Which tool locks a project, told by its manifest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking import manifest as manifest_module
from lbdart_cdk.core.locking.manifest import find_project, tools
from lbdart_cdk.core.project.project import Project
from tests.support.fakes import FakeTool
from tests.support.projects import make_project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_project(tmp_path / "orders", tail="[tool.uv.workspace]\nmembers = ['./packages/*', 'd/**']\n")
    (root / "uv.lock").write_text("version = 1\n")
    return root


@pytest.fixture
def other_tool(monkeypatch: pytest.MonkeyPatch) -> FakeTool:
    """A second tool, with a manifest of its own."""
    other = FakeTool()
    both = {**tools(), other.name: other}
    monkeypatch.setattr(manifest_module, "tools", lambda: both)
    return other


def refused(path: str | Path, name: str | None = None) -> LbdartError:
    with pytest.raises(LbdartError) as error:
        find_project(path, name)
    return error.value


def test_a_module_that_defines_a_tool_is_all_it_takes() -> None:
    assert "uv" in tools()
    assert {tool.name: tool for tool in tools().values()} == tools()


@pytest.mark.parametrize("name", [None, "uv"])
def test_a_project_is_found_at_its_directory_or_its_manifest(root: Path, name: str | None) -> None:
    for path in (root, root / "uv.lock", str(root)):
        project, tool = find_project(path, name)
        assert (project.root, project.manifest, tool.name) == (root, root / "uv.lock", "uv")


def test_a_path_is_relative_to_the_working_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    assert find_project("orders")[0].root == root
    monkeypatch.chdir(root)
    assert find_project(".")[0].root == root
    monkeypatch.chdir(root / "src")
    for path in ("..", "../uv.lock"):
        assert find_project(path)[0] == Project(root, root / "uv.lock")


def test_a_directory_named_by_its_child_has_no_manifest_of_the_child(root: Path) -> None:
    member = make_project(root / "packages/lib", "lib")
    child = make_project(member / "infra", "infra")
    (child / "uv.lock").write_text("")
    assert find_project(child / "..")[0] == Project(member, root / "uv.lock")


def test_a_member_of_a_workspace_has_the_manifest_above_it(root: Path) -> None:
    member = make_project(root / "packages/lib", "lib")
    project, tool = find_project(member)
    assert (project.root, project.manifest, tool.name) == (member, root / "uv.lock", "uv")


def test_a_folder_that_is_no_project_does_not_take_the_manifest_above_it(root: Path) -> None:
    assert re.match(r"There is no .*uv\.lock in ", refused(root / "src").problem)


def test_a_project_that_does_not_exist(tmp_path: Path) -> None:
    error = refused(tmp_path / "nowhere")
    assert error.problem == f"There is no project at {tmp_path / 'nowhere'}."
    assert "project=" in error.remedy


@pytest.mark.parametrize("name", [None, "uv"])
def test_a_project_without_a_manifest(tmp_path: Path, name: str | None) -> None:
    error = refused(make_project(tmp_path / "orders"), name)
    looked_for = [tool.manifest for tool in tools().values()] if name is None else ["uv.lock"]
    assert error.problem.startswith("There is no ")
    assert error.problem.endswith(f"uv.lock in {tmp_path / 'orders'}.")
    assert all(manifest in error.problem for manifest in looked_for)
    tool = "its tool (for uv: `uv lock`)" if name is None else "uv"
    assert error.remedy == f"Lock the project with {tool}, or pass the directory of its manifest as project=."


def test_a_tool_that_does_not_exist(root: Path) -> None:
    error = refused(root, "conda")
    assert error.problem == "There is no tool 'conda'."
    assert "uv" in error.remedy


def test_a_manifest_of_another_tool(root: Path, other_tool: FakeTool) -> None:
    error = refused(root, other_tool.name)
    assert error.problem == f"There is no fake.lock in {root}, only uv.lock."
    assert error.remedy == "Lock the project with fake, or pass the tool that locks it as tool=."


def test_more_than_one_manifest(root: Path, other_tool: FakeTool) -> None:
    (root / other_tool.manifest).write_text("")
    error = refused(root)
    assert error.problem == f"{root} has more than one manifest: uv.lock and fake.lock."
    assert error.remedy == "Pass the tool that locks the project: tool='uv' or tool='fake'."
    assert find_project(root, other_tool.name)[0].manifest == root / "fake.lock"


def test_more_than_two_manifests(root: Path) -> None:
    (root / "pylock.toml").write_text("")
    manifests = sorted(tool.manifest for tool in tools().values())
    for manifest in manifests:
        (root / manifest).write_text("")
    error = refused(root)
    assert all(manifest in error.problem for manifest in manifests)
    for tool in tools().values():
        assert f"tool={tool.name!r}" in error.remedy
        assert find_project(root, tool.name) == (Project(root, root / tool.manifest), tool)


def test_a_member_of_a_workspace_may_have_a_manifest_of_another_tool(root: Path) -> None:
    member = make_project(root / "packages/lib", "lib")
    (member / "pylock.toml").write_text("")
    error = refused(member)
    assert error.problem == f"{member} has more than one manifest: pylock.toml and ../../uv.lock."
    assert find_project(member, "pylock")[0].manifest == member / "pylock.toml"
    assert find_project(member, "uv")[0].manifest == root / "uv.lock"


@pytest.mark.parametrize(
    ("place", "is_member"),
    [
        ("packages/lib", True),
        ("d/e/lib", True),
        ("packages", False),
        ("packages/lib/nested", False),
        ("other/packages/lib", False),
        ("infra", False),
    ],
)
def test_a_workspace_has_the_members_that_it_names(root: Path, place: str, is_member: bool) -> None:
    project = make_project(root / place, "lib")
    if is_member:
        assert find_project(project)[0].manifest == root / "uv.lock"
    else:
        assert re.match(r"There is no .*uv\.lock in ", refused(project).problem)
        (project / "requirements.txt").write_text("")
        assert find_project(project)[0].manifest == project / "requirements.txt"


def test_a_workspace_has_no_members_that_it_excludes(root: Path) -> None:
    with (root / "pyproject.toml").open("a") as file:
        file.write("exclude = ['packages/old-*']\n")
    assert find_project(make_project(root / "packages/new"))[0].manifest == root / "uv.lock"
    assert "There is no" in refused(make_project(root / "packages/old-lib")).problem


def test_what_is_above_a_project_is_told_by_its_real_path(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = make_project(root / "packages/lib", "lib")
    (tmp_path / "link").symlink_to(member)
    assert find_project(tmp_path / "link")[0] == Project(member, root / "uv.lock")
    other = make_project(tmp_path / "other")
    monkeypatch.chdir(root / "packages")
    assert "There is no" in refused("../../other").problem
    (other / "uv.lock").write_text("")
    assert find_project("../../other/uv.lock")[0] == Project(other, other / "uv.lock")


def test_only_a_tool_with_workspaces_is_looked_for_above_a_project(root: Path) -> None:
    (root / "uv.lock").rename(root / "pylock.toml")
    error = refused(make_project(root / "packages/lib", "lib"))
    assert error.problem.startswith("There is no ")


def test_a_manifest_of_another_name_can_be_given_where_the_tool_has_such_names(root: Path) -> None:
    (root / "pylock.prod.toml").write_text("")
    project, tool = find_project(root / "pylock.prod.toml")
    assert (project.manifest, tool.name) == (root / "pylock.prod.toml", "pylock")


@pytest.mark.parametrize("name", [None, "uv"])
def test_a_file_that_is_no_manifest(root: Path, name: str | None) -> None:
    error = refused(root / "pyproject.toml", name)
    assert error.problem.startswith(f"{root / 'pyproject.toml'} is not a manifest of ")
    assert error.remedy.startswith("Pass ")
    assert error.remedy.endswith("uv.lock, or the project's directory.")


def test_a_manifest_of_another_tool_than_the_named(root: Path, other_tool: FakeTool) -> None:
    assert "uv.lock is not a manifest of fake" in refused(root / "uv.lock", other_tool.name).problem
