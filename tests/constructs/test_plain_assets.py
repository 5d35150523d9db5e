"""One context key makes layers and code ordinary assets; an app's template differs in nothing else."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnOutput, RemovalPolicy, Stack, Stage

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.constructs import staging
from lbdart_cdk.core.errors import LbdartError
from tests.support.apps import PYTHON_3_13, function, template_of

CONTEXT = "lbdart_cdk:plain_assets"
Template = Mapping[str, Any]


@pytest.fixture
def outdir(tmp_path: Path, cache: Path) -> Path:
    return tmp_path / "cdk.out"


def make_app(outdir: Path, value: object = True, **more: Any) -> App:
    return App(outdir=str(outdir), context={CONTEXT: value, "aws:cdk:enable-asset-metadata": True, **more})


def shop(stack: Stack, project: Path, **props: Any) -> tuple[LambdaLayerArtifact, LambdaSourceArtifact]:
    deps = LambdaLayerArtifact(stack, "Deps", project=str(project), runtime=PYTHON_3_13, **props)
    code = LambdaSourceArtifact(stack, "Code", project=str(project))
    function(stack, layers=[deps], code=code.code)
    return deps, code


@pytest.mark.parametrize("names", [("aux.py",), ("python/trailing.",), ("a.py", "a.py")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_the_file_system_cannot_keep_apart_is_not_unpacked(
    names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Twice the same name: as a file system that ignores case sees A.py and a.py.
    monkeypatch.setattr(staging, "IS_WINDOWS", True)
    with zipfile.ZipFile(tmp_path / "asset.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "")
    with pytest.raises(LbdartError, match="cannot be unpacked on this machine"):
        staging.unpack(tmp_path / "asset.zip", tmp_path / "asset")
    assert not (tmp_path / "asset").exists()


def of_type(template: Template, kind: str) -> dict[str, Any]:
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


def only(template: Template, kind: str) -> dict[str, Any]:
    (resource,) = of_type(template, kind).values()
    found: dict[str, Any] = resource
    return found


def test_the_stack_has_a_layer_version_and_nothing_of_ours(orders: Path, outdir: Path) -> None:
    stack = Stack(make_app(outdir), "Shop")
    deps, _ = shop(stack, orders)
    template = template_of(stack).to_json()
    kinds = sorted(resource["Type"] for resource in template["Resources"].values())
    assert kinds == ["AWS::IAM::Role", "AWS::Lambda::Function", "AWS::Lambda::LayerVersion"]
    layer = only(template, "AWS::Lambda::LayerVersion")
    assert layer["Properties"]["LayerName"] == deps.layer_name
    assert layer["Properties"]["CompatibleRuntimes"] == ["python3.13"]
    assert layer["Properties"]["CompatibleArchitectures"] == ["x86_64"]
    assert layer["DeletionPolicy"] == "Delete"


def test_code_and_layer_are_assets_with_literal_keys(orders: Path, outdir: Path) -> None:
    app = make_app(outdir)
    stack = Stack(app, "Shop")
    _, code = shop(stack, orders)
    template = app.synth().get_stack_by_name("Shop").template
    used = only(template, "AWS::Lambda::Function")
    layer = only(template, "AWS::Lambda::LayerVersion")
    assets = json.loads((outdir / "Shop.assets.json").read_text())["files"]
    staged = {next(iter(each["destinations"].values()))["objectKey"]: each for each in assets.values()}
    for resource, name, place in ((used, "Code", "S3"), (layer, "Content", "S3")):
        key = resource["Properties"][name][f"{place}Key"]
        path = staged[key]["source"]["path"]
        assert resource["Metadata"]["aws:asset:path"] == path
        assert resource["Metadata"]["aws:asset:property"] == name
        assert zipfile.is_zipfile(outdir / path)
    assert code.object_key == used["Properties"]["Code"]["S3Key"]


def test_the_template_differs_in_nothing_else(orders: Path, tmp_path: Path, cache: Path) -> None:
    templates = []
    for value in (False, True):
        app = make_app(tmp_path / str(value), value)
        stack = Stack(app, "Shop")
        deps, _ = shop(stack, orders, parameter_name="/shop/deps")
        deps.add_permission("Share", account_id="111122223333")
        CfnOutput(stack, "Number", value=deps.layer_version)
        template = app.synth().get_stack_by_name("Shop").template
        ours = {
            name: each
            for name, each in template["Resources"].items()
            if not name.startswith(("LbdartPublisher", "DepsPublished", "DepsVersion", "Code"))
        }
        (used,) = (each for each in ours.values() if each["Type"] == "AWS::Lambda::Function")
        for each in (used["Properties"]["Code"], used["Properties"]["Layers"][0]["Fn::Select"][1]):
            each[0 if isinstance(each, list) else "S3Key"] = "where it is"
        used["Properties"]["Code"]["S3Bucket"] = used["DependsOn"] = used["Metadata"] = "where it is"
        permission = next(each for each in ours.values() if "Permission" in each["Type"])
        parameter = next(each for each in ours.values() if "Parameter" in each["Type"])
        for each in (permission["Properties"]["LayerVersionArn"], parameter["Properties"]["Value"]):
            each["Fn::Select"][1][0] = "where it is"
        del permission["DeletionPolicy"], permission["UpdateReplacePolicy"]
        templates.append(ours)
    assert templates[0] == templates[1]


def test_a_changed_layer_changes_the_function(orders: Path, outdir: Path) -> None:
    stack = Stack(make_app(outdir), "Shop")
    deps, _ = shop(stack, orders)
    template = template_of(stack).to_json()
    ((logical_id, _),) = of_type(template, "AWS::Lambda::LayerVersion").items()
    assert only(template, "AWS::Lambda::Function")["Properties"]["Layers"] == [
        {"Fn::Select": [0, [{"Ref": logical_id}, f"{deps.layer_name}:{deps.build_key}"]]}
    ]


def test_functions_of_other_stacks_and_stages(orders: Path, outdir: Path) -> None:
    """Each stack has the code as an asset of its own, and the reference to the layer is weak."""
    app = make_app(outdir)
    stage = Stage(app, "Dev")
    deps, code = shop(Stack(stage, "Shop"), orders)
    web = Stack(stage, "Web")
    function(web, layers=[deps], code=code.code)
    assembly = app.synth().get_nested_assembly("assembly-Dev")
    shops, webs = (assembly.get_stack_by_name(f"Dev-{name}").template for name in ("Shop", "Web"))
    used = only(webs, "AWS::Lambda::Function")["Properties"]
    assert used["Code"]["S3Key"] == code.object_key
    assert "Fn::GetStackOutput" in json.dumps(used["Layers"])
    assert "Export" not in json.dumps(shops.get("Outputs", {}))
    (assets,) = outdir.glob("assembly-Dev/DevWeb*.assets.json")
    assert code.object_key in assets.read_text()


def test_the_code_is_built_for_a_function_whose_stack_alone_is_deployed(orders: Path, outdir: Path) -> None:
    app = make_app(outdir, **{"aws:cdk:bundling-stacks": ["Web"]})
    _, code = shop(Stack(app, "Shop"), orders)
    function(Stack(app, "Web"), code=code.code)
    app.synth()
    (staged,) = outdir.glob("asset.*.zip")
    assert staged.name.removeprefix("asset.") in (outdir / "Web.template.json").read_text()


def test_a_stack_has_its_own_switch(orders: Path, outdir: Path) -> None:
    app = App(outdir=str(outdir))
    plain = Stack(app, "Plain")
    plain.node.set_context(CONTEXT, True)
    for stack in (plain, Stack(app, "Published")):
        shop(stack, orders)
    assembly = app.synth()
    assert not of_type(assembly.get_stack_by_name("Plain").template, "Custom::LbdartLayer")
    assert of_type(assembly.get_stack_by_name("Published").template, "Custom::LbdartLayer")


@pytest.mark.parametrize(("value", "is_plain"), [("true", True), ("false", False), (None, False)])
def test_the_command_line_passes_texts(orders: Path, outdir: Path, value: object, is_plain: bool) -> None:
    stack = Stack(App(outdir=str(outdir), context={CONTEXT: value}), "Shop")
    shop(stack, orders)
    assert bool(of_type(template_of(stack).to_json(), "Custom::LbdartLayer")) is not is_plain


def test_another_value_is_refused(orders: Path, outdir: Path) -> None:
    with pytest.raises(LbdartError, match=f"The context {CONTEXT} is 'yes'"):
        shop(Stack(make_app(outdir, "yes"), "Shop"), orders)


def test_layers_lie_unpacked_for_sam(orders: Path, outdir: Path) -> None:
    """``sam local invoke`` hands the file or folder that the metadata names to Docker as it is."""
    app = make_app(outdir, "unpacked")
    shop(Stack(app, "Shop"), orders)
    template = app.synth().get_stack_by_name("Shop").template
    layer = only(template, "AWS::Lambda::LayerVersion")
    folder = outdir / layer["Metadata"]["aws:asset:path"]
    with zipfile.ZipFile(folder.with_suffix(".zip")) as archive:
        for name in archive.namelist():
            assert (folder / name).read_bytes() == archive.read(name)
    assert layer["Properties"]["Content"]["S3Key"].endswith(".zip")
    assert only(template, "AWS::Lambda::Function")["Metadata"]["aws:asset:path"].endswith(".zip")


def test_a_removal_policy_of_the_users_own_is_kept(orders: Path, outdir: Path) -> None:
    stack = Stack(make_app(outdir), "Shop")
    shop(stack, orders, removal_policy=RemovalPolicy.RETAIN)
    layer = only(template_of(stack).to_json(), "AWS::Lambda::LayerVersion")
    assert (layer["DeletionPolicy"], layer["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_there_is_no_manifest_to_name(orders: Path, outdir: Path) -> None:
    deps, _ = shop(Stack(make_app(outdir), "Shop"), orders)
    with pytest.raises(LbdartError, match="Shop/Deps is a plain asset, so it has no manifest in S3"):
        _ = deps.manifest_uri


def test_nothing_is_built_for_a_stack_that_is_not_deployed(orders: Path, outdir: Path, cache: Path) -> None:
    app = make_app(outdir, **{"aws:cdk:bundling-stacks": []})
    shop(Stack(app, "Shop"), orders)
    app.synth()
    assert not cache.exists()
    assert not list(outdir.glob("**/asset.*"))
