"""The builder by a script in a container: its command, and what is seen before anything starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdart_cdk.core.api import BaseLambdaLayerContainerBuilder, LbdartError


def builder(root: Path, script: str = "build.sh", **more: Any) -> BaseLambdaLayerContainerBuilder:
    for name in ("pyproject.toml", "build.sh"):
        (root / name).touch()
    return BaseLambdaLayerContainerBuilder(
        path_pyproject_toml=root / "pyproject.toml",
        path_script=root / script,
        **{"py_ver_major": 3, "py_ver_minor": 13, "is_arm": True, **more},
    )


def test_the_command_runs_the_script_in_the_image_of_the_target(tmp_path: Path) -> None:
    found = builder(tmp_path)
    assert found.image_uri == "public.ecr.aws/sam/build-python3.13:latest-arm64"
    assert found.platform == "linux/arm64"
    arguments = found.docker_run_args
    assert {"--platform=linux/arm64", found.image_uri} < set(arguments)
    assert f'--mount=type=bind,"source={tmp_path}",target=/var/task' in arguments
    assert arguments[-2:] == ["/bin/bash", "/var/task/build.sh"]
    assert found.docker_run_args != arguments  # a name of its own


def test_another_image_pinned_by_its_digest(tmp_path: Path) -> None:
    pinned = f"registry.example.com/build@sha256:{'0' * 64}"
    assert pinned in builder(tmp_path, image=pinned).docker_run_args


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("nowhere.sh", "There is no build script .*/nowhere.sh"),
        ("build/lambda/layer/build.sh", "is in .*/build/lambda/layer, which each build deletes"),
        ("../outside.sh", "is outside the project root"),
    ],
)
def test_a_script_that_cannot_be_run_is_told_first(tmp_path: Path, script: str, problem: str) -> None:
    root = tmp_path / "orders"
    (root / "build/lambda/layer").mkdir(parents=True)
    for name in ("build/lambda/layer/build.sh", "../outside.sh"):
        (root / name).touch()
    with pytest.raises(LbdartError, match=problem):
        builder(root, script).run()
    assert (root / "build/lambda/layer/build.sh").exists()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"path_script": "build.sh"}, r"path_script is 'build\.sh', not a pathlib\.Path"),
        ({"py_ver_major": "3"}, r"py_ver_major is '3', which is not an integer"),
        ({"py_ver_minor": "13"}, r"py_ver_minor is '13', which is not an integer"),
    ],
)
def test_what_is_of_another_type_is_told(tmp_path: Path, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(LbdartError, match=problem):
        replace(builder(tmp_path), **given).run()


def test_a_python_that_lambda_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match=r"Lambda has no runtime python3\.7"):
        _ = builder(tmp_path, py_ver_minor=7).docker_run_args
