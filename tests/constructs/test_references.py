"""Functions in other stacks refer to a layer without holding it fast."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CrossStackReferences, NestedStack, ReferenceStrength, Stack
from aws_cdk import aws_lambda as lambda_

from lbdart_cdk import LambdaLayerArtifact
from tests.support.apps import function, make_app, resources

RUNTIME = lambda_.Runtime.PYTHON_3_13


@dataclass(frozen=True)
class Templates:
    """The templates of one app, those of its nested stacks too, and the names of their files."""

    by_file: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, app: App) -> Templates:
        """Synthesise an app."""
        folder = Path(app.synth().directory)
        return cls({path.name: json.loads(path.read_text()) for path in folder.glob("**/*.template.json")})

    @property
    def text(self) -> str:
        """All of them."""
        return json.dumps(self.by_file)

    def functions(self) -> list[dict[str, Any]]:
        """The properties of the functions that have a layer."""
        rows = [row for template in self.by_file.values() for row in template["Resources"].values()]
        return [
            row["Properties"]
            for row in rows
            if row["Type"] == "AWS::Lambda::Function" and "Layers" in row["Properties"]
        ]

    def assets(self, outdir: Path) -> set[str]:
        """The hashes under which the nested stacks' templates are uploaded."""
        manifests = [json.loads(path.read_text()) for path in outdir.glob("*.assets.json")]
        return {
            key
            for manifest in manifests
            for key, row in manifest["files"].items()
            if row["source"]["path"].endswith(".nested.template.json")
        }


#: Where a layer and a function that uses it may be: paths of stacks; all but the first are nested ones.
PLACES: dict[str, tuple[str, str]] = {
    "another stack": ("Layers", "Functions"),
    "from a nested stack to another stack": ("Layers/Inner", "Functions"),
    "from a nested stack in a nested stack to another stack": ("Layers/Outer/Inner", "Functions"),
    "to a nested stack of another stack": ("Layers", "Functions/Inner"),
    "from a nested stack to a nested stack of another": ("Layers/Inner", "Functions/Outer/Inner"),
    "from a nested stack to its parent": ("Layers/Inner", "Layers"),
    "from the parent to a nested stack": ("Layers", "Layers/Inner"),
    "between nested stacks of one parent": ("Layers/Inner", "Layers/Other"),
}


def stack_at(app: App, path: str) -> Stack:
    """Return the stack of a path, and create what is not there."""
    top, *nested = path.split("/")
    stack = app.node.try_find_child(top) or Stack(app, top)
    assert isinstance(stack, Stack)
    for name in nested:
        stack = stack.node.try_find_child(name) or NestedStack(stack, name)
        assert isinstance(stack, Stack)
    return stack


def app_with(outdir: Path, project: Path, place: str, **props: Any) -> App:
    app = make_app(outdir)
    of_layer, of_function = PLACES[place]
    deps = LambdaLayerArtifact(
        stack_at(app, of_layer), "Deps", project=str(project), runtime=RUNTIME, **props
    )
    function(stack_at(app, of_function), layers=[deps])
    return app


@pytest.mark.parametrize("place", PLACES)
def test_no_reference_is_an_export(orders: Path, tmp_path: Path, place: str) -> None:
    # An export that is in use cannot change, and the layer could never be updated.
    templates = Templates.of(app_with(tmp_path / "cdk.out", orders, place))
    assert "Fn::ImportValue" not in templates.text
    assert '"Export"' not in templates.text
    assert len(templates.functions()) == 1
    read_from = re.findall(r'"Fn::GetStackOutput": {"StackName": "(\w+)"', templates.text)
    assert read_from == (["Layers"] if "Functions" in PLACES[place][1] else [])


def test_a_deployed_export_of_a_nested_stack_can_stay_for_one_deployment(
    orders: Path, tmp_path: Path
) -> None:
    app = app_with(tmp_path / "cdk.out", orders, "from a nested stack to another stack")
    nested = stack_at(app, "Layers/Inner")
    CrossStackReferences.of(nested).produce(ReferenceStrength.BOTH)
    templates = Templates.of(app)
    assert "Fn::ImportValue" not in templates.text
    assert "Fn::GetStackOutput" in templates.text
    assert '"Export"' in templates.text


@pytest.mark.parametrize("place", PLACES)
def test_a_layer_that_changed_changes_a_property_of_the_function(
    orders: Path, tmp_path: Path, place: str
) -> None:
    # CloudFormation may leave a resource alone when its properties have the same text. The command line does
    # not deploy a template that is deployed, and a nested stack has another template only at another address.
    functions, assets = [], []
    for number, extras in enumerate(((), (), ("fast",))):
        outdir = tmp_path / f"cdk.out{number}"
        templates = Templates.of(app_with(outdir, orders, place, extras=extras))
        functions.append(templates.functions())
        assets.append(templates.assets(outdir))
    assert functions[0] == functions[1]
    assert assets[0] == assets[1]
    assert functions[1] != functions[2]
    assert len(assets[2] - assets[1]) == len(assets[1])


def test_a_parameter_carries_the_current_arn_and_goes_with_the_construct(
    orders: Path, tmp_path: Path
) -> None:
    # One that stayed would be in the way of the next deployment.
    stack = Stack(make_app(tmp_path / "cdk.out"), "Layers")
    LambdaLayerArtifact(
        stack, "Deps", project=str(orders), runtime=RUNTIME, parameter_name=f"/{stack.region}/deps"
    )
    (parameter,) = resources(stack, "AWS::SSM::Parameter").values()
    assert parameter["Properties"]["Name"] == {"Fn::Join": ["", ["/", {"Ref": "AWS::Region"}, "/deps"]]}
    assert parameter["Properties"]["Value"]["Fn::Select"][1][0]["Fn::GetAtt"][1] == "LayerVersionArn"
    assert "Retain" not in parameter.get("DeletionPolicy", "")
