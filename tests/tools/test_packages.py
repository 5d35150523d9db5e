"""Whether a project is a package: what each tool says of it.

Tried with ``uv sync``, ``poetry install``, ``pdm install`` and ``pip install .`` in such projects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from lbdart_cdk.core.artifacts.source import SourceArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.manifest import tool_named, tools
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.source.steps import build_source_dir_using_pip, build_source_dir_using_uv
from lbdart_cdk.core.store.store import Store
from tests.support.index import Index
from tests.support.projects import BACKEND, files_in
from tests.support.wheels import make_wheel, names_in

PROJECT: Final = '[project]\nname = "orders"\nversion = "1.2.0"\n'
BACKEND_TABLE: Final = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
SETTINGS: Final = (
    "[tool.uv]\npackage = {0}\n[tool.poetry]\npackage-mode = {0}\n[tool.pdm]\ndistribution = {0}\n"
)

#: Projects by kind: the pyproject.toml, whether there is a setup.py, and the tools that see a package in it.
KINDS: Final = {
    "a project": (PROJECT, False, {"poetry", "pdm"}),
    "with a build system": (PROJECT + BACKEND_TABLE, False, {"uv", "poetry", "pdm", "pip", "pylock"}),
    "with a build system, and no package": (
        PROJECT + BACKEND_TABLE + SETTINGS.format("false"),
        False,
        {"pip", "pylock"},
    ),
    "no build system, but a package": (PROJECT + SETTINGS.format("true"), False, {"uv", "poetry", "pdm"}),
    "with a setup.py": (PROJECT, True, {"poetry", "pdm", "pip", "pylock"}),
    "a setup.py alone": (None, True, {"pip", "pylock"}),
    "a setup.py and other tools' settings": ("[tool.ruff]\n", True, {"poetry", "pip", "pylock"}),
    "other tools' settings": ("[tool.ruff]\n", False, {"poetry"}),  # Poetry: not valid in package mode
    "Poetry's own table": ('[tool.poetry]\nname = "orders"\nversion = "1.2.0"\n', False, {"poetry"}),
    "PDM's application": (PROJECT + '[tool.pdm]\npackage-type = "application"\n', False, {"poetry"}),
    "a manifest alone": (None, False, set()),
}


def made(root: Path, pyproject: str | None, *, setup: bool = False) -> Path:
    (root / "src/orders").mkdir(parents=True)
    (root / "src/orders/app.py").write_text("")
    (root / "src/orders/data.json").write_text("{}")
    if pyproject is not None:
        (root / "pyproject.toml").write_text(pyproject)
    if setup:
        (root / "setup.py").write_text("")
    return root


@pytest.mark.parametrize("tool", sorted(tools()))
@pytest.mark.parametrize("kind", KINDS)
def test_a_project_is_a_package_where_its_tool_sees_one(tmp_path: Path, kind: str, tool: str) -> None:
    pyproject, setup, packages_of = KINDS[kind]
    root = made(tmp_path / "orders", pyproject, setup=setup)
    project = Project(root, root / tool_named(tool).manifest)
    assert (tool_named(tool).frontend_of(project) is not None) == (tool in packages_of)


@pytest.fixture
def backends(index: Index, monkeypatch: pytest.MonkeyPatch) -> Index:
    """An index with the backends that a project need not name: setuptools (PEP 517), and Poetry's own."""
    legacy = f"class Legacy:\n{''.join(f'    {line}{chr(10)}' for line in BACKEND.splitlines())}"
    legacy = legacy.replace("def build_wheel(", "@staticmethod\n    def build_wheel(")
    legacy = legacy.replace("    import pathlib, tomllib, zipfile\n", "")
    module = f"import pathlib, tomllib, zipfile\n{legacy}\n__legacy__ = Legacy\n"
    make_wheel(index.folder, "setuptools", "80.0", files={"setuptools/build_meta.py": module})
    with_data = BACKEND.replace('rglob("*.py")', 'rglob("*.*")')
    make_wheel(index.folder, "poetry-core", "2.0", files={"poetry/core/masonry/api.py": with_data})
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(name, f"{index.url}/simple/")
    return index


@pytest.mark.usefixtures("backends")
@pytest.mark.parametrize(("tool", "data"), [("uv", False), ("pdm", False), ("poetry", True)])
def test_a_package_that_names_no_backend_is_built_with_the_tools_own(
    tmp_path: Path, store: Store, tool: str, *, data: bool
) -> None:
    root = made(tmp_path / "orders", PROJECT + "[tool.uv]\npackage = true\n")
    before = files_in(root)
    built = SourceArtifact(Project(root, root / "x.lock"), tool_named(tool), (), (), store).build()
    assert names_in(built.path) == [
        "orders-1.2.0.dist-info/METADATA",
        "orders/app.py",
        *(["orders/data.json"] if data else []),
    ]
    assert built.version == "1.2.0"
    assert files_in(root) == before


def test_a_package_without_a_backend_that_cannot_be_built_has_a_way_out(
    tmp_path: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.url}/simple/")
    root = made(tmp_path / "orders", PROJECT)
    with pytest.raises(LbdartError, match=r"orders could not be built: ") as error:
        SourceArtifact(Project(root, root / "poetry.lock"), tool_named("poetry"), (), (), store).build()
    assert "package-mode = false for Poetry" in error.value.remedy


@pytest.mark.parametrize("build", [build_source_dir_using_pip, build_source_dir_using_uv])
def test_a_script_sees_a_project_as_the_tool_does(tmp_path: Path, store: Store, build: object) -> None:
    assert callable(build)
    tables = PROJECT + BACKEND_TABLE + SETTINGS.format("false")
    root = made(tmp_path / "orders", tables)
    (root / "backend.py").write_text(BACKEND)
    is_package = build is build_source_dir_using_pip
    names = set(files_in(build(root / "pyproject.toml", store=store).path))
    assert ("orders-1.2.0.dist-info/METADATA" in names) == is_package
    assert ("orders/data.json" in names) != is_package
