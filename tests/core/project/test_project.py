"""What a project says about itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.project.project import Project, named_path
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.project.toml import read_toml
from tests.support.projects import make_project


def project(root: Path, pyproject: str = "", pin: str | None = None) -> Project:
    root.mkdir(exist_ok=True)
    (root / "pyproject.toml").write_text(pyproject)
    if pin is not None:
        (root / ".python-version").write_text(pin)
    return Project(root, root / "uv.lock")


def test_a_manifest_is_read_once_so_that_what_was_hashed_is_what_is_published(tmp_path: Path) -> None:
    found = project(tmp_path)
    found.manifest.write_bytes(b"one")
    assert found.manifest_md5 == hashlib.md5(b"one", usedforsecurity=False).hexdigest()
    found.manifest.write_bytes(b"two")
    assert found.manifest_content == b"one"
    assert found.manifest_sha256 == hashlib.sha256(b"one").hexdigest()


def test_a_manifest_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match=r"The manifest .*uv\.lock cannot be read: No such file"):
        _ = project(tmp_path).manifest_content


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000, "a\0b", "gone", ""])
def test_a_path_that_no_file_can_have_names_nothing(name: str, tmp_path: Path) -> None:
    assert named_path(tmp_path, name) == (None if name else tmp_path)


def test_a_path_is_named_relative_to_a_directory(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    assert named_path(tmp_path / "app", "../lib") == tmp_path / "lib"


def test_what_the_pyproject_says(tmp_path: Path) -> None:
    root = make_project(tmp_path / "x", "my-app", "2.0", extras={"fast": []}, groups={"dev": [], "ops": []})
    found = Project(root, root / "uv.lock")
    assert (found.name, found.version, found.has_build_system) == ("my-app", "2.0", True)
    assert (found.extras, found.groups) == (("fast",), ("dev", "ops"))


def test_what_it_does_not_say(tmp_path: Path) -> None:
    found = Project(tmp_path / "My.App", tmp_path / "My.App" / "uv.lock")
    assert (found.name, found.version, found.has_build_system) == ("my-app", None, False)
    assert (found.extras, found.groups, found.pyproject) == ((), (), {})


def test_what_poetry_said_before_there_was_a_standard(tmp_path: Path) -> None:
    found = project(tmp_path, '[tool.poetry]\nname = "My_App"\nversion = "2.0"\n')
    assert (found.name, found.version) == ("my-app", "2.0")
    standard = project(tmp_path, '[project]\nname = "app"\n[tool.poetry]\nname = "other"\nversion = "2.0"\n')
    assert (standard.name, standard.version) == ("app", "2.0")


def test_names_are_normalised(tmp_path: Path) -> None:
    assert project(tmp_path, '[project]\nname = "My_App.X"\n').name == "my-app-x"


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("My Proj.v1 Ünï", "my-proj-v1-uni"),
        ("_app (2)", "app-2"),
        ("a & b", "a-b"),
        ("日本", ""),
    ],
)
def test_a_name_has_the_letters_of_a_packages_name(tmp_path: Path, directory: str, name: str) -> None:
    assert project(tmp_path / directory).name == name
    assert project(tmp_path, f'[tool.poetry]\nname = "{directory}"\n').name == name


@pytest.mark.parametrize("content", ["= 1", "[project\n", '[project]\nname = "a\n', "a = 1\na = 2\n"])
def test_a_pyproject_that_is_no_toml(tmp_path: Path, content: str) -> None:
    with pytest.raises(LbdartError, match=r"pyproject\.toml is not TOML: .*line \d.*\nCorrect the file"):
        _ = project(tmp_path, content).name


def test_a_file_that_is_no_text_or_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(LbdartError, match=r"x\.toml is not TOML"):
        read_toml(tmp_path / "x.toml")
    with pytest.raises(LbdartError, match="cannot be read"):
        read_toml(tmp_path)


@pytest.mark.parametrize(
    "pin", ["3.13", "3.13.2", "cpython-3.13", "python3.13", "cpython3.13.1", "\n 3.13 \n3.9\n"]
)
def test_the_pinned_python(tmp_path: Path, pin: str) -> None:
    found = project(tmp_path, '[project]\nrequires-python = ">=3.11"\n', pin)
    assert found.python() == (3, 13)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_pin_as_powershell_writes_it(tmp_path: Path, encoding: str) -> None:
    found = project(tmp_path)
    (tmp_path / ".python-version").write_text("3.13\n", encoding)
    assert found.python() == (3, 13)


def test_a_pin_that_is_no_text(tmp_path: Path) -> None:
    found = project(tmp_path)
    (tmp_path / ".python-version").write_bytes(b"\x80\x81")
    with pytest.raises(LbdartError, match=r"\.python-version pins .*, which is not a Python version"):
        found.python()


def test_a_pyproject_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    found = project(tmp_path, '\ufeff[project]\nname = "orders"\n')
    assert found.name == "orders"


@pytest.mark.parametrize("pin", ["", "pypy3.10", "3", "3.13t", "latest"])
def test_a_pin_that_lambda_has_no_python_for(tmp_path: Path, pin: str) -> None:
    with pytest.raises(LbdartError, match=r"\.python-version pins .*\n.*runtime="):
        project(tmp_path, pin=pin).python()


def test_without_a_pin_the_oldest_runtime_that_the_project_admits(tmp_path: Path) -> None:
    assert project(tmp_path, '[project]\nrequires-python = ">=3.12,<4"\n').python() == (3, 12)


@pytest.mark.parametrize(
    ("pyproject", "problem"),
    [
        ("", "does not say which Python it is for"),
        ('[project]\nrequires-python = "three"\n', "is not a version specifier: 'three'"),
        ('[project]\nrequires-python = ">=3.99"\n', "No Lambda runtime has a Python that"),
    ],
)
def test_a_project_that_names_no_python_of_lambda(tmp_path: Path, pyproject: str, problem: str) -> None:
    with pytest.raises(LbdartError, match=problem):
        project(tmp_path, pyproject).python()


def test_a_member_of_a_workspace_has_the_pin_beside_the_lock(tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_text("3.13\n")
    member = project(tmp_path / "member", '[project]\nrequires-python = ">=3.11"\n')
    assert Project(member.root, tmp_path / "uv.lock").python() == (3, 13)
    (member.root / ".python-version").write_text("3.12\n")
    assert Project(member.root, tmp_path / "uv.lock").python() == (3, 12)


@pytest.mark.parametrize(
    ("required", "admitted"),
    [(">=3.11", True), (">=3.12.4,<3.13", True), (">=3.13", False), ("<3.12", False)],
)
def test_a_runtime_must_be_one_that_the_project_is_for(tmp_path: Path, required: str, admitted: bool) -> None:
    found = project(tmp_path, f'[project]\nname = "x"\nrequires-python = "{required}"\n')
    if admitted:
        found.refuse_unless_for(Target((3, 12)))
    else:
        with pytest.raises(LbdartError, match=r"The project x requires Python .* the runtime is python3\.12"):
            found.refuse_unless_for(Target((3, 12)))
