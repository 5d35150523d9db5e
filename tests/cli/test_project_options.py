"""The options of a build: named as the constructs' props, and worth the same."""

from __future__ import annotations

import inspect
from pathlib import Path

import click
from click.testing import CliRunner, Result

from lbdart_cdk.cli.project_options import OPTIONS, Asked, Kind, project_options
from lbdart_cdk.constructs.function_artifact import LambdaFunctionArtifact
from lbdart_cdk.constructs.layer_artifact import LambdaLayerArtifact
from lbdart_cdk.constructs.source_artifact import LambdaSourceArtifact
from lbdart_cdk.core.artifacts.function import FunctionArtifact
from lbdart_cdk.core.artifacts.source import SourceArtifact
from lbdart_cdk.core.store.store import Store

#: Props about AWS, and not about what is built.
OF_AWS = {
    *("self", "scope", "id", "bucket", "prefix", "removal_policy", "layer_name", "description", "license"),
    *("parameter_name", "keep_versions", "handler", "packaging", "layers", "function_props"),
}
#: The command line takes logins from where the tools have them: settings, the environment, netrc.
OF_SECRETS = {"credentials"}


def ask(*arguments: str, kinds: tuple[Kind, ...] = ("layer",)) -> tuple[Result, Asked | None]:
    seen: list[Asked] = []

    @click.command()
    @project_options(*kinds)
    def command(asked: Asked) -> None:
        seen.append(asked)

    result = CliRunner().invoke(command, arguments)
    return result, seen[0] if seen else None


def props_of(construct: type) -> set[str]:
    return set(inspect.signature(construct.__init__).parameters) - OF_AWS - OF_SECRETS  # type: ignore[misc]


def test_each_prop_that_decides_what_is_built_has_an_option() -> None:
    for kind, construct in (("layer", LambdaLayerArtifact), ("function", LambdaFunctionArtifact)):
        options = {option.prop for option in OPTIONS if kind in option.kinds}
        assert options - {"image"} | {"project"} == props_of(construct)
    options = {option.prop for option in OPTIONS if "source" in option.kinds}
    # Of code alone, the construct calls it `exclude`, which is what names packages elsewhere.
    assert options - {"exclude_code"} | {"project", "exclude"} == props_of(LambdaSourceArtifact)


def test_nothing_given_is_the_default_of_each_prop() -> None:
    assert ask()[1] == Asked()
    assert ask(kinds=("layer", "source", "function"))[1] == Asked()


def test_what_may_be_given_again_keeps_its_order() -> None:
    _, asked = ask(
        *("services/orders", "--extra", "a", "--extra", "b", "--prefer", "y", "--prefer", "x"),
        *("--arch", "arm64", "--build-env", "A=1", "--build-env", "B=x=y", "--bytecode", "--own-code"),
    )
    assert asked == Asked(
        project="services/orders",
        extras=("a", "b"),
        prefer=("y", "x"),
        architecture="arm64",
        build_environment=(("A", "1"), ("B", "x=y")),
        bytecode=True,
        own_code=True,
    )


def test_exclude_names_files_where_there_are_only_files() -> None:
    assert ask("--exclude", "*.md", kinds=("source",))[1] == Asked(exclude_code=("*.md",))
    assert ask("--exclude-code", "*.md", kinds=("source",))[1] == Asked(exclude_code=("*.md",))
    assert ask("--exclude", "six", kinds=("source", "layer"))[1] == Asked(exclude=("six",))


def test_an_option_of_another_kind_and_a_variable_without_a_value_are_a_wrong_use() -> None:
    assert ask("--include", "*.json")[0].exit_code == 2
    result, _ = ask("--build-env", "CFLAGS")
    assert result.exit_code == 2
    assert "'CFLAGS' has no '='; write NAME=VALUE." in result.output


def test_a_function_without_packages_is_its_code(tmp_path: Path, orders: Path) -> None:
    store = Store(tmp_path / "store")
    assert isinstance(Asked(project=str(orders), runtime="python3.13").function(store), FunctionArtifact)
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "app.py").write_text("")
    assert isinstance(Asked(project=str(plain), runtime="python3.13").function(store), SourceArtifact)
