"""``LambdaSourceArtifact``: a function's code at a literal key that changes with the code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
from tests.support.apps import (
    PYTHON_HERE,
    asset_hash,
    function,
    make_app,
    messages,
    properties,
    resources,
    staged,
    template_of,
)
from tests.support.projects import files_in
from tests.support.wheels import names_in, sha256

SOURCE = "Custom::LbdartSource"


@pytest.fixture
def outdir(tmp_path: Path, cache: Path) -> Path:
    return tmp_path / "cdk.out"


@pytest.fixture
def stack(outdir: Path) -> Stack:
    return Stack(make_app(outdir), "Shop")


def function_code(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the code of the template's function, which is not the publisher's."""
    code: Mapping[str, Any]
    (code,) = (
        resource["Properties"]["Code"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
        and resource["Properties"]["Handler"] == "index.handler"
    )
    return code


def test_the_functions_key_is_a_literal_that_names_version_and_hash(
    orders: Path, stack: Stack, outdir: Path
) -> None:
    code = LambdaSourceArtifact(stack, "Code", tool="uv", project=str(orders))
    function(stack, code=code.code)
    key = f"orders/source/1.2.0/{code.source_sha256}/source.zip"
    assert (code.object_key, code.source_version) == (key, "1.2.0")
    assert function_code(template_of(stack).to_json())["S3Key"] == key
    zipped = staged(outdir, code.source_sha256)
    assert sha256(zipped) == code.source_sha256
    assert names_in(zipped) == ["orders-1.2.0.dist-info/METADATA", "orders/__init__.py", "orders/app.py"]


def test_bytecode_is_in_the_zip_if_asked_for(orders: Path, stack: Stack, outdir: Path) -> None:
    code = LambdaSourceArtifact(stack, "Code", project=str(orders), runtime=PYTHON_HERE, bytecode=True)
    assert [name for name in names_in(staged(outdir, code.source_sha256)) if name.endswith(".pyc")]


def test_bytecode_for_another_python_than_the_functions_is_a_warning(orders: Path, outdir: Path) -> None:
    app = make_app(outdir)
    stack = Stack(app, "Shop")
    code = LambdaSourceArtifact(stack, "Code", project=str(orders), runtime=PYTHON_HERE, bytecode=True)
    other = lambda_.Runtime.PYTHON_3_14
    for name, runtime in {"Same": PYTHON_HERE, "Other": other}.items():
        lambda_.Function(stack, name, handler="orders.app.handler", runtime=runtime, code=code.code)
    ((path, (text,)),) = messages(app, "WARNING").items()
    assert path == "/Shop/Other/Resource"
    assert text.startswith(
        f"This function runs on {other.name}, but the bytecode in the code of orders is for "
    )


def test_the_function_waits_for_the_copy(orders: Path, stack: Stack) -> None:
    """It refers to the bucket itself: a hotswap cannot read attributes of the copy, and does nothing then."""
    code = LambdaSourceArtifact(stack, "Code", project=str(orders))
    function(stack, code=code.code)
    (logical_id,) = resources(stack, SOURCE)
    (bucket,) = resources(stack, "AWS::S3::Bucket")
    (waiting,) = (
        resource
        for resource in resources(stack, "AWS::Lambda::Function").values()
        if resource["Properties"]["Handler"] == "index.handler"
    )
    assert waiting["Properties"]["Code"] == {"S3Bucket": {"Ref": bucket}, "S3Key": code.object_key}
    assert logical_id in waiting["DependsOn"]


def test_a_function_of_another_stack_waits_too_and_holds_nothing_fast(orders: Path, outdir: Path) -> None:
    app = make_app(outdir)
    code = LambdaSourceArtifact(Stack(app, "Shop"), "Code", project=str(orders))
    function(Stack(app, "Fns"), code=code.code)
    producer, consumer = (app.synth().get_stack_by_name(name) for name in ("Shop", "Fns"))
    used = function_code(consumer.template)
    assert used["S3Bucket"]["Fn::GetStackOutput"]["StackName"] == "Shop"
    assert used["S3Key"] == code.object_key
    assert all("Export" not in output for output in producer.template["Outputs"].values())
    assert "Shop" in [dependency.id for dependency in consumer.dependencies]


def test_the_copy_is_declared(orders: Path, stack: Stack) -> None:
    code = LambdaSourceArtifact(stack, "Code", project=str(orders), removal_policy=RemovalPolicy.DESTROY)
    declared = properties(stack, SOURCE)
    assert {name: value for name, value in declared.items() if isinstance(value, str)} == {
        "AssetKey": f"{asset_hash(code.source_sha256)}.zip",
        "Prefix": "orders",
        "SourceVersion": "1.2.0",
        "SourceSha256": code.source_sha256,
        "RemovalPolicy": "destroy",
        "ServiceTimeout": "1200",
    }
    assert stack.resolve(code.s3_uri) == {
        "Fn::Join": ["", ["s3://", declared["Bucket"], f"/{code.object_key}"]]
    }


def test_a_line_of_code_changes_the_key_and_the_layer_stays(
    orders: Path, tmp_path: Path, cache: Path
) -> None:
    keys = []
    for number in range(2):
        stack = Stack(make_app(tmp_path / f"out{number}"), "Shop")
        code = LambdaSourceArtifact(stack, "Code", project=str(orders))
        deps = LambdaLayerArtifact(stack, "Deps", project=str(orders))
        keys.append((code.object_key, deps.build_key))
        (orders / "src/orders/app.py").write_text("def handler(event, context):\n    return 43\n")
    assert keys[0][0] != keys[1][0]
    assert keys[0][1] == keys[1][1]


def test_included_and_excluded_files(orders: Path, stack: Stack, outdir: Path) -> None:
    (orders / "conf.json").write_text("{}")
    code = LambdaSourceArtifact(
        stack, "Code", project=str(orders), include=["*.json"], exclude=["*.dist-info", "__init__.py"]
    )
    assert names_in(staged(outdir, code.source_sha256)) == ["conf.json", "orders/app.py"]


def test_bucket_and_prefix_are_the_users(orders: Path, stack: Stack) -> None:
    bucket = s3.Bucket.from_bucket_name(stack, "Artifacts", "our-artifacts")
    code = LambdaSourceArtifact(stack, "Code", project=str(orders), bucket=bucket, prefix="team/orders/")
    assert code.s3_uri == f"s3://our-artifacts/team/orders/source/1.2.0/{code.source_sha256}/source.zip"
    template_of(stack).resource_count_is("AWS::S3::Bucket", 0)


def test_one_source_serves_many_functions_and_stacks(orders: Path, outdir: Path) -> None:
    app = make_app(outdir)
    codes = [LambdaSourceArtifact(Stack(app, name), "Code", project=str(orders)) for name in ("A", "B")]
    assert codes[0].object_key == codes[1].object_key
    assert codes[0].code is codes[0].code


def test_nothing_is_built_for_a_stack_that_is_not_deployed(orders: Path, outdir: Path, cache: Path) -> None:
    app = make_app(outdir, bundling=False)
    stack = Stack(app, "Shop")
    code = LambdaSourceArtifact(stack, "Code", project=str(orders))
    function(stack, code=code.code)
    before = files_in(orders)
    app.synth()
    assert code.object_key == f"orders/source/1.2.0/{'0' * 64}/source.zip"
    assert not cache.exists()
    assert not list(outdir.glob("**/asset.*"))
    assert files_in(orders) == before
