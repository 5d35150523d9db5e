"""The order of the folders: what each part may know, and what starting the library may cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import lbdart_cdk
import runtime

PACKAGE: Final = Path(lbdart_cdk.__file__).parent
RUNTIME: Final = Path(runtime.__file__).parent

#: From the top to the bottom: a folder imports only from itself and from those below it.
FOLDERS: Final = (
    "lbdart_cdk",
    "lbdart_cdk.constructs",
    "lbdart_cdk.cli",
    "lbdart_cdk.tools",
    "lbdart_cdk.core.api",
    "lbdart_cdk.core.layer",
    "lbdart_cdk.core.source",
    "lbdart_cdk.core.reports",
    "lbdart_cdk.core.artifacts",
    "lbdart_cdk.core.packing",
    "lbdart_cdk.core.native",
    "lbdart_cdk.core.wheels",
    "lbdart_cdk.core.locking",
    "lbdart_cdk.core.project",
    "lbdart_cdk.core.credentials",
    "runtime",
    "lbdart_cdk.core.publishing",
    "lbdart_cdk.core.store",
    "lbdart_cdk.core.archive",
    "lbdart_cdk.core",
)
#: What belongs to AWS CDK, and starts Node.
CDK: Final = {"aws_cdk", "jsii", "constructs"}


def module_name(path: Path, root: Path) -> str:
    relative = path.relative_to(root.parent).with_suffix("")
    return ".".join(relative.parts).removesuffix(".__init__")


MODULES: Final = {
    module_name(path, root): path
    for root in (PACKAGE, RUNTIME)
    for path in root.rglob("*.py")
    if "__pycache__" not in path.parts
}


def imports(name: str) -> Iterator[str]:
    """Yield the absolute names that a module imports, in functions too, and only for its types."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in MODULES else base


def top(name: str) -> str:
    return name.partition(".")[0]


def folder_of(name: str) -> str:
    """Return the folder that a module is in, or that it is."""
    return max((folder for folder in FOLDERS if f"{name}.".startswith(f"{folder}.")), key=len)


def test_there_is_something_to_test() -> None:
    assert {folder_of(name) for name in MODULES} == set(FOLDERS)
    assert "lbdart_cdk.core.errors" in imports("lbdart_cdk.core.project.target")
    assert folder_of("lbdart_cdk.core.errors") == "lbdart_cdk.core"


def test_a_folder_imports_only_from_those_below_it() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name in MODULES
        for imported in imports(name)
        if imported in MODULES and FOLDERS.index(folder_of(imported)) < FOLDERS.index(folder_of(name))
    ]
    assert wrong == []


def test_only_the_constructs_know_the_cdk() -> None:
    knowing = {folder_of(name) for name in MODULES if not CDK.isdisjoint(map(top, imports(name)))}
    assert knowing == {"lbdart_cdk.constructs"}


def test_each_folder_says_what_comes_in_and_what_goes_out() -> None:
    for name, path in MODULES.items():
        if path.name == "__init__.py" and name.startswith("lbdart_cdk.core."):
            first, blank, second = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
            assert re.search(r" comes? in\b.* goe?s? out\b", first), name
            assert not blank, name
            assert second, name


def loaded(statement: str) -> set[str]:
    """Return the modules that a new interpreter has after a statement."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
        timeout=60,
    )
    assert result.stderr == ""
    return set(result.stdout.split())


def test_importing_the_library_starts_no_node() -> None:
    modules = {top(name) for name in loaded("import lbdart_cdk, lbdart_cdk.core, lbdart_cdk.tools")}
    assert modules.isdisjoint(CDK)


def test_the_public_core_starts_no_node_and_no_http_client() -> None:
    modules = {top(name) for name in loaded("import lbdart_cdk.core.api")}
    assert modules.isdisjoint({*CDK, "requests"})


def test_what_builds_a_project_is_not_loaded_before_one_is_built() -> None:
    modules = {
        top(name) for name in loaded("import lbdart_cdk.core.api, lbdart_cdk.tools.uv, lbdart_cdk.tools.pip")
    }
    assert modules.isdisjoint({"build", "pyproject_hooks", "venv"})


def test_a_tool_loads_no_container_and_no_boto3() -> None:
    modules = loaded("import lbdart_cdk.tools.uv")
    assert "lbdart_cdk.core.wheels.container" not in modules
    assert "lbdart_cdk.core.layer.container_builder" not in modules
    assert {top(name) for name in modules}.isdisjoint({"boto3", "botocore", "requests"})


def test_values_that_an_app_needs_load_no_more_than_themselves() -> None:
    for name in ("Credentials", "BuildContainer", "LbdartError"):
        modules = {top(module) for module in loaded(f"from lbdart_cdk import {name}")}
        assert modules.isdisjoint({*CDK, "boto3", "botocore", "requests"}), name


def test_the_constructs_are_there_by_name() -> None:
    assert set(lbdart_cdk.__all__) <= set(dir(lbdart_cdk))
    with pytest.raises(AttributeError, match="has no attribute 'LambdaThing'"):
        _ = lbdart_cdk.LambdaThing
