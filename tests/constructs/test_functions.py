"""What only a whole function shows, whichever construct declares it and whichever stack it is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Annotations, App, NestedStack, Stack, Stage
from aws_cdk import aws_lambda as lambda_
from tomli_w import dumps

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.packing import merge
from tests.support.apps import PYTHON_3_13, function, make_app, messages
from tests.support.elf import AARCH64, make_elf
from tests.support.locks import lock_of, locked_file
from tests.support.projects import make_project
from tests.support.wheels import make_wheel

ARM = lambda_.Architecture.ARM_64
TAGS = {"x86_64": "cp313-abi3-manylinux_2_34_x86_64", "aarch64": "cp313-abi3-manylinux_2_34_aarch64"}


@pytest.fixture
def app(tmp_path: Path, cache: Path) -> App:
    return make_app(tmp_path / "cdk.out")


@pytest.fixture
def stack(app: App) -> Stack:
    return Stack(app, "Shop")


class Projects:
    """Makes projects whose locks name wheels of this folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str = "orders", *, size: int = 0, **elf: Any) -> str:
        """Lock one compiled package, of ``size`` bytes, for each machine."""
        root = make_project(self.folder / name, name, built=False)
        files = {f"{name}dep/data.bin": b"\0" * size}
        content = {"x86_64": make_elf(module="_c", **elf), "aarch64": make_elf(machine=AARCH64, module="_c")}
        tables = [
            locked_file(
                make_wheel(
                    root, f"{name}dep", tag=tag, files={**files, f"{name}dep/_c.abi3.so": content[machine]}
                )
            )
            for machine, tag in TAGS.items()
        ]
        head, _, line = tables[0].partition("wheels = [")
        wheels = ", ".join([line.strip().removesuffix("]"), tables[1].partition("wheels = [")[2].strip()])
        (root / "pylock.toml").write_text(dumps(lock_of(f"{head}wheels = [{wheels}\n").content))
        return str(root)

    def pure(self, name: str = "pure") -> str:
        root = make_project(self.folder / name, name, built=False)
        (root / "pylock.toml").write_text(dumps(lock_of(locked_file(make_wheel(root, "alpha"))).content))
        return str(root)


@pytest.fixture
def projects(tmp_path: Path) -> Projects:
    return Projects(tmp_path / "projects")


@pytest.fixture
def _room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Lambda's limit one that tests can reach."""
    monkeypatch.setattr(merge, "MAX_UNZIPPED", 200_000)


def errors(app: App) -> dict[str, list[str]]:
    return messages(app, "ERROR")


def layer(scope: Stack, project: str, id: str = "Deps", **props: Any) -> LambdaLayerArtifact:  # noqa: A002
    return LambdaLayerArtifact(scope, id, project=project, **{"runtime": PYTHON_3_13, **props})


def test_a_function_that_fits_is_not_mentioned(app: App, stack: Stack, projects: Projects) -> None:
    function(stack, layers=[layer(stack, projects())])
    assert errors(app) == {}
    assert messages(app, "WARNING") == {}


def test_a_function_and_its_layer_have_one_architecture(app: App, stack: Stack, projects: Projects) -> None:
    function(stack, layers=[layer(stack, projects())], architecture=ARM)
    assert errors(app) == {
        "/Shop/Fn/Resource": [
            "This function runs on arm64, but the layer Shop/Deps is built for x86_64. "
            "Give both the same architecture."
        ]
    }


def test_a_function_that_names_none_runs_on_x86(app: App, stack: Stack, projects: Projects) -> None:
    function(stack, layers=[layer(stack, projects(), architecture=ARM)])
    assert "runs on x86_64" in errors(app)["/Shop/Fn/Resource"][0]


def test_a_layer_with_nothing_compiled_is_a_warning_that_can_be_acknowledged(
    app: App, stack: Stack, projects: Projects
) -> None:
    made = function(stack, layers=[layer(stack, projects.pure())], architecture=ARM)
    Annotations.of(made).acknowledge_warning("lbdart_cdk:architecture:Shop/Other")
    (warned,) = messages(app, "WARNING")["/Shop/Fn/Resource"]
    assert warned.endswith("so it may work. [ack: lbdart_cdk:architecture:Shop/Deps]")
    assert errors(app) == {}


def test_an_acknowledged_warning_is_not_shown(app: App, stack: Stack, projects: Projects) -> None:
    made = function(stack, layers=[layer(stack, projects.pure())], architecture=ARM)
    Annotations.of(made).acknowledge_warning("lbdart_cdk:architecture:Shop/Deps")
    assert messages(app, "WARNING") == {}


def test_so_is_a_function_in_another_stack(app: App, stack: Stack, projects: Projects) -> None:
    deps = layer(stack, projects())
    function(Stack(app, "Other"), layers=[deps], architecture=ARM)
    function(NestedStack(stack, "Nested"), layers=[deps], architecture=ARM)
    assert sorted(errors(app)) == ["/Other/Fn/Resource", "/Shop/Nested/Fn/Resource"]


def test_layers_of_the_same_name_in_two_stacks_are_told_apart(app: App, projects: Projects) -> None:
    project = projects()
    for name, architecture in (("One", ARM), ("Two", lambda_.Architecture.X86_64)):
        stack = Stack(app, name)
        deps = layer(stack, project, architecture=architecture)
        function(stack, layers=[deps], architecture=ARM)
    assert list(errors(app)) == ["/Two/Fn/Resource"]


def test_so_is_a_function_in_a_stage(app: App, projects: Projects) -> None:
    stack = Stack(Stage(app, "Prod"), "Shop")
    function(stack, layers=[layer(stack, projects())], architecture=ARM)
    assert list(errors(app)) == ["/Prod/Shop/Fn/Resource"]


def test_so_is_one_that_is_declared_as_cloudformation_has_it(
    app: App, stack: Stack, projects: Projects
) -> None:
    lambda_.CfnFunction(
        stack,
        "Raw",
        role="arn:aws:iam::111122223333:role/lambda",
        runtime="python3.13",
        handler="index.handler",
        architectures=["arm64"],
        code=lambda_.CfnFunction.CodeProperty(zip_file="x = 1"),
        layers=[layer(stack, projects()).layer_version_arn, "arn:aws:lambda:us-east-1:1:layer:other:1"],
    )
    assert list(errors(app)) == ["/Shop/Raw"]


@pytest.mark.usefixtures("_room")
def test_two_layers_that_are_too_large_together_are_an_error_that_names_the_largest(
    app: App, stack: Stack, projects: Projects
) -> None:
    layers = [layer(stack, projects(name, size=size), name) for name, size in (("a", 120_000), ("b", 90_000))]
    function(stack, layers=layers)
    (error,) = errors(app)["/Shop/Fn/Resource"]
    assert error.startswith("Unzipped, this function with its layers has 21")
    assert "bytes, but Lambda allows 200,000 for a function with all its layers; " in error
    assert "the largest packages are adep 0.1 MB, bdep 0.1 MB. Leave packages out" in error


@pytest.mark.usefixtures("_room")
def test_the_functions_own_code_counts(app: App, stack: Stack, projects: Projects) -> None:
    deps = layer(stack, projects(size=120_000))
    other = make_project(projects.folder / "code", "code", built=False)
    (other / "src" / "code" / "data.bin").write_bytes(b"\0" * 90_000)
    (other / "uv.lock").write_text("version = 1\n")
    code = LambdaSourceArtifact(stack, "Code", project=str(other))
    function(stack, layers=[deps], code=code.code)
    assert "ordersdep 0.1 MB, code 0.1 MB" in errors(app)["/Shop/Fn/Resource"][0]


@pytest.mark.usefixtures("_room")
def test_each_alone_is_no_error(app: App, stack: Stack, projects: Projects) -> None:
    for name in ("a", "b"):
        made = layer(stack, projects(name, size=120_000), name)
        lambda_.Function(
            stack, f"Fn{name}", runtime=PYTHON_3_13, handler="index.handler",
            code=lambda_.Code.from_inline("x = 1"), layers=[made],
        )  # fmt: skip
    assert errors(app) == {}


def test_what_may_be_missing_is_a_warning_of_the_layer_whenever_it_is_synthesised(
    app: App, tmp_path: Path, projects: Projects
) -> None:
    project = projects(needed=["libGL.so.1"])
    for each_app in (app, make_app(tmp_path / "again.out")):
        stack = Stack(each_app, "Shop")
        layer(stack, project)
        Annotations.of(layer(stack, project, "Known")).acknowledge_warning("lbdart_cdk:library:ordersdep")
        said = messages(each_app, "WARNING")
        assert list(said) == ["/Shop/Deps"]
        (warned,) = said["/Shop/Deps"]
        assert "it needs libGL.so.1, which the artifact lacks and python3.13 probably lacks" in warned
        assert warned.endswith("[ack: lbdart_cdk:library:ordersdep]")


def test_so_is_a_direct_dependency_that_is_left_out(app: App, tmp_path: Path, projects: Projects) -> None:
    root = Path(projects.pure())
    wheels = [make_wheel(root, name) for name in ("alpha", "boto3")]
    (root / "pylock.toml").write_text(dumps(lock_of(*map(locked_file, wheels)).content))
    for each_app in (app, make_app(tmp_path / "again.out")):
        stack = Stack(each_app, "Shop")
        layer(stack, str(root))
        Annotations.of(layer(stack, str(root), "Known")).acknowledge_warning("lbdart_cdk:left-out:boto3")
        layer(stack, str(root), "Meant", exclude=["boto3"])
        layer(stack, str(root), "Kept", keep=["boto3"])
        (warned,) = messages(each_app, "WARNING")["/Shop/Deps"]
        assert warned.startswith("The project requires boto3, and the layer does not have it")
        assert 'keep=["boto3"]' in warned
        assert warned.endswith("[ack: lbdart_cdk:left-out:boto3]")
        assert messages(each_app, "WARNING").keys() == {"/Shop/Deps", "/Shop/Kept"}
        (warned,) = messages(each_app, "WARNING")["/Shop/Kept"]
        assert warned.endswith("[ack: lbdart_cdk:sdk]")


def with_library(projects: Projects, **elf: Any) -> str:
    root = make_project(projects.folder / "code", "code", built=False)
    (root / "src" / "code" / "_fast.so").write_bytes(make_elf(module="_fast", **elf))
    (root / "uv.lock").write_text("version = 1\n")
    return str(root)


def test_own_code_that_is_compiled_is_judged_for_each_function(
    app: App, stack: Stack, projects: Projects
) -> None:
    code = LambdaSourceArtifact(stack, "Code", project=with_library(projects))
    function(stack, code=code.code)
    function(Stack(app, "Arm"), code=code.code, architecture=ARM)
    (error,) = errors(app)["/Arm/Fn/Resource"]
    assert error.startswith(
        "This does not load on python3.13 on arm64 (glibc 2.34): code is built for x86_64"
    )
    assert list(errors(app)) == ["/Arm/Fn/Resource"]


def test_it_is_judged_at_once_for_the_runtime_it_names(stack: Stack, projects: Projects) -> None:
    project = with_library(projects, versions={"libc.so.6": ["GLIBC_2.34"]})
    LambdaSourceArtifact(stack, "New", project=project, runtime=PYTHON_3_13)
    with pytest.raises(LbdartError, match=r"code needs GLIBC_2\.34 of libc\.so\.6, but python3\.11 has"):
        LambdaSourceArtifact(stack, "Old", project=project, runtime=lambda_.Runtime.PYTHON_3_11, prefix="old")


def test_nothing_is_checked_in_an_app_that_is_not_deployed(tmp_path: Path, projects: Projects) -> None:
    app = make_app(tmp_path / "cdk.out", bundling=False)
    stack = Stack(app, "Shop")
    function(stack, layers=[layer(stack, projects())], architecture=ARM)
    assert errors(app) == {}


def test_a_layer_of_another_region_is_an_error(app: App, projects: Projects) -> None:
    east, west = (Stack(app, name, env={"region": f"us-{name}"}) for name in ("east-1", "west-2"))
    function(west, layers=[layer(east, projects())])
    assert errors(app) == {
        "/west-2/Fn/Resource": [
            "This function is in us-west-2, but the layer east-1/Deps is in us-east-1, and Lambda accepts "
            "only layers of the function's own Region. Create a layer in a stack in us-west-2."
        ]
    }
