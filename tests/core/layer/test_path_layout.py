from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.layer.manifest import LayerManifestManager
from lbdart_cdk.core.layer.path_layout import LayerPathLayout
from lbdart_cdk.core.layer.workflow import LayerBuildToolEnum
from lbdart_cdk.core.publishing.layouts import ZFILL, LayerS3Layout, S3MetadataKeyEnum
from lbdart_cdk.core.publishing.logger import BaseLogger
from lbdart_cdk.core.publishing.manifest import LayerManifest
from lbdart_cdk.core.publishing.s3 import S3Path


def test_a_build_lies_in_the_project(tmp_path: Path) -> None:
    layout = LayerPathLayout(tmp_path / "pyproject.toml")
    layer = tmp_path / "build" / "lambda" / "layer"
    assert layout.dir_project_root == tmp_path
    assert layout.dir_build_lambda_layer == layer
    assert layout.dir_repo == layer / "repo"
    assert layout.dir_python == layer / "artifacts" / "python"
    assert layout.path_build_lambda_layer_zip == layer / "layer.zip"
    assert (
        layout.path_private_repository_credentials_in_local
        == tmp_path / "build" / "lambda" / "private-repository-credentials.json"
    )
    script = layer / "build_lambda_layer_in_container.py"
    assert layout.path_build_lambda_layer_in_container_script_in_local == script
    assert not (tmp_path / "build").exists()


def test_the_container_has_the_project_at_var_task(tmp_path: Path) -> None:
    layout = LayerPathLayout(tmp_path / "pyproject.toml")
    assert layout.get_path_in_container(tmp_path) == "/var/task"
    assert layout.get_path_in_container(tmp_path / "a" / "b.py") == "/var/task/a/b.py"
    assert layout.get_path_in_container(layout.dir_python) == "/var/task/build/lambda/layer/artifacts/python"
    assert layout.path_build_lambda_layer_in_container_script_in_container == (
        "/var/task/build/lambda/layer/build_lambda_layer_in_container.py"
    )
    assert layout.path_private_repository_credentials_in_container == (
        "/var/task/build/lambda/private-repository-credentials.json"
    )


def test_a_relative_project_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layout = LayerPathLayout(Path("pyproject.toml"))
    assert layout.get_path_in_container(tmp_path / "a") == "/var/task/a"


@pytest.mark.parametrize("path", ["..", "../other/file", "a/../../file"])
def test_the_container_sees_nothing_outside_the_project(tmp_path: Path, path: str) -> None:
    layout = LayerPathLayout(tmp_path / "project" / "pyproject.toml")
    with pytest.raises(LbdartError, match="outside the project root"):
        layout.get_path_in_container(tmp_path / "project" / path)


@pytest.mark.parametrize("s3dir", ["s3://bucket/deps", "s3://bucket/deps/", S3Path("bucket", "deps")])
def test_the_history_lies_in_folders_of_six_digits(s3dir: S3Path | str) -> None:
    layout = LayerS3Layout(s3dir)
    assert ZFILL == 6
    assert layout.s3path_temp_layer_zip.uri == "s3://bucket/deps/layer/layer.zip"
    assert layout.get_s3path_temp_manifest("uv.lock").uri == "s3://bucket/deps/layer/uv.lock"
    assert layout.s3path_publish_claim.uri == "s3://bucket/deps/layer/publish-claim.json"
    assert layout.get_s3dir_layer_version(7).uri == "s3://bucket/deps/layer/000007/"
    assert layout.get_s3path_layer_manifest(1234567, "uv.lock").key == "deps/layer/1234567/uv.lock"


def test_the_names_that_others_read_stay() -> None:
    assert S3MetadataKeyEnum.manifest_md5 == "manifest_md5"
    assert S3MetadataKeyEnum.build_key == "build_key"
    assert list(LayerBuildToolEnum) == ["uv", "poetry", "pdm", "pip", "pylock"]


def test_content_and_md5_of_a_manifest_agree_though_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "uv.lock"
    path.write_bytes(b"one")
    manager = LayerManifestManager(path)
    md5 = manager.md5
    path.write_bytes(b"two")
    assert md5 == hashlib.md5(b"one", usedforsecurity=False).hexdigest()
    assert manager.manifest == LayerManifest("uv.lock", md5, b"one")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match=r"uv\.lock cannot be read: No such file"):
        _ = LayerManifestManager(tmp_path / "uv.lock").md5


def test_a_logger_prints_only_if_it_is_to() -> None:
    lines: list[str] = []
    for verbose in (True, False):
        logger = BaseLogger(verbose=verbose, printer=lines.append)
        logger.log_header("Step")
        logger.log("done")
    assert lines == ["--- Step", "done"]
