"""A stack from its first deployment on: what is published when something changed, and when nothing did."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import NoReturn

import pytest

from integ.tests.support.deploying import Deployment, orders, sha256
from integ.tests.support.projects import Project

pytestmark = pytest.mark.e2e

PUBLISHING = ("PublishLayerVersion", "CopyObject", "PutObject", "DeleteObject", "DeleteLayerVersion")


def files_of(store: Path) -> dict[Path, tuple[int, int]]:
    """Every file, so that one that was written again shows: it has another inode or size."""
    stats = {path: path.stat() for path in store.rglob("*") if path.is_file()}
    return {path: (stat.st_ino, stat.st_size) for path, stat in stats.items()}


def test_first_deployment_runs_layer_and_source(stack: Deployment, project: Project) -> None:
    assert stack.deploy(orders(project.root)) == "CREATE_COMPLETE"
    answer = stack.invoke()
    assert (answer["said"], answer["alpha"], answer["native"]) == ("one", "1.0", None)
    assert answer["layer"].endswith("/python/alpha/__init__.py")
    assert answer["source"].endswith("/orders/app.py")
    assert Path(answer["layer"]).parents[2] != Path(answer["source"]).parents[1]


def test_first_deployment_fills_the_bucket(stack: Deployment, project: Project) -> None:
    stack.deploy(orders(project.root, layer={"prefix": "lambda/deps"}))
    lock = (project.root / "uv.lock").read_bytes()
    arn, source_uri = stack.outputs["LayerVersionArn"], stack.outputs["SourceUri"]
    assert stack.versions() == [1]
    assert stack.layers() == [arn]
    assert stack.outputs["ManifestUri"] == f"s3://{stack.bucket}/lambda/deps/layer/000001/uv.lock"

    manifest, noted = stack.read(stack.outputs["ManifestUri"])
    assert manifest == lock
    assert noted["layer_version_arn"] == arn
    layer_zip, noted = stack.read(f"s3://{stack.bucket}/lambda/deps/layer/layer.zip")
    assert noted["manifest_md5"] == hashlib.md5(lock).hexdigest()
    assert zipfile.ZipFile(io.BytesIO(layer_zip)).namelist()[0] == "python/alpha-1.0.dist-info/METADATA"
    source_zip, _ = stack.read(source_uri)
    source_key = f"orders/source/1.2.0/{sha256(source_zip)}/source.zip"
    assert source_uri == f"s3://{stack.bucket}/{source_key}"
    assert stack.keys() == {
        "lambda/deps/layer/000001/sbom.cdx.json",
        "lambda/deps/layer/000001/uv.lock",
        "lambda/deps/layer/layer.zip",
        "lambda/deps/layer/publish-claim.json",
        source_key,
    }


def test_published_version_says_what_it_is(stack: Deployment, project: Project) -> None:
    stack.deploy(orders(project.root, layer={"description": "Ours", "license": "MIT"}))
    name, version = stack.outputs["LayerVersionArn"].split(":")[-2:]
    found = stack.aws.client("lambda").get_layer_version(LayerName=name, VersionNumber=int(version))
    _, noted = stack.read(stack.outputs["ManifestUri"])
    assert found["Description"] == f"Ours [lbdart:{noted['build_key']}]"
    assert found["LicenseInfo"] == "MIT"
    assert found["CompatibleArchitectures"] == ["x86_64"]
    layer_zip, _ = stack.read(f"s3://{stack.bucket}/{name}/layer/layer.zip")
    assert found["Content"]["CodeSize"] == len(layer_zip)


def test_unchanged_stack_is_neither_built_nor_published(
    stack: Deployment, project: Project, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    define = orders(project.root)
    stack.deploy(define)
    before = files_of(cache)

    def started(command: list[str], **_: object) -> NoReturn:
        raise AssertionError(f"{command} was started")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", started)
        unchanged = stack.synth(define)
    assert files_of(cache) == before
    stack.aws.calls.clear()
    assert stack.deploy(unchanged) == "UNCHANGED"
    assert [call for operation in PUBLISHING for call in stack.aws.calls.of(operation)] == []


def test_same_project_elsewhere_and_without_a_cache_is_unchanged(
    stack: Deployment, project: Project, cache: Path, tmp_path: Path
) -> None:
    stack.deploy(orders(project.root))
    shutil.rmtree(cache)
    moved = project.copy(tmp_path / "another" / "place")
    assert stack.deploy(orders(moved.root)) == "UNCHANGED"


def test_changed_code_is_a_new_zip_beside_the_old_one(stack: Deployment, project: Project) -> None:
    stack.deploy(orders(project.root))
    old, layers = stack.outputs["SourceUri"], stack.layers()
    stack.aws.calls.clear()
    project.say("two")
    assert stack.deploy(orders(project.root)) == "UPDATE_COMPLETE"
    assert (stack.invoke()["said"], stack.layers(), stack.versions()) == ("two", layers, [1])
    assert stack.aws.calls.of("PublishLayerVersion") == []
    new = stack.outputs["SourceUri"]
    assert new != old
    assert stack.read(old)[0] != stack.read(new)[0]


def test_what_does_not_reach_the_zip_is_no_change(stack: Deployment, project: Project) -> None:
    stack.deploy(orders(project.root))
    (project.root / "README.md").write_text("Something else\n")
    (project.root / "tests").mkdir()
    (project.root / "tests" / "test_app.py").write_text("def test_app(): pass\n")
    assert stack.deploy(orders(project.root)) == "UNCHANGED"


def test_changed_dependency_is_a_new_version_and_back_is_the_old_one(
    stack: Deployment, project: Project
) -> None:
    stack.deploy(orders(project.root))
    first, source = stack.outputs["LayerVersionArn"], stack.outputs["SourceUri"]
    project.depend_on("2.0")
    assert stack.deploy(orders(project.root)) == "UPDATE_COMPLETE"
    second = stack.outputs["LayerVersionArn"]
    assert second == first[:-1] + "2"
    assert (stack.invoke()["alpha"], stack.layers(), stack.versions()) == ("2.0", [second], [1, 2])
    assert stack.outputs["SourceUri"] == source
    name = first.split(":")[-2]
    for version, alpha in (("000001", "1.0"), ("000002", "2.0")):
        manifest, _ = stack.read(f"s3://{stack.bucket}/{name}/layer/{version}/uv.lock")
        assert manifest == project.locks[alpha][1]

    project.depend_on("1.0")
    stack.aws.calls.clear()
    assert stack.deploy(orders(project.root)) == "UPDATE_COMPLETE"
    assert (stack.invoke()["alpha"], stack.layers(), stack.versions()) == ("1.0", [first], [1, 2])
    assert stack.aws.calls.of("PublishLayerVersion") == []


def test_extra_is_a_change_of_the_layer_alone(stack: Deployment, project: Project) -> None:
    stack.deploy(orders(project.root))
    source = stack.outputs["SourceUri"]
    assert stack.deploy(orders(project.root, layer={"extras": ["fast"]})) == "UPDATE_COMPLETE"
    assert stack.invoke()["native"] is not None
    assert (stack.versions(), stack.outputs["SourceUri"]) == ([1, 2], source)


def test_assembly_deploys_from_another_directory_and_without_the_project(
    stack: Deployment, project: Project, cache: Path, tmp_path: Path
) -> None:
    assembly = stack.synth(orders(project.root))
    moved = type(assembly)(Path(shutil.move(assembly.directory, tmp_path / "elsewhere")))
    shutil.rmtree(project.root)
    shutil.rmtree(cache)
    assert stack.deploy(moved) == "CREATE_COMPLETE"
    assert stack.invoke()["alpha"] == "1.0"
    for path in moved.directory.rglob("*.json"):
        assert str(tmp_path) not in path.read_text(), path
