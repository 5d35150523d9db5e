"""``LambdaFunctionArtifact``: one construct for a function, its code and its dependencies."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, NestedStack, Stack, assertions
from aws_cdk import aws_lambda as lambda_
from tomli_w import dumps

from lbdart_cdk import LambdaFunctionArtifact, LambdaLayerArtifact
from lbdart_cdk.core.errors import LbdartError
from tests.support.apps import PYTHON_3_13, PYTHON_HERE, make_app, messages, template_of
from tests.support.git import git
from tests.support.locks import lock_of, locked_file
from tests.support.wheels import make_wheel, names_in

HANDLER = "orders.app.handler"
ARN = "arn:aws:lambda:eu-west-1:1:layer:own:1"
Template = Mapping[str, Any]


@pytest.fixture
def outdir(tmp_path: Path, cache: Path) -> Path:
    return tmp_path / "cdk.out"


@pytest.fixture
def stack(outdir: Path) -> Stack:
    return Stack(make_app(outdir), "Shop")


def git_init(root: Path) -> None:
    git(root, "init", "--quiet")


def of_type(stack: Stack, kind: str) -> dict[str, Any]:
    return dict(template_of(stack).find_resources(kind))


def functions(stack: Stack) -> dict[str, Any]:
    """The functions, without the publisher's."""
    return {
        name: each["Properties"]
        for name, each in of_type(stack, "AWS::Lambda::Function").items()
        if not name.startswith("LbdartPublisher")
    }


def layers(stack: Stack) -> list[str]:
    """The names of the layers, without the hash at the end that CDK gives each name."""
    declared = of_type(stack, "Custom::LbdartLayer").values()
    return sorted(each["Properties"]["LayerName"].rpartition("-")[0] for each in declared)


def plain_project(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_one_construct_has_code_and_dependencies(orders: Path, stack: Stack) -> None:
    made = LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler=HANDLER)
    (found,) = functions(stack).values()
    assert (found["Handler"], found["Runtime"]) == (HANDLER, "python3.11")
    assert found["Code"]["S3Key"].startswith("orders/source/1.2.0/")
    assert isinstance(made.dependencies, LambdaLayerArtifact)
    assert found["Layers"] == stack.resolve([made.dependencies.layer_version_arn])
    assert layers(stack) == ["Shop-FunctionLayers-orders-python311-x86_64"]
    assert isinstance(made, lambda_.Function)


def test_every_prop_of_a_function_is_passed_through(orders: Path, stack: Stack) -> None:
    own = lambda_.LayerVersion.from_layer_version_arn(stack, "Own", ARN)
    made = LambdaFunctionArtifact(
        stack,
        "Orders",
        project=str(orders),
        handler=HANDLER,
        runtime=PYTHON_3_13,
        architecture=lambda_.Architecture.ARM_64,
        memory_size=512,
        timeout=Duration.seconds(9),
        environment={"A": "b"},
        description="Takes orders",
        layers=[own],
    )
    (found,) = functions(stack).values()
    assert {name: found[name] for name in ("Runtime", "Architectures", "MemorySize", "Timeout")} == {
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "MemorySize": 512,
        "Timeout": 9,
    }
    assert found["Environment"] == {"Variables": {"A": "b"}}
    assert found["Description"] == "Takes orders"
    assert made.dependencies is not None
    assert found["Layers"] == stack.resolve([made.dependencies.layer_version_arn, own.layer_version_arn])


def test_a_prop_that_function_does_not_have_is_an_error(orders: Path, stack: Stack) -> None:
    with pytest.raises(TypeError, match="memroy_size"):
        LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler=HANDLER, memroy_size=512)


@pytest.mark.parametrize("prop", ["entry", "index", "bundling", "code"])
def test_props_of_other_constructs_are_explained(orders: Path, stack: Stack, prop: str) -> None:
    props: dict[str, Any] = {prop: "x"}
    with pytest.raises(LbdartError, match=f"has no prop {prop}"):
        LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler=HANDLER, **props)


def test_functions_of_one_build_share_layer_and_code(orders: Path, stack: Stack) -> None:
    for name in ("Take", "Send"):
        LambdaFunctionArtifact(stack, name, project=str(orders), handler=HANDLER)
    assert len(layers(stack)) == 1
    assert len(of_type(stack, "Custom::LbdartSource")) == 1
    take, send = functions(stack).values()
    assert (take["Layers"], take["Code"]) == (send["Layers"], send["Code"])


def test_a_path_in_another_spelling_is_the_same_project(
    orders: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(orders.parent)
    for name, path in {"A": str(orders), "B": "orders", "C": "./orders/../orders"}.items():
        LambdaFunctionArtifact(stack, name, project=path, handler=HANDLER)
    assert len(layers(stack)) == 1


def test_functions_of_one_project_with_other_packages_have_layers_of_their_own(
    orders: Path, stack: Stack
) -> None:
    def make(name: str, **props: Any) -> None:
        LambdaFunctionArtifact(stack, name, project=str(orders), handler=HANDLER, **props)

    make("A")
    make("B", exclude=["alpha"])
    make("C", runtime=PYTHON_3_13)
    make("D", architecture=lambda_.Architecture.ARM_64)
    names = layers(stack)
    assert len(names) == 4
    assert {"Shop-FunctionLayers-orders-python311-x86_64", "Shop-FunctionLayers-orders-python311-arm64"} <= {
        *names
    }
    assert len(of_type(stack, "Custom::LbdartSource")) == 1


def test_two_projects_of_one_name_are_told_apart(orders: Path, stack: Stack, tmp_path: Path) -> None:
    shutil.copytree(orders, tmp_path / "billing/orders")
    for name, path in {"A": orders, "B": tmp_path / "billing/orders"}.items():
        LambdaFunctionArtifact(stack, name, project=str(path), handler=HANDLER)
    assert layers(stack) == [
        "Shop-FunctionLayers-billing-orders-python311-x86_64",
        "Shop-FunctionLayers-orders-python311-x86_64",
    ]


def test_the_template_does_not_depend_on_the_working_directory(
    orders: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates: list[Template] = []
    for folder in (tmp_path, orders):
        monkeypatch.chdir(folder)
        stack = Stack(make_app(tmp_path / f"out{len(templates)}"), "Shop")
        project = os.path.relpath(orders, folder)
        LambdaFunctionArtifact(stack, "Orders", project=project, handler=HANDLER)
        templates.append(template_of(stack).to_json())
    assert templates[0] == templates[1]


def test_a_nested_stack_has_artifacts_of_its_own(orders: Path, stack: Stack) -> None:
    nested = NestedStack(stack, "Nested")
    for scope in (stack, nested):
        LambdaFunctionArtifact(scope, "Orders", project=str(orders), handler=HANDLER)
    assert len(layers(stack)) == len(layers(nested)) == 1


class TestFiles:
    """Which files of the code and of the packages there are, in both packagings."""

    @pytest.mark.parametrize("packaging", ["layer", "zip"])
    def test_bytecode_of_both(self, orders: Path, stack: Stack, outdir: Path, packaging: Any) -> None:
        LambdaFunctionArtifact(
            stack,
            "Orders",
            project=str(orders),
            handler=HANDLER,
            runtime=PYTHON_HERE,
            exclude=["native"],
            packaging=packaging,
            bytecode=True,
        )
        compiled = {
            name.partition(".")[0].removeprefix("python/") for name in self.staged(outdir) if ".pyc" in name
        }
        assert {"orders/__pycache__/app", "alpha/__pycache__/__init__"} <= compiled

    @pytest.mark.parametrize(
        ("packaging", "left"),
        [("layer", {"orders/__init__.py"}), ("zip", set())],
    )
    def test_patterns_are_for_the_layer_or_the_whole_zip(
        self, orders: Path, stack: Stack, outdir: Path, packaging: Any, left: set[str]
    ) -> None:
        LambdaFunctionArtifact(
            stack,
            "Orders",
            project=str(orders),
            handler=HANDLER,
            packaging=packaging,
            exclude_files=["__init__.py"],
        )
        names = self.staged(outdir)
        assert {name for name in names if name.endswith("__init__.py")} == left
        assert "orders/app.py" in names

    def test_patterns_of_a_zip_without_packages(self, stack: Stack, outdir: Path, tmp_path: Path) -> None:
        root = plain_project(tmp_path / "hello", app="def handler(event, context): ...\n", demo__x="")
        for name, patterns in {"All": [], "Some": ["demo/"]}.items():
            LambdaFunctionArtifact(
                stack,
                name,
                project=str(root),
                handler="app.handler",
                runtime=PYTHON_3_13,
                packaging="zip",
                exclude_files=patterns,
            )
        found = [names_in(path) for path in outdir.glob("**/asset.*") if "app.py" in names_in(path)]
        assert sorted(found) == [["app.py"], ["app.py", "demo/x.py"]]

    @pytest.mark.parametrize("packaging", ["layer", "zip"])
    def test_functions_with_other_files_share_nothing_of_them(
        self, orders: Path, stack: Stack, packaging: Any
    ) -> None:
        options: list[dict[str, Any]] = [
            {},
            {"bytecode": True},
            {"exclude_files": ["*.pyi", "native/"]},
            {"exclude_files": ["native/", "*.pyi"]},
        ]
        for number, option in enumerate([*options, *options]):
            LambdaFunctionArtifact(
                stack,
                f"F{number}",
                project=str(orders),
                handler=HANDLER,
                runtime=PYTHON_HERE,
                exclude=["native"],
                packaging=packaging,
                **option,
            )
        code = of_type(stack, "Custom::LbdartSource")
        assert (len(layers(stack)), len(code)) == ((4, 2) if packaging == "layer" else (0, 4))

    def test_code_with_bytecode_is_for_one_python(self, orders: Path, stack: Stack) -> None:
        build = {"project": str(orders), "handler": HANDLER, "exclude": ["native"]}
        for name, runtime in {"Here": PYTHON_HERE, "Other": PYTHON_3_13}.items():
            LambdaFunctionArtifact(stack, name, runtime=runtime, bytecode=runtime is PYTHON_HERE, **build)  # type: ignore[arg-type]
        assert len(of_type(stack, "Custom::LbdartSource")) == 2

    def staged(self, outdir: Path) -> set[str]:
        return {
            name
            for path in outdir.glob("**/asset.*")
            if path.is_file() and path.suffix != ".json"
            for name in names_in(path)
            if not name.startswith(("runtime/", "lbdart_cdk/"))
        }


class TestWithoutPackages:
    """There is no layer, and no lock is needed."""

    def test_a_directory_of_modules(self, stack: Stack, tmp_path: Path) -> None:
        root = plain_project(tmp_path / "hello", app="def handler(event, context): ...\n")
        made = LambdaFunctionArtifact(
            stack, "Hello", project=str(root), handler="app.handler", runtime=PYTHON_3_13
        )
        assert made.dependencies is None
        (found,) = functions(stack).values()
        assert "Layers" not in found
        assert found["Code"]["S3Key"].startswith("hello/source/0.0.0/")

    def test_a_project_that_declares_none(self, stack: Stack, tmp_path: Path) -> None:
        root = plain_project(tmp_path / "hello", src__app="def handler(event, context): ...\n")
        (root / "pyproject.toml").write_text(
            '[project]\nname = "hello"\nversion = "1.0"\nrequires-python = ">=3.13"\ndependencies = []\n'
        )
        made = LambdaFunctionArtifact(stack, "Hello", project=str(root), handler="app.handler")
        assert made.dependencies is None

    def test_a_project_that_declares_some_needs_its_lock(self, stack: Stack, tmp_path: Path) -> None:
        root = plain_project(tmp_path / "hello", src__app="def handler(event, context): ...\n")
        (root / "pyproject.toml").write_text(
            '[project]\nname = "hello"\nversion = "1"\nrequires-python = ">=3.13"\ndependencies = ["alpha"]\n'
        )
        with pytest.raises(LbdartError, match=r"There is no .*uv\.lock.* in"):
            LambdaFunctionArtifact(stack, "Hello", project=str(root), handler="app.handler")

    @pytest.mark.parametrize("asked", [{"groups": ["db"]}, {"extras": ["db"]}])
    def test_an_extra_or_a_group_needs_a_lock(
        self, orders: Path, stack: Stack, asked: dict[str, Any]
    ) -> None:
        git_init(orders)
        with pytest.raises(LbdartError, match=r"There is no .*uv\.lock.* in .*/src") as caught:
            LambdaFunctionArtifact(stack, "Orders", project=str(orders / "src"), handler=HANDLER, **asked)
        assert f"pass the directory of {orders / 'uv.lock'} as project=" in caught.value.remedy

    def test_a_lock_above_is_not_its_own(self, orders: Path, stack: Stack) -> None:
        git_init(orders)
        made = LambdaFunctionArtifact(
            stack, "Orders", project=str(orders / "src"), handler=HANDLER, runtime=PYTHON_3_13
        )
        assert made.dependencies is None
        (told,) = assertions.Annotations.from_stack(stack).find_info("*", assertions.Match.any_value())
        assert "src has no lock and no requirements.txt, so the function has no packages" in str(told)
        assert "../uv.lock" in str(told)

    def test_a_lock_that_no_tool_reads(self, stack: Stack, tmp_path: Path) -> None:
        root = plain_project(tmp_path / "hello", app="def handler(event, context): ...\n")
        (root / "Pipfile").write_text("[packages]\nalpha = '*'\n")
        with pytest.raises(LbdartError) as caught:
            LambdaFunctionArtifact(stack, "Hello", project=str(root), handler="app.handler")
        assert "pipenv requirements --hash" in caught.value.remedy

    def test_when_all_are_left_out(self, orders: Path, stack: Stack) -> None:
        everything = ["alpha", "native", "urllib3"]
        for name in ("A", "B"):
            made = LambdaFunctionArtifact(
                stack, name, project=str(orders), handler=HANDLER, exclude=everything
            )
            assert made.dependencies is None
        assert layers(stack) == []
        assert all("Layers" not in found for found in functions(stack).values())

    @pytest.mark.parametrize("packaging", ["layer", "zip"])
    def test_a_requirements_file_without_a_line(self, stack: Stack, tmp_path: Path, packaging: Any) -> None:
        root = plain_project(tmp_path / "hello", app="def handler(event, context): ...\n")
        (root / "requirements.txt").write_text("# nothing yet\n")
        made = LambdaFunctionArtifact(
            stack,
            "Hello",
            project=str(root),
            handler="app.handler",
            runtime=PYTHON_3_13,
            packaging=packaging,
        )
        assert made.dependencies is None


class TestOneZip:
    """``packaging="zip"``: for Lambda@Edge, small functions, and beside five other layers."""

    def test_code_and_dependencies_are_in_it(self, orders: Path, stack: Stack, outdir: Path) -> None:
        made = LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler=HANDLER, packaging="zip")
        (found,) = functions(stack).values()
        assert made.dependencies is None
        assert "Layers" not in found
        assert layers(stack) == []
        (path,) = outdir.glob(f"**/asset.{self.asset_of(stack)}")
        assert {"orders/app.py", "alpha/__init__.py"} <= {*names_in(path)}

    def asset_of(self, stack: Stack) -> str:
        (copy,) = of_type(stack, "Custom::LbdartSource").values()
        return str(copy["Properties"]["AssetKey"])

    def test_functions_share_it(self, orders: Path, stack: Stack) -> None:
        for name in ("A", "B"):
            LambdaFunctionArtifact(stack, name, project=str(orders), handler=HANDLER, packaging="zip")
        LambdaFunctionArtifact(
            stack, "C", project=str(orders), handler=HANDLER, packaging="zip", exclude=["alpha"]
        )
        LambdaFunctionArtifact(stack, "D", project=str(orders), handler=HANDLER)
        assert len(of_type(stack, "Custom::LbdartSource")) == 3

    def test_a_packaging_that_does_not_exist(self, orders: Path, stack: Stack) -> None:
        with pytest.raises(LbdartError, match="There is no packaging 'image'"):
            LambdaFunctionArtifact(
                stack,
                "Orders",
                project=str(orders),
                handler=HANDLER,
                packaging="image",  # type: ignore[arg-type]
            )

    def test_beside_five_layers(self, orders: Path, stack: Stack) -> None:
        others = [
            lambda_.LayerVersion.from_layer_version_arn(
                stack, f"L{number}", f"arn:aws:lambda:eu-west-1:1:layer:own:{number}"
            )
            for number in range(1, 6)
        ]
        LambdaFunctionArtifact(
            stack, "Zip", project=str(orders), handler=HANDLER, packaging="zip", layers=others
        )
        with pytest.raises(LbdartError, match="A function has at most 5 layers") as caught:
            LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler=HANDLER, layers=others)
        assert 'packaging="zip"' in caught.value.remedy


class TestHandler:
    @pytest.mark.parametrize("handler", ["orders.app.handler", "orders/app.handler", "alpha.handler"])
    def test_it_may_be_in_the_code_or_in_a_package(self, orders: Path, stack: Stack, handler: str) -> None:
        LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler=handler)

    def test_one_that_is_in_neither(self, orders: Path, stack: Stack) -> None:
        with pytest.raises(
            LbdartError, match=r"'app\.handler' is in the module app, which orders does not have"
        ) as caught:
            LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler="app.handler")
        assert caught.value.remedy == "Name one of its modules: orders.app."

    @pytest.mark.parametrize(
        ("file", "handler"),
        [
            ("src/billing/app.py", "billing.app.handler"),
            ("src/billing/__init__.py", "billing.handler"),
            ("billing.py", "billing.handler"),
        ],
    )
    def test_one_whose_file_the_build_leaves_out(
        self, orders: Path, stack: Stack, file: str, handler: str
    ) -> None:
        (orders / file).parent.mkdir(exist_ok=True)
        (orders / file).write_text("def handler(event, context): ...\n")
        backend = orders / "backend.py"
        backend.write_text(backend.read_text().replace('rglob("*.py")', 'rglob("orders/*.py")'))
        with pytest.raises(
            LbdartError, match=f"is in {file}, which the build of orders leaves out"
        ) as caught:
            LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler=handler)
        assert "settings of the build backend" in caught.value.remedy

    @pytest.mark.parametrize(
        ("file", "props"), [("tests/check.py", {}), ("check.py", {"exclude_code": ["check.py"]})]
    )
    def test_one_whose_file_is_left_out_of_a_project_that_is_no_package(
        self, tmp_path: Path, stack: Stack, file: str, props: dict[str, Any]
    ) -> None:
        root = plain_project(tmp_path / "hello", app="", **{file.removesuffix(".py").replace("/", "__"): ""})
        module = file.removesuffix(".py").replace("/", ".")
        with pytest.raises(LbdartError, match=f"is in {file}, which is left out of the code") as caught:
            LambdaFunctionArtifact(
                stack, "Hello", project=str(root), handler=f"{module}.handler", runtime=PYTHON_3_13, **props
            )
        assert "include=" in caught.value.remedy

    def test_one_with_the_folder_that_the_code_is_taken_from(self, orders: Path, stack: Stack) -> None:
        with pytest.raises(LbdartError, match=r"which orders does not have"):
            LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler="src.orders.app.handler")

    @pytest.mark.parametrize(
        ("handler", "problem", "remedy"),
        [
            ("app.handle", "'app.handle' is not in the module app", '"app.handler"'),
            ("jobs.nightly", "'jobs.nightly' is a module", '"jobs.nightly.handler"'),
        ],
    )
    def test_one_that_the_module_does_not_have(
        self, tmp_path: Path, stack: Stack, handler: str, problem: str, remedy: str
    ) -> None:
        text = "def load(): ...\ndef handler(event, context): ...\n"
        root = plain_project(tmp_path / "hello", app=text, jobs__nightly=text)
        (root / "jobs/__init__.py").touch()
        with pytest.raises(LbdartError, match=problem) as caught:
            LambdaFunctionArtifact(stack, "Hello", project=str(root), handler=handler, runtime=PYTHON_3_13)
        assert remedy in caught.value.remedy

    @pytest.mark.parametrize(
        "text",
        [
            "from tool import handle\n",
            "from tool import *\n",
            "handle = make()\n",
            "globals()['han' + 'dle'] = print\n",
            "def __getattr__(name): return print\n",
            "class app:\n    handle = print\n",
        ],
    )
    def test_one_that_the_module_may_have(self, tmp_path: Path, stack: Stack, text: str) -> None:
        root = plain_project(tmp_path / "hello", app=text)
        LambdaFunctionArtifact(stack, "Hello", project=str(root), handler="app.handle", runtime=PYTHON_3_13)

    def test_one_that_names_no_function(self, orders: Path, stack: Stack) -> None:
        with pytest.raises(LbdartError, match="'handler' does not name a module and a function"):
            LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler="handler")

    def test_one_that_another_layer_may_have(self, orders: Path, stack: Stack) -> None:
        own = lambda_.LayerVersion.from_layer_version_arn(stack, "Own", ARN)
        LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler="own.handler", layers=[own])


def test_an_error_names_the_function(orders: Path, stack: Stack) -> None:
    (orders / "uv.lock").write_text("not a lock")
    with pytest.raises(LbdartError) as caught:
        LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler=HANDLER)
    assert "[at Shop/Orders]" in caught.value.__notes__


def test_versions_follow_the_dependencies(orders: Path, tmp_path: Path, cache: Path) -> None:
    versions: list[list[str]] = []
    for excluded in ((), ("alpha",)):
        stack = Stack(make_app(tmp_path / f"out{len(versions)}"), "Shop")
        made = LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler=HANDLER, exclude=excluded)
        made.add_alias("live")
        versions.append([*of_type(stack, "AWS::Lambda::Version")])
    assert versions[0] != versions[1]


def test_nothing_is_built_in_a_unit_test(orders: Path, outdir: Path, cache: Path) -> None:
    """CDK's own switch; the template is the same on every machine."""
    app = App(outdir=str(outdir), context={"aws:cdk:bundling-stacks": []})
    stack = Stack(app, "Shop")
    LambdaFunctionArtifact(stack, "Orders", project=str(orders), handler="not.there")
    template = assertions.Template.from_stack(stack)
    template.has_resource_properties("AWS::Lambda::Function", {"Handler": "not.there"})
    assert not cache.exists()
    assert str(orders) not in json.dumps(template.to_json())


def test_plain_assets(orders: Path, outdir: Path) -> None:
    app = App(outdir=str(outdir), context={"lbdart_cdk:plain_assets": True})
    stack = Stack(app, "Shop")
    LambdaFunctionArtifact(stack, "A", project=str(orders), handler=HANDLER)
    LambdaFunctionArtifact(stack, "B", project=str(orders), handler=HANDLER, packaging="zip")
    kinds = {each["Type"] for each in template_of(stack).to_json()["Resources"].values()}
    assert kinds == {"AWS::IAM::Role", "AWS::Lambda::Function", "AWS::Lambda::LayerVersion"}


def test_a_dependency_that_the_default_list_leaves_out_is_a_warning_at_the_function(
    stack: Stack, tmp_path: Path
) -> None:
    root = plain_project(tmp_path / "hello", app="def handler(event, context): ...\n")
    (root / "pyproject.toml").write_text('[project]\nname = "hello"\nversion = "1"\ndependencies = ["pip"]\n')
    lock = lock_of(locked_file(make_wheel(root / "wheels", "pip")))
    (root / "pylock.toml").write_text(dumps(lock.content))
    LambdaFunctionArtifact(stack, "Hello", project=str(root), handler="app.handler", runtime=PYTHON_3_13)
    app = stack.node.root
    assert isinstance(app, App)
    (warnings,) = messages(app, "WARNING").values()
    assert "pip" in warnings[0]
