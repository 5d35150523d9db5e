"""A published version is compared by what its builder recorded of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.publishing.layer_upload import upload_layer
from lbdart_cdk.core.publishing.manifest import LayerManifest
from lbdart_cdk.core.publishing.publish import LayerPublisher
from lbdart_cdk.core.reports.published import published_build
from lbdart_cdk.core.reports.why import Known, Why, since
from lbdart_cdk.core.store.store import Store
from tests.support.fakes import FakeTool
from tests.support.locks import lock_of, locked, locked_file
from tests.support.projects import make_project
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from tests.core.conftest import FakeAws

REGION = "us-east-1"


def layer(tmp_path: Path, version: str, cache: str) -> LayerArtifact:
    root = tmp_path / "orders"
    if not root.exists():
        make_project(root)
        make_project(root / "lib", "lib")
        (root / "uv.lock").write_text("version = 1\n")
    wheel = make_wheel(tmp_path / version, version=version)
    tables = [locked_file(wheel), locked("lib", source='directory = { path = "lib" }\n')]
    tool = FakeTool(lock_of(*tables, base=root))
    store = Store(tmp_path / cache)
    return LayerArtifact(Project(root, root / "uv.lock"), tool, Target((3, 13)), Options(), (), store)


def publish(aws: FakeAws, artifact: LayerArtifact, sbom: bytes | None = None) -> None:
    path, project = artifact.build(), artifact.project
    manifest = LayerManifest("uv.lock", project.manifest_md5, project.manifest_content)
    LayerPublisher(
        s3_client=aws.s3,
        lambda_client=aws.lambda_,
        layer_name="deps",
        s3dir_lambda=aws.s3dir,
        build_key=artifact.build_key,
        manifest=manifest,
        sbom=sbom or artifact.sbom(),
        compatible_runtimes=[artifact.target.runtime],
        compatible_architectures=[artifact.target.architecture],
        owner="one",
        printer=lambda _line: None,
    ).run(lambda: upload_layer(aws.s3, aws.s3dir, path, manifest, artifact.build_key))


def known(artifact: LayerArtifact, text: str = "deps", bucket: str | None = "artifacts") -> Known:
    return published_build(text, artifact.store, bucket=bucket, region=REGION)


def lines(why: Why) -> list[str]:
    assert why.comparison is not None
    return [f"{change.group}: {change}" for change in why.comparison.changes or ()]


def test_what_another_machine_published_is_read_from_its_bill(aws: FakeAws, tmp_path: Path) -> None:
    publish(aws, replace(layer(tmp_path, "1.0", "theirs"), prefer=("alpha",)))
    ours = replace(layer(tmp_path, "2.0", "ours"), target=Target((3, 12)), exclude_files=("*.md",))
    why = since(ours, known(ours))
    assert lines(why) == [
        "packages: alpha 1.0 -> 2.0",
        "target: runtime: python3.13 -> python3.12",
        "options: exclude_files: not set -> *.md",
        "options: prefer: alpha -> not set",
    ]
    assert why.comparison is not None
    assert why.comparison.known.what == "version 1 of deps"
    assert why.comparison.known.unknown == []


def test_the_same_build_is_no_change(aws: FakeAws, tmp_path: Path) -> None:
    publish(aws, layer(tmp_path, "1.0", "theirs"))
    ours = layer(tmp_path, "1.0", "ours")
    assert not since(ours, known(ours)).is_changed
    assert not since(ours, known(ours, bucket=None)).is_changed


def test_a_package_of_the_user_has_the_hash_of_what_it_is_built_to(aws: FakeAws, tmp_path: Path) -> None:
    publish(aws, layer(tmp_path, "1.0", "theirs"))
    (tmp_path / "orders/lib/src/lib/app.py").write_text("x = 1\n")
    ours = layer(tmp_path, "1.0", "ours")
    (line,) = lines(since(ours, known(ours)))
    assert re.fullmatch(r"packages: lib [0-9a-f]{12} -> [0-9a-f]{12}", line)


def test_any_version_can_be_named(aws: FakeAws, tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        publish(aws, layer(tmp_path, version, "theirs"))
    ours = layer(tmp_path, "2.0", "ours")
    assert not since(ours, known(ours)).is_changed
    assert lines(since(ours, known(ours, "deps:1"))) == ["packages: alpha 1.0 -> 2.0"]


def test_what_this_machine_published_needs_no_bucket_and_has_the_files(aws: FakeAws, tmp_path: Path) -> None:
    publish(aws, layer(tmp_path, "1.0", "ours"))
    (tmp_path / "orders/lib/src/lib/app.py").write_text("x = 1\n")
    ours = layer(tmp_path, "1.0", "ours")
    assert lines(since(ours, known(ours, bucket=None))) == ["packages: lib: 1 file changed: lib/app.py"]


def test_without_a_bucket_the_build_key_still_tells_that_it_changed(aws: FakeAws, tmp_path: Path) -> None:
    publish(aws, layer(tmp_path, "1.0", "theirs"))
    ours = layer(tmp_path, "2.0", "ours")
    why = since(ours, known(ours, bucket=None))
    assert why.is_changed
    assert why.comparison is not None
    assert why.comparison.changes is None


def test_a_bill_of_an_earlier_release_has_packages_and_lambda_has_the_target(
    aws: FakeAws, tmp_path: Path
) -> None:
    theirs = layer(tmp_path, "1.0", "theirs")
    bill = json.loads(theirs.sbom())
    del bill["metadata"]["properties"]
    publish(aws, replace(theirs, prefer=("alpha",)), json.dumps(bill).encode())
    (tmp_path / "orders/lib/src/lib/app.py").write_text("x = 1\n")
    ours = replace(layer(tmp_path, "2.0", "ours"), target=Target((3, 13), "arm64"))
    why = since(ours, known(ours))
    assert lines(why) == ["packages: alpha 1.0 -> 2.0", "target: architecture: x86_64 -> arm64"]
    assert why.comparison is not None
    assert why.comparison.known.unknown == ["own code", "options", "environment", "project", "packer"]


class TestMistakes:
    def test_a_layer_or_version_that_is_not_there(self, aws: FakeAws, tmp_path: Path) -> None:
        ours = layer(tmp_path, "1.0", "ours")
        with pytest.raises(LbdartError, match="There is no layer deps in us-east-1"):
            known(ours)
        publish(aws, ours)
        with pytest.raises(LbdartError, match="There is no version 7 of the layer deps"):
            known(ours, "deps:7")

    def test_a_version_of_another_publisher(self, aws: FakeAws, tmp_path: Path) -> None:
        content = {"ZipFile": layer(tmp_path, "1.0", "ours").build().read_bytes()}
        aws.lambda_.publish_layer_version(LayerName="deps", Content=content)  # type: ignore[arg-type]
        with pytest.raises(LbdartError, match="it was not published by lbdart_cdk"):
            known(layer(tmp_path, "1.0", "ours"))

    def test_a_bill_that_is_not_there_or_none(self, aws: FakeAws, tmp_path: Path) -> None:
        publish(aws, layer(tmp_path, "1.0", "theirs"), b"[]")
        ours = layer(tmp_path, "2.0", "ours")
        with pytest.raises(LbdartError, match=r"sbom\.cdx\.json cannot be read: no SBOM"):
            known(ours)
        with pytest.raises(LbdartError, match="There is no s3://plain/deps/layer/000001/sbom"):
            known(ours, bucket="plain")
