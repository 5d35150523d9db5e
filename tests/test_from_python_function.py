"""The page for those who come from ``PythonFunction``: its props are there, and its example runs."""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path
from typing import Final

import pytest
from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lbdart_cdk import LambdaFunctionArtifact, LambdaLayerArtifact
from tests.support.apps import make_app, template_of

PAGE: Final = Path(__file__).parents[1].joinpath("docs", "from_python_function.md").read_text()


@pytest.mark.parametrize("construct", [LambdaFunctionArtifact, LambdaLayerArtifact])
def test_the_props_that_it_names_are_there(construct: type[Construct]) -> None:
    table = PAGE.split(f" | {construct.__name__} |\n")[1].split("\n\n")[0]
    cells = [row.strip("| ").split(" | ")[1] for row in table.splitlines()[1:]]
    codes = [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]
    named = {match[1] for code in codes if (match := re.match(r"(\w+)(=|$)", code))}
    assert len(named) > 3
    assert named - {"cdk"} <= inspect.signature(construct.__init__).parameters.keys()


def test_its_example_makes_a_function(
    orders: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app" / "services").mkdir(parents=True)
    shutil.copytree(orders, tmp_path / "app" / "services" / "orders")
    monkeypatch.chdir(tmp_path / "app")
    (example,) = re.findall(r"^```python\n# before\n.*?# after\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    stack = Stack(make_app(tmp_path / "cdk.out"), "Shop")
    names = {"self": stack, "lambda_": lambda_, "LambdaFunctionArtifact": LambdaFunctionArtifact}
    exec(compile(example, "<page>", "exec"), names)
    template_of(stack).has_resource_properties("AWS::Lambda::Function", {"Handler": "orders.app.handler"})
