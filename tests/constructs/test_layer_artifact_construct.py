"""``LambdaLayerArtifact``: a layer version wherever CDK takes one, built at synth and only when asked."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import jsii._kernel as jsii_kernel
import pytest
from aws_cdk import RemovalPolicy, Stack, Stage, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import key_of
from lbdart_cdk.tools.pip import lock as pip
from tests.support.apps import (
    PYTHON_3_13,
    PYTHON_HERE,
    asset_hash,
    function,
    make_app,
    properties,
    resources,
    staged,
    staged_layer,
    template_of,
)
from tests.support.projects import Workbench, files_in, index_table, make_project, uv_lock
from tests.support.wheels import names_in, read_from, sha256

LAYER = "Custom::LbdartLayer"


@pytest.fixture
def outdir(tmp_path: Path, cache: Path) -> Path:
    return tmp_path / "cdk.out"


@pytest.fixture
def stack(outdir: Path) -> Stack:
    return Stack(make_app(outdir), "Shop")


def test_the_layer_is_built_and_its_publication_declared(orders: Path, stack: Stack, outdir: Path) -> None:
    deps = LambdaLayerArtifact(
        stack, "Deps", tool="uv", project=str(orders), runtime=PYTHON_3_13, description="Ours", license="MIT"
    )
    manifest = (orders / "uv.lock").read_bytes()
    content = hashlib.sha256(manifest).hexdigest()
    records_key = key_of(
        {"artifact": "records", "build_key": deps.build_key, "manifest": "uv.lock", "content": content}
    )
    declared = properties(stack, LAYER)
    assert {name: value for name, value in declared.items() if isinstance(value, str | list)} == {
        "LayerName": deps.layer_name,
        "BuildKey": deps.build_key,
        "ManifestName": "uv.lock",
        "ManifestMd5": hashlib.md5(manifest, usedforsecurity=False).hexdigest(),
        "ZipSha256": sha256(staged_layer(outdir, deps)),
        "AssetKey": f"{asset_hash(sha256(staged_layer(outdir, deps)))}.zip",
        "RecordsAssetKey": f"{asset_hash(records_key)}.zip",
        "Prefix": deps.layer_name,
        "Description": "Ours",
        "License": "MIT",
        "CompatibleRuntimes": ["python3.13"],
        "CompatibleArchitectures": ["x86_64"],
        "RemovalPolicy": "retain",
        "ServiceTimeout": "1200",
    }
    built = staged_layer(outdir, deps)
    assert {name.split("/")[1] for name in names_in(built) if "-" not in name} == {
        "alpha", "native.so", "urllib3",
    }  # fmt: skip
    records = staged(outdir, records_key)
    assert names_in(records) == ["sbom.cdx.json", "uv.lock"]
    assert read_from(records, "uv.lock") == manifest


def test_it_is_accepted_wherever_a_layer_version_is(orders: Path, stack: Stack) -> None:
    deps = LambdaLayerArtifact(stack, "Deps", project=str(orders), runtime=PYTHON_3_13)
    function(stack, layers=[deps])
    deps.add_permission("Partner", account_id="111122223333")
    template = template_of(stack)
    (logical_id,) = template.find_resources(LAYER)
    # The first of a list of two: the second has what the version is known by in the text.
    arn = {
        "Fn::Select": [
            0,
            [{"Fn::GetAtt": [logical_id, "LayerVersionArn"]}, f"{deps.layer_name}:{deps.build_key}"],
        ]
    }
    template.has_resource_properties("AWS::Lambda::Function", {"Layers": [arn]})
    template.has_resource_properties(
        "AWS::Lambda::LayerVersionPermission", {"LayerVersionArn": arn, "Principal": "111122223333"}
    )
    assert stack.resolve([deps.layer_version_arn, deps.layer_version, deps.manifest_uri]) == [
        arn,
        {"Fn::GetAtt": [logical_id, "LayerVersion"]},
        {"Fn::GetAtt": [logical_id, "ManifestUri"]},
    ]
    assert [runtime.name for runtime in deps.compatible_runtimes or ()] == ["python3.13"]


def test_cloudformations_own_removal_policy_can_be_set(orders: Path, stack: Stack) -> None:
    deps = LambdaLayerArtifact(stack, "Deps", project=str(orders), runtime=PYTHON_3_13)
    deps.apply_removal_policy(RemovalPolicy.RETAIN)
    ((resource),) = resources(stack, LAYER).values()
    assert resource["DeletionPolicy"] == "Retain"


def test_a_function_on_another_python_is_refused_by_cdk(orders: Path, stack: Stack) -> None:
    deps = LambdaLayerArtifact(stack, "Deps", project=str(orders), runtime=lambda_.Runtime.PYTHON_3_11)
    with pytest.raises(RuntimeError, match=r"is not compatible with this runtime|[iI]ncompatible"):
        function(stack, layers=[deps])


def test_the_python_defaults_to_the_projects_and_the_machine_to_lambdas(orders: Path, stack: Stack) -> None:
    LambdaLayerArtifact(stack, "Deps", project=str(orders))
    template_of(stack).has_resource_properties(
        LAYER, {"CompatibleRuntimes": ["python3.11"], "CompatibleArchitectures": ["x86_64"]}
    )


def test_a_path_is_relative_to_the_working_directory(
    orders: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(orders)
    here = LambdaLayerArtifact(stack, "Here")
    there = LambdaLayerArtifact(stack, "There", project=str(orders / "uv.lock"))
    assert here.build_key == there.build_key


def test_artifacts_of_one_project_in_one_app_are_each_right(orders: Path, outdir: Path) -> None:
    app = make_app(outdir)
    keys = set()
    for python, runtime in (("cp311", lambda_.Runtime.PYTHON_3_11), ("cp313", PYTHON_3_13)):
        stack = Stack(app, f"Shop-{python}")
        for machine, architecture in (
            ("x86_64", lambda_.Architecture.X86_64),
            ("aarch64", lambda_.Architecture.ARM_64),
        ):
            deps = LambdaLayerArtifact(
                stack,
                machine.replace("_", ""),
                project=str(orders),
                runtime=runtime,
                architecture=architecture,
            )
            native = read_from(staged_layer(outdir, deps), "python/native.so").decode()
            assert native == f"{python}-{python}-manylinux_2_17_{machine}"
            keys.add(deps.build_key)
    assert len(keys) == 4


def test_one_artifact_in_two_stacks_is_built_once(orders: Path, outdir: Path, cache: Path) -> None:
    app = make_app(outdir)
    first = LambdaLayerArtifact(Stack(app, "One"), "Deps", project=str(orders))
    before = files_in(cache)
    second = LambdaLayerArtifact(Stack(Stage(app, "Prod"), "Two"), "Deps", project=str(orders))
    assert first.build_key == second.build_key
    assert first.layer_name != second.layer_name
    assert files_in(cache) == before
    assert staged_layer(outdir, first).is_file()


@pytest.mark.parametrize("artifact", [LambdaLayerArtifact, LambdaSourceArtifact])
def test_a_zip_that_was_changed_in_the_cache_is_not_staged(
    orders: Path, outdir: Path, cache: Path, artifact: type[Construct]
) -> None:
    """Not even with its size and time as they were."""
    stack = Stack(make_app(outdir / "first"), "Shop")
    artifact(stack, "Deps", project=str(orders))  # type: ignore[call-arg]
    for path in cache.glob("v1/archives/*/*.zip"):
        before = path.stat()
        path.write_bytes(bytes(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(LbdartError, match=r"/archives/\S+ has the SHA-256 \w+, not \w+: it was changed"):
        artifact(Stack(make_app(outdir / "second"), "Shop"), "Deps", project=str(orders))  # type: ignore[call-arg]
    assert not list((outdir / "second").glob("asset.*.zip"))


def test_extras_groups_and_exclusions_reach_the_layer(orders: Path, stack: Stack, outdir: Path) -> None:
    deps = LambdaLayerArtifact(
        stack, "Deps", project=str(orders), extras=["fast"], groups=["ops"], exclude=["Native", "urllib3"]
    )
    packages = {name.split("/")[1] for name in names_in(staged_layer(outdir, deps))}
    assert {name for name in packages if "-" not in name} == {"alpha", "beta", "gamma"}


def test_what_left_out_files_save_is_said_at_each_synth(
    orders: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDK_CLI_VERSION", "2.1148.1")
    deps = LambdaLayerArtifact(
        stack, "Deps", project=str(orders), runtime=PYTHON_3_13, exclude_files=["native.so", "docs/"]
    )
    assert ", exclude_files saved 1 kB (1 file), built in " in capsys.readouterr().err
    (warning,) = (str(entry.data) for entry in deps.node.metadata if entry.type == "aws:cdk:warning")
    assert "[ack: lbdart_cdk:exclude-files:docs/]" in warning


def test_bytecode_is_in_the_layer_if_asked_for(orders: Path, stack: Stack, outdir: Path) -> None:
    options = {"project": str(orders), "runtime": PYTHON_HERE, "exclude": ["native"]}
    deps = LambdaLayerArtifact(stack, "Deps", bytecode=True, **options)  # type: ignore[arg-type]
    plain = LambdaLayerArtifact(stack, "Plain", **options)  # type: ignore[arg-type]
    assert deps.build_key != plain.build_key
    assert [name for name in names_in(staged_layer(outdir, deps)) if name.endswith(".pyc")]


def test_a_preferred_package_reaches_the_layer(orders: Path, stack: Stack) -> None:
    with pytest.raises(LbdartError, match="prefer= names delta"):
        LambdaLayerArtifact(stack, "Deps", project=str(orders), prefer=["delta"])


@pytest.mark.parametrize("tool", [None, "uv"])
def test_nothing_is_built_for_a_stack_that_is_not_deployed(
    orders: Path, outdir: Path, cache: Path, tool: str | None
) -> None:
    app = make_app(outdir, bundling=False)
    stack = Stack(app, "Shop")
    before = files_in(orders)
    deps = LambdaLayerArtifact(stack, "Deps", tool=tool, project=str(orders), runtime=PYTHON_3_13)
    function(stack, layers=[deps])
    app.synth()
    assert deps.build_key == "0" * 64
    assert not cache.exists()
    assert not list(outdir.glob("**/asset.*"))
    assert files_in(orders) == before


def test_a_name_defaults_to_the_path_of_the_construct(orders: Path, outdir: Path) -> None:
    stack = Stack(Stage(make_app(outdir), "Prod"), "Shop")
    deps = LambdaLayerArtifact(stack, "My.Deps_1", project=str(orders))
    assert deps.layer_name.startswith("Prod-Shop-MyDeps_1")
    assert len(deps.layer_name) <= 140
    named = LambdaLayerArtifact(stack, "Named", project=str(orders), layer_name="our-deps_1")
    assert named.layer_name == "our-deps_1"


def test_bucket_and_prefix_are_the_users(orders: Path, stack: Stack) -> None:
    bucket = s3.Bucket(stack, "Artifacts")
    LambdaLayerArtifact(
        stack, "Deps", project=str(orders), layer_name="deps", bucket=bucket, prefix="/team/orders/"
    )
    template = template_of(stack)
    name = stack.resolve(bucket.bucket_name)
    template.has_resource_properties(LAYER, {"Bucket": name, "Prefix": "team/orders"})
    template.resource_count_is("AWS::S3::Bucket", 1)


@pytest.mark.parametrize(
    ("policy", "deletes"), [(RemovalPolicy.RETAIN, False), (RemovalPolicy.DESTROY, True)]
)
def test_versions_are_deleted_only_when_the_user_chose_so(
    orders: Path, stack: Stack, policy: RemovalPolicy, deletes: bool
) -> None:
    LambdaLayerArtifact(stack, "Deps", project=str(orders), removal_policy=policy)
    assert properties(stack, LAYER)["RemovalPolicy"] == policy.name.lower()
    policies = resources(stack, "AWS::IAM::Policy").values()
    statements = [
        statement for policy in policies for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    actions = {
        action
        for statement in statements
        for action in statement["Action"]
        if isinstance(statement["Action"], list)
    }
    deleting = {action for action in actions if "Delete" in action}
    assert bool(deleting) is deletes


def test_the_template_is_the_same_from_two_directories(
    orders: Path, tmp_path: Path, workbench: Workbench, cache: Path
) -> None:
    elsewhere = workbench.copy(tmp_path / "elsewhere" / "orders")
    templates = []
    for number, root in enumerate((orders, elsewhere)):
        stack = Stack(make_app(tmp_path / f"out{number}"), "Shop")
        LambdaLayerArtifact(stack, "Deps", project=str(root))
        templates.append(template_of(stack).to_json())
    assert templates[0] == templates[1]


def test_no_password_of_an_index_is_in_the_cloud_assembly(
    workbench: Workbench, tmp_path: Path, outdir: Path, cache: Path
) -> None:
    private = workbench.index.url.replace("//", "//user:hunter2@")
    root = make_project(tmp_path / "app", dependencies=["alpha"], tail=index_table(private))
    uv_lock(root)
    app = make_app(outdir)
    LambdaLayerArtifact(Stack(app, "Shop"), "Deps", project=str(root))
    app.synth()
    written = {**files_in(outdir), **files_in(cache)}
    assert written
    assert not [name for name, content in written.items() if b"hunter2" in content]


def test_requirements_without_hashes_are_locked_once_in_an_app(
    workbench: Workbench, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{workbench.index.url}/simple/")
    (tmp_path / "requirements.txt").write_text("alpha\n")
    (tmp_path / ".python-version").write_text("3.13")
    locked = []

    def counted(*arguments: Any) -> str:
        locked.append(arguments)
        return compile_requirements(*arguments)

    compile_requirements = pip._compile
    monkeypatch.setattr(pip, "_compile", counted)
    for number in (1, 2):
        app = make_app(tmp_path / f"out{number}")
        for name in ("Shop", "Reports"):
            LambdaLayerArtifact(Stack(app, name), "Deps", project=str(tmp_path))
        assert len(locked) == number


def test_the_name_may_be_a_token(orders: Path, stack: Stack) -> None:
    name = f"{stack.stack_name}-{stack.account}"
    assert Token.is_unresolved(name)
    LambdaLayerArtifact(stack, "Deps", project=str(orders), layer_name=name, prefix="deps")
    assert properties(stack, LAYER)["LayerName"] == stack.resolve(name)


def test_a_single_name_is_one_name(orders: Path, stack: Stack) -> None:
    given: list[dict[str, Any]] = [{"extras": "fast"}, {"extras": ["fast"]}, {"exclude": "alpha"}, {}]
    keys = [
        LambdaLayerArtifact(stack, f"Deps{number}", project=str(orders), **props).build_key
        for number, props in enumerate(given)
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


class TestSubclasses:
    """CDK asks its own construct, and not the Python object, so a subclass must not seem to override that."""

    def test_one_that_chooses_props_is_a_layer_as_any_other(self, orders: Path, stack: Stack) -> None:
        class TeamLayer(LambdaLayerArtifact):
            def __init__(self, scope: Stack, id: str) -> None:  # noqa: A002  (CDK's name)
                super().__init__(scope, id, project=str(orders), runtime=PYTHON_3_13)

            @property
            def team(self) -> str:
                return "orders"

        layer = TeamLayer(stack, "Deps")
        consumer = function(stack, layers=[layer])
        assert isinstance(consumer.node.default_child, lambda_.CfnFunction)
        assert stack.resolve(consumer.node.default_child.layers) == [stack.resolve(layer.layer_version_arn)]

    def test_what_cdk_would_not_see_is_refused(self) -> None:
        with pytest.raises(
            LbdartError, match=r"^Pinned overrides layer_version_arn of LambdaLayerArtifact, "
        ):

            class Pinned(LambdaLayerArtifact):
                @property
                def layer_version_arn(self) -> str:
                    return "arn:aws:lambda:us-east-1:123456789012:layer:orders:7"

    def test_in_a_class_between_too(self) -> None:
        class Mixin:
            def add_permission(self) -> None: ...

        with pytest.raises(LbdartError, match=r"^Shared overrides add_permission of "):

            class Shared(Mixin, LambdaLayerArtifact): ...  # type: ignore[misc]


def test_a_function_asks_python_nothing_about_its_layer(
    orders: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python object stands for CDK's own construct by jsii's inner workings: this fails when they move."""
    layer = LambdaLayerArtifact(stack, "Deps", project=str(orders), runtime=PYTHON_3_13)
    asked: list[object] = []
    monkeypatch.setattr(jsii_kernel, "_handle_callback", lambda _kernel, callback: asked.append(callback))
    function(stack, layers=[layer])
    assert asked == []
    assert stack.node.find_child("Deps").node.path == layer.node.path == "Shop/Deps"


def test_a_layer_of_own_code_has_the_files_of_the_source(stack: Stack, outdir: Path, tmp_path: Path) -> None:
    # The directory of PythonLayerVersion(entry=...): modules and what they open, beside a manifest.
    root = tmp_path / "shared"
    for name in ("requirements.txt", "lib/x.py", "lib/data.json", "shared.py", ".env"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    deps = LambdaLayerArtifact(stack, "Deps", project=str(root), runtime=PYTHON_3_13, own_code=True)
    code = LambdaSourceArtifact(stack, "Code", project=str(root))
    own = names_in(staged(outdir, code.source_sha256))
    assert own == ["lib/data.json", "lib/x.py", "shared.py"]
    assert names_in(staged_layer(outdir, deps)) == [f"python/{name}" for name in own]
