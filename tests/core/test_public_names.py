"""The names that others rely on: each is there, with its parameters, its members and its values."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import lbdart_cdk
from lbdart_cdk.core import api
from lbdart_cdk.core.api import (
    BaseLambdaLayerContainerBuilder,
    BaseLambdaLayerLocalBuilder,
    Credentials,
    LayerBuildToolEnum,
    LayerDeploymentWorkflow,
    LayerPathLayout,
    LayerS3Layout,
    S3MetadataKeyEnum,
    SourcePathLayout,
    SourceS3Layout,
)
from lbdart_cdk.core.layer import api as layer_api
from lbdart_cdk.core.locking.manifest import tool_named, tools
from lbdart_cdk.core.source import api as source_api

#: Names with the parameters that may be passed by position, in this order, and those passed by name.
CALLABLES: dict[str, tuple[str, str]] = {
    "Credentials": ("index_name index_url username password", ""),
    "is_match": ("relpath_parts include exclude", ""),
    "copy_source_for_lambda_deployment": ("source_dir target_dir include exclude", ""),
    "SourcePathLayout": ("path_pyproject_toml", ""),
    "SourceS3Layout": ("s3dir_lambda", ""),
    "build_source_dir_using_pip": ("path_pyproject_toml", "include exclude credentials store logger"),
    "build_source_dir_using_uv": ("path_pyproject_toml", "include exclude credentials store logger"),
    "create_source_zip": ("source_dir", "logger"),
    "upload_source_zip": ("s3_client s3dir_lambda source_zip version sha256", "owner logger"),
    "build_and_upload_source_using_pip": (
        "s3_client s3dir_lambda path_pyproject_toml",
        "include exclude credentials store logger",
    ),
    "build_and_upload_source_using_uv": (
        "s3_client s3dir_lambda path_pyproject_toml",
        "include exclude credentials store logger",
    ),
    "build_package_upload_source_artifacts": (
        "s3_client dir_project_root s3dir_lambda",
        "skip_prompt verbose printer",
    ),
    "upload_source_artifacts": (
        "s3_client source_version source_sha256 path_source_zip s3dir_lambda",
        "metadata tags verbose printer",
    ),
    "BuildAndUploadSourceResult": ("source_version source_sha256 s3path_source_zip", ""),
    "LayerPathLayout": ("path_pyproject_toml", ""),
    "LayerS3Layout": ("s3dir_lambda", ""),
    "BaseLogger": ("", "verbose printer"),
    "LayerManifestManager": (
        "path_manifest",
        "path_pyproject_toml s3dir_lambda s3_client verbose printer",
    ),
    "BaseLambdaLayerLocalBuilder": ("path_pyproject_toml credentials skip_prompt", "verbose printer"),
    "BaseLambdaLayerContainerBuilder": (
        "path_pyproject_toml credentials",
        "py_ver_major py_ver_minor is_arm path_script verbose printer",
    ),
    "move_to_dir_python": ("dir_site_packages dir_python", ""),
    "create_layer_zip_file": (
        "path_layout path_layer_zip ignore_package_list verbose",
        "compiler dir_python exclude_files prefer printer",
    ),
    "name_encryption": ("s3_client", ""),
    "upload_layer_zip_to_s3": ("s3_client path_pyproject_toml s3dir_lambda path_manifest", "verbose printer"),
    "upload_layer": ("s3_client s3dir_lambda layer_zip manifest build_key", "owner sbom"),
    "LambdaLayerVersionPublisher": (
        "path_manifest",
        "path_pyproject_toml s3dir_lambda s3_client layer_name lambda_client publish_layer_version_kwargs "
        "verbose printer",
    ),
    "LayerPublisher": (
        "",
        "s3_client lambda_client layer_name s3dir_lambda build_key manifest description license "
        "compatible_runtimes compatible_architectures verbose printer",
    ),
    "LayerDeployment": ("layer_name layer_version layer_version_arn s3path_manifest", ""),
    "LayerDeploymentWorkflow": (
        "",
        "builder path_manifest ignore_package_list publish_layer_version_kwargs layer_name "
        "layer_build_tool s3dir_lambda s3_client lambda_client description license "
        "compatible_runtimes compatible_architectures verbose printer",
    ),
    "prune": ("store", "older_than max_size"),
    "Store": ("root max_size", ""),
    "temp_cwd": ("path", ""),
}

#: Names with the members that others use.
MEMBERS = {
    "Credentials": "index_name index_url username password pip_extra_index_url "
    "additional_pip_install_args_index_url additional_pip_install_args_extra_index_url poetry_login uv_login "
    "dump load",
    "SourcePathLayout": "dir_project_root dir_build_lambda_source path_build_lambda_source_zip",
    "SourceS3Layout": "get_s3path_source_zip",
    "LayerPathLayout": "dir_project_root dir_build_lambda_layer dir_repo dir_python dir_wheels "
    "path_build_lambda_layer_zip path_tmp_pyproject_toml dir_build_lambda clean mkdirs copy_file "
    "copy_pyproject_toml dir_build_lambda_layer_repo_venv_site_packages "
    "path_private_repository_credentials_in_local path_private_repository_credentials_in_container "
    "path_build_lambda_layer_in_container_script_in_local "
    "path_build_lambda_layer_in_container_script_in_container get_path_in_container",
    "LayerS3Layout": "s3path_temp_layer_zip get_s3dir_layer_version get_s3path_layer_manifest",
    "BaseLogger": "log log_header log_sub_header log_detail",
    "LayerManifestManager": "md5 manifest_md5 path_layout s3_layout get_versioned_manifest",
    "BaseLambdaLayerContainerBuilder": "run path_layout image_tag image_uri platform container_name "
    "docker_run_args",
    "BaseLambdaLayerLocalBuilder": "run path_layout step_1_preflight_check step_2_prepare_environment "
    "step_3_execute_build step_4_finalize_artifacts",
    "LambdaLayerVersionPublisher": "run manifest_md5",
    "LayerPublisher": "run check_zip_exists check_zip_agrees find_published store_records",
    "LayerDeploymentWorkflow": "run step_1_build step_2_package step_3_upload step_4_publish",
    "T_BUILDER": "run path_layout",
}

VALUES = ("S3MetadataKeyEnum", "LayerBuildToolEnum", "ZFILL", "default_ignore_package_list")


def test_public_names_are_exported() -> None:
    assert {*CALLABLES, *MEMBERS, *VALUES} - {*api.__all__} == set()
    assert [name for name in api.__all__ if getattr(api, name) is None] == []


def test_the_names_of_each_half_are_those_of_the_whole() -> None:
    for half in (layer_api, source_api):
        for name in half.__all__:
            assert getattr(half, name) is getattr(api, name), name


def test_their_parameters_are_these() -> None:
    for name, (by_position, by_name) in CALLABLES.items():
        parameters = inspect.signature(getattr(api, name)).parameters
        either = [each.name for each in parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
        assert either == by_position.split(), name
        named = {each.name for each in parameters.values() if each.kind is each.KEYWORD_ONLY}
        if "options" in parameters:  # PEP 692
            assert parameters["options"].annotation == "Unpack[SourceOptions]", name
            named |= api.SourceOptions.__optional_keys__
        assert set(by_name.split()) - named == set(), name


def test_their_members_are_these() -> None:
    for name, members in MEMBERS.items():
        known = {*dir(getattr(api, name)), *getattr(api, name).__annotations__}
        assert set(members.split()) - known == set(), name


def test_the_constructs_are_the_packages_names() -> None:
    assert {"LambdaLayerArtifact", "LambdaSourceArtifact"} <= set(lbdart_cdk.__all__)


@pytest.mark.parametrize("name", ["uv", "poetry", "pdm", "pip", "pylock"])
def test_each_tool_has_its_builders(name: str) -> None:
    assert name in tools()
    builder = getattr(lbdart_cdk.tools, f"{name.capitalize()}LambdaLayerLocalBuilder")
    assert issubclass(builder, BaseLambdaLayerLocalBuilder)
    made = builder(path_pyproject_toml=Path("pyproject.toml"), skip_prompt=True)
    assert made.tool is tools()[name]
    assert made.path_layout == LayerPathLayout(Path("pyproject.toml"))
    contained = getattr(lbdart_cdk.tools, f"{name.capitalize()}LambdaLayerContainerBuilder")
    assert issubclass(contained, BaseLambdaLayerContainerBuilder)
    made = contained(path_pyproject_toml=Path("pyproject.toml"), py_ver_major=3, py_ver_minor=13, is_arm=True)
    assert made.tool is tools()[name]
    assert made.image_uri == "public.ecr.aws/sam/build-python3.13:latest-arm64"
    assert made.platform == "linux/arm64"
    assert getattr(lbdart_cdk.tools, builder.__name__) is builder
    assert getattr(lbdart_cdk.tools, contained.__name__) is contained


def test_a_tool_that_is_none_has_no_builder() -> None:
    for name in ("CondaLambdaLayerLocalBuilder", "UvLambdaLayerBuilder", "uvs", "__wrapped__"):
        assert not hasattr(lbdart_cdk.tools, name), name


def test_values_that_others_read() -> None:
    assert api.ZFILL == 6
    assert S3MetadataKeyEnum.manifest_md5 == "manifest_md5"
    assert [tool.value for tool in LayerBuildToolEnum] == ["uv", "poetry", "pdm", "pip", "pylock"]
    assert {"boto3", "botocore", "pip", "setuptools"} <= set(api.default_ignore_package_list)


def test_places_of_a_layer_on_disk() -> None:
    root = Path("/project")
    layout = LayerPathLayout(root / "pyproject.toml")
    layer = root / "build/lambda/layer"
    assert layout.dir_project_root == root
    assert layout.dir_build_lambda_layer == layer
    assert layout.dir_repo == layer / "repo"
    assert layout.dir_python == layer / "artifacts/python"
    assert layout.path_build_lambda_layer_zip == layer / "layer.zip"
    assert layout.path_private_repository_credentials_in_local == (
        root / "build/lambda/private-repository-credentials.json"
    )
    assert layout.get_path_in_container(layer / "layer.zip") == "/var/task/build/lambda/layer/layer.zip"


def test_tools_by_name() -> None:
    manifests = {name: tool_named(name).manifest for name in LayerBuildToolEnum}
    assert manifests == {
        "uv": "uv.lock",
        "poetry": "poetry.lock",
        "pdm": "pdm.lock",
        "pip": "requirements.txt",
        "pylock": "pylock.toml",
    }


def test_places_of_a_source_on_disk() -> None:
    layout = SourcePathLayout(Path("/project/pyproject.toml"))
    assert layout.dir_project_root == Path("/project")
    assert layout.dir_build_lambda_source == Path("/project/build/lambda/source")
    assert layout.path_build_lambda_source_zip == Path("/project/build/lambda/source.zip")


def test_places_in_s3() -> None:
    layer = LayerS3Layout("s3://bucket/lambda/orders")
    assert layer.s3path_temp_layer_zip.uri == "s3://bucket/lambda/orders/layer/layer.zip"
    assert layer.get_s3dir_layer_version(12).uri == "s3://bucket/lambda/orders/layer/000012/"
    assert layer.get_s3path_layer_manifest(12, "uv.lock").uri == (
        "s3://bucket/lambda/orders/layer/000012/uv.lock"
    )
    source = SourceS3Layout("s3://bucket/lambda/orders")
    assert source.get_s3path_source_zip("1.2.0", "ab").uri == (
        "s3://bucket/lambda/orders/source/1.2.0/ab/source.zip"
    )


def test_credentials_are_frozen_and_say_themselves_to_each_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = Credentials("team-index", "https://packages.example.com/team/simple/", "ci", "p@ss")
    with pytest.raises(FrozenInstanceError):
        credentials.password = "other"  # type: ignore[misc]
    url = "https://ci:p%40ss@packages.example.com/team/simple/"
    assert credentials.pip_extra_index_url == url
    assert credentials.additional_pip_install_args_index_url == ["--index-url", url]
    assert credentials.additional_pip_install_args_extra_index_url == ["--extra-index-url", url]
    for login, prefix in (
        (credentials.poetry_login, "POETRY_HTTP_BASIC"),
        (credentials.uv_login, "UV_INDEX"),
    ):
        names = (f"{prefix}_TEAM_INDEX_USERNAME", f"{prefix}_TEAM_INDEX_PASSWORD")
        for name in names:
            monkeypatch.setenv(name, "restored after the test")
        assert login() == names
    credentials.dump(tmp_path / "credentials.json")
    assert Credentials.load(tmp_path / "credentials.json") == credentials


def test_a_builder_of_four_steps_is_one_class(tmp_path: Path) -> None:
    """A tool's author overrides the third step; the others come with the base."""
    steps: list[str] = []

    class Builder(BaseLambdaLayerLocalBuilder):
        def step_3_execute_build(self) -> None:
            (self.path_layout.dir_python / "module.py").write_text("")
            steps.append("3")

        def step_4_finalize_artifacts(self) -> None:
            super().step_4_finalize_artifacts()
            steps.append("4")

    (tmp_path / "pyproject.toml").write_text("")
    builder = Builder(path_pyproject_toml=tmp_path / "pyproject.toml", skip_prompt=True, verbose=False)
    builder.run()
    builder.run()
    assert steps == ["3", "4"] * 2
    assert api.create_layer_zip_file(builder.path_layout).is_file()


def test_a_workflow_takes_any_object_that_runs_and_has_a_layout() -> None:
    assert inspect.signature(LayerDeploymentWorkflow).parameters["builder"].annotation == "T_BUILDER"
