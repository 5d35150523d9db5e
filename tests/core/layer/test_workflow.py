"""The four steps in one run, with anybody's builder: an object with ``run()`` and ``path_layout``."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lbdart_cdk.core.api import LayerBuildToolEnum, LayerDeploymentWorkflow, LayerPathLayout
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.native.check import LAYER_ROOT
from lbdart_cdk.core.packing.bytecode import Compiler
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.publishing.layer_upload import UploadedLayer, upload_layer
from lbdart_cdk.core.publishing.layouts import LayerS3Layout
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.tools import UvLambdaLayerLocalBuilder
from tests.core.conftest import FakeAws, zip_of
from tests.support.installed import install
from tests.support.projects import make_project
from tests.support.wheels import make_wheel

ARN = "arn:aws:lambda:us-east-1:123456789012:layer:orders-deps"


class Builder:
    """As a team that has its own way writes it: it knows nothing of this library but the layout."""

    def __init__(self, path_pyproject_toml: Path, fill: Callable[[LayerPathLayout], object]) -> None:
        self.path_layout = LayerPathLayout(path_pyproject_toml)
        self.fill = fill

    def run(self) -> None:
        self.fill(self.path_layout)


def a_module(content: str = "VERSION = 1\n") -> Callable[[LayerPathLayout], object]:
    def fill(layout: LayerPathLayout) -> None:
        package = layout.dir_python / "vendored"
        (package / "__pycache__").mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(content)
        (package / "__pycache__/__init__.cpython-313.pyc").write_bytes(b"compiled")

    return fill


def a_wheel(layout: LayerPathLayout) -> None:
    make_wheel(layout.dir_wheels, "alpha")


def nothing(layout: LayerPathLayout) -> None:
    """As a script that had nothing to install."""


def empty_directories(layout: LayerPathLayout) -> None:
    layout.dir_python.mkdir(parents=True)
    layout.dir_wheels.mkdir()


@dataclass
class Team:
    """Deploys as a script in a project does, and sees what it prints."""

    root: Path
    aws: FakeAws
    lines: list[str]

    def workflow(self, fill: Callable[[LayerPathLayout], object]) -> LayerDeploymentWorkflow:
        return LayerDeploymentWorkflow(
            builder=Builder(self.root / "pyproject.toml", fill),
            layer_name="orders-deps",
            layer_build_tool=LayerBuildToolEnum.pip,
            s3dir_lambda="s3://artifacts/lambda/orders",
            s3_client=self.aws.s3,
            lambda_client=self.aws.lambda_,
            printer=self.lines.append,
        )

    def published(self) -> zipfile.ZipFile:
        layout = LayerS3Layout("s3://artifacts/lambda/orders")
        return zipfile.ZipFile(io.BytesIO(self.aws.read(layout.s3path_temp_layer_zip)))

    def versions(self) -> list[int]:
        return sorted(self.aws.descriptions("orders-deps"))


@pytest.fixture
def team(tmp_path: Path, aws: FakeAws) -> Team:
    root = tmp_path / "team"
    root.mkdir()
    (root / "requirements.txt").write_text("vendored==1\n")
    return Team(root, aws, [])


def test_a_builder_that_only_fills_python_goes_through_unchanged(team: Team) -> None:
    deployment = team.workflow(a_module()).run()
    assert deployment.layer_name == "orders-deps"
    assert deployment.layer_version == 1
    assert deployment.layer_version_arn == f"{ARN}:1"
    assert deployment.s3path_manifest.uri == "s3://artifacts/lambda/orders/layer/000001/requirements.txt"
    assert team.aws.read(deployment.s3path_manifest) == b"vendored==1\n"
    with team.published() as archive:
        assert archive.namelist() == ["python/vendored/__init__.py"]
        assert archive.read("python/vendored/__init__.py") == b"VERSION = 1\n"


def test_a_builder_may_prefer_a_package(team: Team) -> None:
    def wheels_that_clash(layout: LayerPathLayout) -> None:
        for name in ("alpha", "be-ta"):
            make_wheel(layout.dir_wheels, name, files={"shared.py": name})

    workflow = team.workflow(wheels_that_clash)
    with pytest.raises(LbdartError, match="alpha and be-ta both bring shared"):
        workflow.run()
    workflow.builder.prefer = "alpha"  # type: ignore[attr-defined]
    workflow.run()
    with team.published() as archive:
        assert archive.read("python/shared.py") == b"alpha"


def test_a_builder_may_leave_out_files(team: Team) -> None:
    def wheel_and_directory(layout: LayerPathLayout) -> None:
        for folder, name in ((layout.dir_wheels, "alpha"), (layout.dir_python, "beta")):
            files = {f"{name}/__init__.py": "", f"{name}/tests/test_it.py": "x = 1\n"}
            wheel = make_wheel(layout.dir_wheels, name, files=files)
            if folder == layout.dir_python:
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(folder)
                wheel.unlink()

    workflow = team.workflow(wheel_and_directory)
    workflow.builder.exclude_files = ["tests/", "*.dist-info/", "docs/"]  # type: ignore[attr-defined]
    workflow.run()
    with team.published() as archive:
        assert archive.namelist() == ["python/alpha/__init__.py", "python/beta/__init__.py"]
    assert "exclude_files saved 1 kB (7 files)" in team.lines
    assert any(line.startswith("Warning: The pattern 'docs/' in exclude_files=") for line in team.lines)


def test_a_builder_may_add_bytecode(team: Team, store: Store) -> None:
    workflow = team.workflow(a_module())
    target = Target(sys.version_info[:2])
    workflow.builder.compiler = Compiler(target, LAYER_ROOT, store)  # type: ignore[attr-defined]
    workflow.run()
    tag = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
    with team.published() as archive:
        assert archive.namelist() == [
            "python/vendored/__init__.py",
            f"python/vendored/__pycache__/__init__.{tag}.pyc",
        ]


def test_the_default_list_is_left_out_of_what_a_builder_installs_unless_another_list_is_passed(
    team: Team,
) -> None:
    def installed(layout: LayerPathLayout) -> None:
        for name in ("alpha", "beta", "boto3"):
            install(layout.dir_python, name)

    def names() -> set[str]:
        with team.published() as archive:
            return {name.split("/")[1] for name in archive.namelist()} & {"alpha", "beta", "boto3"}

    workflow = team.workflow(installed)
    workflow.run()
    assert names() == {"alpha", "beta"}
    assert "Left out: boto3 (0.0 MB)" in team.lines
    replace(workflow, ignore_package_list=["beta"]).run()
    assert names() == {"alpha", "boto3"}


def test_a_member_of_a_workspace_has_the_manifest_of_the_workspace(
    team: Team, tmp_path: Path, aws: FakeAws
) -> None:
    """A lock that lies between the member and its workspace is somebody else's."""
    workspace = make_project(tmp_path / "shop", "shop", tail='[tool.uv.workspace]\nmembers = ["apps/*"]\n')
    member = make_project(workspace / "apps/orders")
    (workspace / "uv.lock").write_text("the workspace's")
    (workspace / "apps/uv.lock").write_text("a stray one")
    workflow = replace(Team(member, aws, []).workflow(a_module()), layer_build_tool=LayerBuildToolEnum.uv)
    assert team.aws.read(workflow.run().s3path_manifest) == b"the workspace's"


def test_the_manifest_is_the_builders_own(team: Team) -> None:
    workflow = team.workflow(a_module())
    (team.root / "vendored.txt").write_text("vendored==2\n")
    workflow.builder.path_manifest = team.root / "vendored.txt"  # type: ignore[attr-defined]
    assert team.aws.read(workflow.run().s3path_manifest) == b"vendored==2\n"


def test_another_tool_than_the_builders_is_refused(team: Team) -> None:
    builder = UvLambdaLayerLocalBuilder(team.root / "pyproject.toml", skip_prompt=True)
    with pytest.raises(LbdartError, match=r"layer_build_tool is 'pip', but .* reads locks of uv") as error:
        replace(team.workflow(nothing), builder=builder)
    assert error.value.remedy == "Pass layer_build_tool='uv', or the builder of pip."


def test_an_unchanged_layer_is_a_success_that_returns_the_current_deployment(team: Team) -> None:
    first = team.workflow(a_module()).run()
    team.aws.calls.clear()
    team.lines.clear()
    assert team.workflow(a_module()).run() == first
    assert team.versions() == [1]
    assert {"PublishLayerVersion", "PutObject", "CopyObject"}.isdisjoint(team.aws.operations)
    path_zip = team.root / "build/lambda/layer/layer.zip"
    assert team.lines == [
        "--- Package the layer",
        f"{path_zip} ({path_zip.stat().st_size:,} bytes)",
        "--- Publish the layer",
        "Version 1 of layer orders-deps has this build.",
    ]


def test_a_change_publishes_the_next_version_and_keeps_the_one_before(team: Team) -> None:
    first = team.workflow(a_module()).run()
    second = team.workflow(a_module("VERSION = 2\n")).run()
    assert second.layer_version_arn == f"{ARN}:2"
    assert team.versions() == [1, 2]
    assert team.aws.read(first.s3path_manifest) == team.aws.read(second.s3path_manifest)
    with team.published() as archive:
        assert archive.read("python/vendored/__init__.py") == b"VERSION = 2\n"


def test_another_manifest_is_another_version_and_no_history_is_rewritten(team: Team) -> None:
    first = team.workflow(a_module()).run()
    (team.root / "requirements.txt").write_text("vendored==1  # reviewed\n")
    second = team.workflow(a_module()).run()
    assert team.versions() == [1, 2]
    assert team.aws.read(first.s3path_manifest) == b"vendored==1\n"
    assert team.aws.read(second.s3path_manifest) == b"vendored==1  # reviewed\n"


def test_going_back_finds_the_version_of_before(team: Team) -> None:
    deployments = [team.workflow(a_module(f"VERSION = {number}\n")).run() for number in (1, 2, 1)]
    assert [deployment.layer_version for deployment in deployments] == [1, 2, 1]
    assert team.versions() == [1, 2]


def test_wheels_and_files_are_packed_together(team: Team) -> None:
    def both(layout: LayerPathLayout) -> None:
        a_wheel(layout)
        a_module()(layout)

    team.workflow(both).run()
    with team.published() as archive:
        assert {"python/alpha/__init__.py", "python/vendored/__init__.py"} <= set(archive.namelist())


def test_wheels_that_another_builder_left_are_not_packed(team: Team) -> None:
    team.workflow(a_wheel).run()
    team.workflow(a_module()).run()
    with team.published() as archive:
        assert archive.namelist() == ["python/vendored/__init__.py"]


def test_wheels_alone_are_packed_too(team: Team) -> None:
    team.workflow(a_wheel).run()
    with team.published() as archive:
        assert "python/alpha/__init__.py" in archive.namelist()


@pytest.mark.parametrize("fill", [nothing, empty_directories])
def test_a_builder_that_fills_nothing_is_told(team: Team, fill: Callable[[LayerPathLayout], object]) -> None:
    with pytest.raises(LbdartError, match=r"There is nothing to pack in .*/artifacts.*\n") as caught:
        team.workflow(fill).run()
    assert str(team.root / "build/lambda/layer/artifacts") in caught.value.problem
    assert team.aws.operations == []
    left = {path.name for path in team.root.rglob("*") if path.is_file()}
    assert left == {"requirements.txt", ".layer.lock"}


def test_what_a_builder_raises_comes_out_and_nothing_is_uploaded(team: Team) -> None:
    def fail(layout: LayerPathLayout) -> None:
        a_module()(layout)
        raise RuntimeError("the team's own mirror is down")

    with pytest.raises(RuntimeError, match="the team's own mirror is down"):
        team.workflow(fail).run()
    assert team.aws.operations == []
    assert not (team.root / "build/lambda/layer/layer.zip").exists()


def test_every_step_is_logged(team: Team) -> None:
    team.workflow(a_module()).run()
    path_zip = team.root / "build/lambda/layer/layer.zip"
    assert team.lines == [
        "--- Package the layer",
        f"{path_zip} ({path_zip.stat().st_size:,} bytes)",
        "--- Publish the layer",
        "--- Upload the layer",
        "Published version 1 of layer orders-deps.",
        "Storing s3://artifacts/lambda/orders/layer/000001/requirements.txt.",
    ]


def test_a_builder_may_name_its_own_build_key(team: Team) -> None:
    """Then the manifest does not count. Other bytes are another layer nevertheless: a key can be copied."""
    for content, manifest, version in (
        ("VERSION = 1\n", "vendored==1\n", 1),
        ("VERSION = 1\n", "vendored==1  # reviewed\n", 1),
        ("VERSION = 2\n", "vendored==1\n", 2),
    ):
        (team.root / "requirements.txt").write_text(manifest)
        workflow = team.workflow(a_module(content))
        workflow.builder.build_key = "ab" * 32  # type: ignore[attr-defined]
        assert workflow.run().layer_version == version


def test_a_foreign_version_with_the_mark_is_not_taken_for_this_build(team: Team) -> None:
    first = team.workflow(a_module()).run()
    description = team.aws.descriptions("orders-deps")[1]
    team.aws.lambda_.delete_layer_version(LayerName="orders-deps", VersionNumber=1)
    team.aws.lambda_.publish_layer_version(
        LayerName="orders-deps", Description=description, Content={"ZipFile": zip_of("evil")}
    )
    assert team.workflow(a_module()).run().layer_version == first.layer_version + 2


def test_a_second_build_at_the_same_time_is_refused_and_the_first_one_is_whole(team: Team) -> None:
    """Both would pack what either has built."""
    refused = []

    def meanwhile(layout: LayerPathLayout) -> None:
        with ThreadPoolExecutor(1) as elsewhere:
            refused.append(elsewhere.submit(team.workflow(a_wheel).run).exception())
        a_module()(layout)

    team.workflow(meanwhile).run()
    (error,) = refused
    assert isinstance(error, LbdartError)
    assert error.problem == f"The build directory {team.root}/build/lambda/layer is in use by another build."
    with team.published() as archive:
        assert archive.namelist() == ["python/vendored/__init__.py"]
    assert {path.name for path in (team.root / "build/lambda").iterdir()} == {"layer", ".layer.lock"}


def test_a_project_that_is_not_there_is_not_made(team: Team) -> None:
    workflow = team.workflow(nothing)
    workflow.builder.path_layout = LayerPathLayout(team.root / "nowhere/pyproject.toml")  # type: ignore[misc]
    with pytest.raises(LbdartError, match=r"There is no .*/nowhere\.\n"):
        workflow.run()
    assert not (team.root / "nowhere").exists()


def test_one_runtime_and_one_architecture_are_as_good_as_lists_of_them(team: Team) -> None:
    workflow = replace(
        team.workflow(a_module()), compatible_runtimes="python3.13", compatible_architectures="arm64"
    )
    workflow.run()
    (sent,) = team.aws.sent("PublishLayerVersion")
    assert sent["CompatibleRuntimes"] == ["python3.13"]
    assert sent["CompatibleArchitectures"] == ["arm64"]


class TestManifest:
    """The manifest is part of what was built: no other is stored beside its version."""

    def test_of_a_builder_of_this_library_it_is_the_one_that_it_read(
        self, team: Team, orders: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built_from = (orders / "uv.lock").read_bytes()

        def upload_later(*arguments: Any, **options: Any) -> UploadedLayer:
            (orders / "uv.lock").write_text("version = 2")
            return upload_layer(*arguments, **options)

        monkeypatch.setattr("lbdart_cdk.core.layer.workflow.upload_layer", upload_later)
        builder = UvLambdaLayerLocalBuilder(orders / "pyproject.toml", exclude="native", store=store)
        workflow = replace(team.workflow(nothing), builder=builder, layer_build_tool=None)
        assert team.aws.read(workflow.run().s3path_manifest) == built_from

    def test_a_builder_that_runs_again_reads_it_again(self, team: Team, orders: Path, store: Store) -> None:
        builder = UvLambdaLayerLocalBuilder(
            orders / "pyproject.toml", exclude="native", store=store, skip_prompt=True
        )
        workflow = replace(team.workflow(nothing), builder=builder, layer_build_tool=None)
        assert workflow.run().layer_version == 1
        with (orders / "uv.lock").open("a") as lock:
            lock.write("# a comment\n")
        second = workflow.run()
        assert team.aws.read(second.s3path_manifest) == (orders / "uv.lock").read_bytes()

    def test_of_another_builder_it_must_not_change_meanwhile(self, team: Team) -> None:
        def change(layout: LayerPathLayout) -> None:
            a_module()(layout)
            (team.root / "requirements.txt").write_text("vendored==2\n")

        with pytest.raises(ValueError, match=r"requirements\.txt changed while the layer was built"):
            team.workflow(change).run()
        assert team.aws.operations == []

    def test_it_is_named_or_told_by_the_tool_or_the_builder(self, team: Team) -> None:
        workflow = replace(team.workflow(a_module()), layer_build_tool=None)
        with pytest.raises(ValueError, match="Builder does not say which manifest it builds from"):
            workflow.run()
        deployment = replace(workflow, path_manifest=team.root / "requirements.txt").run()
        assert deployment.s3path_manifest.basename == "requirements.txt"
        workflow.builder.path_manifest = team.root / "vendored.txt"  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="but Builder builds from"):
            replace(workflow, path_manifest=team.root / "requirements.txt").run()


def test_a_layer_that_another_program_published_with_this_manifest_is_unchanged(team: Team) -> None:
    zip_in_s3 = LayerS3Layout("s3://artifacts/lambda/orders").s3path_temp_layer_zip
    team.aws.s3.put_object(Bucket=zip_in_s3.bucket, Key=zip_in_s3.key, Body=zip_of("made elsewhere"))
    team.aws.lambda_.publish_layer_version(
        LayerName="orders-deps", Content={"S3Bucket": zip_in_s3.bucket, "S3Key": zip_in_s3.key}
    )
    record = LayerS3Layout("s3://artifacts/lambda/orders").get_s3path_layer_manifest(1, "requirements.txt")
    team.aws.s3.put_object(Bucket=record.bucket, Key=record.key, Body=b"vendored==1\n")
    assert team.workflow(a_module()).run().layer_version == 1
    (team.root / "requirements.txt").write_text("vendored==2\n")
    assert team.workflow(a_module()).run().layer_version == 2


def test_a_list_of_packages_to_leave_out_makes_another_layer(team: Team, orders: Path, store: Store) -> None:
    builder = UvLambdaLayerLocalBuilder(
        orders / "pyproject.toml", exclude="native", store=store, skip_prompt=True
    )
    workflow = replace(team.workflow(nothing), builder=builder, layer_build_tool=None)
    assert workflow.run().layer_version == 1
    with team.published() as archive:
        assert {"python/alpha/__init__.py", "python/urllib3/__init__.py"} <= set(archive.namelist())
    shorter = replace(workflow, ignore_package_list=["Alpha"])
    deployment = shorter.run()
    assert deployment.layer_version == 2
    with team.published() as archive:
        assert "python/alpha/__init__.py" not in archive.namelist()
    layout = LayerS3Layout("s3://artifacts/lambda/orders")
    bom = json.loads(team.aws.read(layout.get_s3path_layer_sbom(2)))
    assert [component["name"] for component in bom["components"]] == ["urllib3"]
    assert [row["dependsOn"] for row in bom["dependencies"] if "dependsOn" in row] == [["urllib3"]]
    assert shorter.run() == deployment
