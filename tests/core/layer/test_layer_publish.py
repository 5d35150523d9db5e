"""``LambdaLayerVersionPublisher``: the preflight in three stages, and what other programs leave in AWS."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from lbdart_cdk.core.api import (
    LambdaLayerVersionPublisher,
    LayerPathLayout,
    LayerS3Layout,
    create_layer_zip_file,
    upload_layer_zip_to_s3,
)
from lbdart_cdk.core.errors import LbdartError
from tests.core.conftest import FakeAws, zip_of

S3DIR = "s3://artifacts/lambda/orders"
LAYOUT = LayerS3Layout(S3DIR)


@dataclass
class Project:
    root: Path
    aws: FakeAws

    def lock(self, content: str) -> None:
        (self.root / "uv.lock").write_text(content)

    def build_and_upload(self, module: str = "") -> None:
        layout = LayerPathLayout(self.root / "pyproject.toml")
        layout.mkdirs()
        (layout.dir_python / "vendored.py").write_text(module)
        create_layer_zip_file(layout)
        upload_layer_zip_to_s3(
            self.aws.s3, layout.path_pyproject_toml, S3DIR, self.root / "uv.lock", verbose=False
        )

    def upload_as_another_program(self) -> None:
        """As the specification's older implementation does: with the MD5 alone, other bytes each time."""
        content = (self.root / "uv.lock").read_bytes()
        path = LAYOUT.s3path_temp_layer_zip
        self.aws.s3.put_object(
            Bucket=path.bucket,
            Key=path.key,
            Body=zip_of(os.urandom(8).hex()),
            ContentType="application/zip",
            Metadata={"manifest_md5": md5(content, usedforsecurity=False).hexdigest()},
        )

    def publish_as_another_program(self, **options: Any) -> int:
        self.upload_as_another_program()
        path = LAYOUT.s3path_temp_layer_zip
        version: int = self.aws.lambda_.publish_layer_version(
            LayerName="orders", Content={"S3Bucket": path.bucket, "S3Key": path.key}, **options
        )["Version"]
        manifest = LAYOUT.get_s3path_layer_manifest(version, "uv.lock")
        content = (self.root / "uv.lock").read_bytes()
        self.aws.s3.put_object(Bucket=manifest.bucket, Key=manifest.key, Body=content)
        return version

    @property
    def publisher(self) -> LambdaLayerVersionPublisher:
        return LambdaLayerVersionPublisher(
            path_pyproject_toml=self.root / "pyproject.toml",
            s3dir_lambda=S3DIR,
            path_manifest=self.root / "uv.lock",
            s3_client=self.aws.s3,
            layer_name="orders",
            lambda_client=self.aws.lambda_,
            publish_layer_version_kwargs=None,
            verbose=False,
        )

    @property
    def versions(self) -> list[int]:
        return sorted(self.aws.descriptions("orders"))


@pytest.fixture
def project(tmp_path: Path, aws: FakeAws) -> Project:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "orders"\nversion = "1"\n')
    made = Project(tmp_path, aws)
    made.lock("one")
    return made


class TestPreflight:
    def test_without_a_zip(self, project: Project) -> None:
        with pytest.raises(FileNotFoundError, match=r"no zip to publish at s3://.*/layer/layer\.zip"):
            project.publisher.run()

    def test_with_the_zip_of_another_manifest(self, project: Project) -> None:
        project.build_and_upload()
        project.lock("two")
        with pytest.raises(ValueError, match=r"is inconsistent with .*uv\.lock") as refused:
            project.publisher.run()
        assert isinstance(refused.value, LbdartError)
        assert project.versions == []

    def test_its_stages_can_be_asked(self, project: Project) -> None:
        assert not project.publisher.is_layer_zip_exists()
        project.build_and_upload()
        publisher = project.publisher
        assert publisher.is_layer_zip_exists()
        assert publisher.is_layer_zip_consistent()
        assert publisher.has_dependency_manifest_changed()
        deployment = publisher.run()
        assert not publisher.has_dependency_manifest_changed()
        with pytest.raises(ValueError, match="The layer orders is unchanged since version 1"):
            publisher.step_1_3_ensure_dependencies_have_changed()
        publisher.step_1_preflight_check()
        assert publisher.run() == deployment
        project.lock("two")
        assert not project.publisher.is_layer_zip_consistent()

    def test_an_unchanged_layer_is_the_current_version(self, project: Project) -> None:
        project.build_and_upload()
        first = project.publisher.run()
        project.build_and_upload()
        assert project.publisher.run() == first
        assert project.versions == [1]

    def test_a_changed_layer_is_a_new_version(self, project: Project) -> None:
        project.build_and_upload()
        project.publisher.run()
        project.lock("two")
        project.build_and_upload()
        assert project.publisher.run().layer_version == 2

    def test_changed_code_with_the_same_manifest_is_one_too(self, project: Project) -> None:
        """The MD5 of a manifest does not say it, for it covers no code of a local package."""
        project.build_and_upload("ONE = 1")
        project.publisher.run()
        project.build_and_upload("TWO = 2")
        assert project.publisher.run().layer_version == 2


class TestDeployment:
    def test_its_manifest_is_stored_beside_the_version(self, project: Project) -> None:
        project.build_and_upload()
        deployment = project.publisher.run()
        assert (deployment.layer_name, deployment.layer_version) == ("orders", 1)
        assert deployment.layer_version_arn.endswith(":layer:orders:1")
        assert deployment.s3path_manifest.uri == f"{S3DIR}/layer/000001/uv.lock"
        assert deployment.s3path_manifest == project.publisher.get_versioned_manifest(1)
        assert deployment.s3path_manifest.basename == "uv.lock"
        assert project.aws.read(deployment.s3path_manifest) == b"one"

    def test_the_options_of_the_request(self, project: Project) -> None:
        project.build_and_upload()
        options = {
            "CompatibleRuntimes": ["python3.13"],
            "CompatibleArchitectures": ["arm64"],
            "Description": "What orders needs",
            "LicenseInfo": "MIT",
        }
        replace(project.publisher, publish_layer_version_kwargs=options).run()
        (sent,) = project.aws.sent("PublishLayerVersion")
        assert sent["CompatibleRuntimes"] == ["python3.13"]
        assert sent["CompatibleArchitectures"] == ["arm64"]
        assert sent["LicenseInfo"] == "MIT"
        assert sent["Description"].startswith("What orders needs [lbdart:")

    def test_what_the_layer_itself_decides_is_no_option(self, project: Project) -> None:
        with pytest.raises(ValueError, match="publish_layer_version_kwargs has LayerName"):
            replace(project.publisher, publish_layer_version_kwargs={"LayerName": "other"})


class TestOtherPrograms:
    def test_their_zip_is_published_when_the_manifest_agrees(self, project: Project) -> None:
        project.upload_as_another_program()
        assert project.publisher.run().layer_version == 1

    def test_their_zip_of_another_manifest_is_refused(self, project: Project) -> None:
        project.upload_as_another_program()
        project.lock("two")
        with pytest.raises(ValueError, match="is inconsistent with"):
            project.publisher.run()

    def test_their_zip_is_published_once_for_a_manifest(self, project: Project) -> None:
        """Their zips have other bytes each time."""
        project.upload_as_another_program()
        first = project.publisher.run()
        project.upload_as_another_program()
        assert project.publisher.run() == first
        project.lock("two")
        project.upload_as_another_program()
        assert project.publisher.run().layer_version == 2

    @pytest.mark.parametrize("upload", [Project.build_and_upload, Project.upload_as_another_program])
    def test_their_version_with_this_manifest_is_the_current_one(self, project: Project, upload: Any) -> None:
        project.lock("before")
        project.publish_as_another_program()
        project.lock("one")
        version = project.publish_as_another_program()
        upload(project)
        deployment = project.publisher.run()
        assert deployment.layer_version == version == 2
        assert project.aws.read(deployment.s3path_manifest) == b"one"
        assert project.versions == [1, 2]

    def test_what_was_published_of_their_zip_is_the_current_one_for_ours(self, project: Project) -> None:
        project.upload_as_another_program()
        first = project.publisher.run()
        project.build_and_upload()
        assert project.publisher.run() == first

    def test_their_older_version_is_not(self, project: Project) -> None:
        project.publish_as_another_program()
        project.lock("two")
        project.publish_as_another_program()
        project.lock("one")
        project.build_and_upload()
        assert project.publisher.run().layer_version == 3

    def test_nor_one_for_another_target(self, project: Project) -> None:
        project.publish_as_another_program(CompatibleArchitectures=["x86_64"])
        project.build_and_upload()
        options = {"CompatibleArchitectures": ["arm64"]}
        publisher = replace(project.publisher, publish_layer_version_kwargs=options)
        assert publisher.run().layer_version == 2

    def test_a_changed_manifest_is_a_new_version(self, project: Project) -> None:
        project.publish_as_another_program()
        project.lock("two")
        project.build_and_upload()
        assert project.publisher.run().layer_version == 2


def test_two_layers_do_not_share_a_folder(project: Project) -> None:
    project.build_and_upload()
    project.publisher.run()
    with pytest.raises(ValueError, match="belongs to the layer orders, so other cannot be published"):
        replace(project.publisher, layer_name="other").run()
    assert project.aws.descriptions("other") == {}
