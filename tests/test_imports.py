"""The import rules: what each part may know, and what starting the library may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lbdart_cdk
import runtime

PACKAGE = Path(lbdart_cdk.__file__).parent
RUNTIME = Path(runtime.__file__).parent


def module_name(path: Path, root: Path) -> str:
    relative = path.relative_to(root.parent).with_suffix("")
    return ".".join(relative.parts).removesuffix(".__init__")


MODULES = {
    module_name(path, root): path
    for root in (PACKAGE, RUNTIME)
    for path in root.rglob("*.py")
    if "__pycache__" not in path.parts
}


def imports(name: str, *, at_start: bool = False) -> Iterator[str]:
    """Yield the absolute names that a module imports, outside of ``if TYPE_CHECKING``.

    ``at_start`` leaves out what is imported only when a function is called.
    """
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in statements(ast.parse(path.read_text()), at_start=at_start):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in MODULES else base


def statements(node: ast.AST, *, at_start: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if at_start and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from statements(child, at_start=at_start)


def top(name: str) -> str:
    return name.partition(".")[0]


def below(prefix: str) -> list[str]:
    return sorted(name for name in MODULES if f"{name}.".startswith(f"{prefix}."))


def loaded_with(name: str) -> set[str]:
    """Return our modules that are loaded when a module is: its own imports, and those of their packages."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in MODULES and one not in found:
            found.add(one)
            waiting += [*imports(one, at_start=True), one.rpartition(".")[0]]
    return found


def test_there_is_something_to_test() -> None:
    assert {"lbdart_cdk.core.target", "lbdart_cdk.tools.uv", "runtime.handler"} <= MODULES.keys()
    assert "lbdart_cdk.core.errors" in imports("lbdart_cdk.core.target")


@pytest.mark.parametrize("name", below("lbdart_cdk.core"))
def test_the_core_knows_neither_the_cdk_nor_a_tool(name: str) -> None:
    for imported in imports(name):
        assert top(imported) not in ("aws_cdk", "jsii", "constructs", "runtime")
        assert not imported.startswith("lbdart_cdk") or imported.startswith("lbdart_cdk.core")


@pytest.mark.parametrize("name", below("lbdart_cdk.tools"))
def test_tools_know_the_core_and_not_the_cdk(name: str) -> None:
    for imported in imports(name):
        assert top(imported) not in ("aws_cdk", "jsii", "constructs", "runtime")
        assert not imported.startswith("lbdart_cdk") or imported.startswith(
            ("lbdart_cdk.core", "lbdart_cdk.tools")
        )


@pytest.mark.parametrize("name", below("lbdart_cdk"))
def test_the_library_does_not_import_what_it_ships(name: str) -> None:
    assert "runtime" not in {top(imported) for imported in imports(name)}


@pytest.mark.parametrize("name", below("runtime"))
def test_the_handler_needs_only_what_lambda_has(name: str) -> None:
    """Lambda has the standard library and boto3; the core is packed with the handler."""
    allowed = sys.stdlib_module_names | {"boto3", "botocore"}
    for module in loaded_with(name):
        assert module.startswith(("runtime", "lbdart_cdk.core")) or module == "lbdart_cdk"
        others = {
            top(imported) for imported in imports(module, at_start=True) if top(imported) not in allowed
        }
        assert others <= {"runtime", "lbdart_cdk"}, module


def loaded(statement: str) -> set[str]:
    """Return the modules that a new interpreter has after a statement."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert result.stderr == ""
    return set(result.stdout.split())


def test_importing_the_library_starts_no_node() -> None:
    modules = {top(name) for name in loaded("import lbdart_cdk, lbdart_cdk.core, lbdart_cdk.tools")}
    assert modules.isdisjoint({"aws_cdk", "jsii", "constructs"})


def test_the_public_core_starts_no_node_and_no_http_client() -> None:
    modules = {top(name) for name in loaded("import lbdart_cdk.core.api")}
    assert modules.isdisjoint({"aws_cdk", "jsii", "constructs", "requests"})


def test_the_constructs_are_there_by_name() -> None:
    assert set(lbdart_cdk.__all__) <= set(dir(lbdart_cdk))
    with pytest.raises(AttributeError, match="has no attribute 'LambdaThing'"):
        _ = lbdart_cdk.LambdaThing
