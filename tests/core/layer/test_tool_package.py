"""A tool's package as the specification's guide writes one: it fills ``dir_repo`` and leaves the rest."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from lbdart_cdk.core.layer.api import (
    BaseLambdaLayerLocalBuilder,
    LayerDeploymentWorkflow,
    LayerS3Layout,
    move_to_dir_python,
)
from tests.core.conftest import FakeAws
from tests.support.index import Index
from tests.support.projects import index_table, make_project, uv_lock
from tests.support.wheels import make_wheel

S3DIR = "s3://artifacts/lambda/orders"


@dataclasses.dataclass(frozen=True)
class UvBuilder(BaseLambdaLayerLocalBuilder):
    """Installs a project's lock into an environment in ``dir_repo``."""

    path_bin_uv: Path | None = None

    def step_2_prepare_environment(self) -> None:
        super().step_2_prepare_environment()
        self.path_layout.copy_pyproject_toml(printer=self.log_detail)
        self.path_layout.copy_file(
            p_src=self.path_layout.dir_project_root / "uv.lock",
            p_dst=self.path_layout.dir_repo / "uv.lock",
            printer=self.log_detail,
        )

    def step_3_execute_build(self) -> None:
        super().step_3_execute_build()  # type: ignore[safe-super]
        subprocess.run(
            [
                str(self.path_bin_uv or "uv"),
                *("sync", "--quiet", "--frozen", "--no-dev", "--no-install-project", "--link-mode=copy"),
            ],
            cwd=self.path_layout.dir_repo,
            check=True,
            timeout=60,
        )

    def step_4_finalize_artifacts(self) -> None:
        super().step_4_finalize_artifacts()
        move_to_dir_python(
            dir_site_packages=self.path_layout.dir_build_lambda_layer_repo_venv_site_packages,
            dir_python=self.path_layout.dir_python,
        )


@pytest.fixture
def root(tmp_path: Path, index: Index) -> Path:
    make_wheel(index.folder, "alpha")
    root = make_project(tmp_path / "orders", dependencies=["alpha"], tail=index_table(index.url))
    uv_lock(root)
    return root


def workflow(root: Path, aws: FakeAws, lines: list[str]) -> LayerDeploymentWorkflow:
    return LayerDeploymentWorkflow(
        builder=UvBuilder(
            path_pyproject_toml=root / "pyproject.toml", skip_prompt=True, printer=lines.append
        ),
        path_manifest=root / "uv.lock",
        s3dir_lambda=S3DIR,
        layer_name="orders",
        s3_client=aws.s3,
        lambda_client=aws.lambda_,
        publish_layer_version_kwargs={"CompatibleRuntimes": ["python3.13"], "Description": "orders"},
        printer=lines.append,
    )


def published(aws: FakeAws) -> list[str]:
    content = aws.read(LayerS3Layout(S3DIR).s3path_temp_layer_zip)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [name for name in archive.namelist() if ".dist-info/" not in name]


def test_the_whole_workflow(root: Path, aws: FakeAws) -> None:
    lines: list[str] = []
    deployment = workflow(root, aws, lines).run()
    assert published(aws) == ["python/alpha/__init__.py"]
    assert aws.read(deployment.s3path_manifest) == (root / "uv.lock").read_bytes()
    (sent,) = aws.sent("PublishLayerVersion")
    assert sent["CompatibleRuntimes"] == ["python3.13"]
    assert f"  {root}/pyproject.toml in {root}/build/lambda/layer" in lines
    assert workflow(root, aws, lines).run() == deployment


def test_step_by_step(root: Path, aws: FakeAws) -> None:
    made = workflow(root, aws, [])
    made.step_1_build()
    assert made.step_2_package() == root / "build/lambda/layer/layer.zip"
    assert made.step_3_upload().zip.basename == "layer.zip"
    deployment = made.step_4_publish()
    assert deployment.layer_version_arn.endswith(":layer:orders:1")
    # Also by another process, which finds what the first step left.
    assert workflow(root, aws, []).step_4_publish() == deployment


def test_the_steps_of_a_changed_lock_are_refused(root: Path, aws: FakeAws) -> None:
    made = workflow(root, aws, [])
    made.step_1_build()
    made.step_2_package()
    (root / "uv.lock").write_text("version = 2\n")
    with pytest.raises(ValueError, match=r"uv\.lock has changed since the layer was built"):
        workflow(root, aws, []).step_3_upload()


def test_an_environment_that_is_not_there(root: Path) -> None:
    layout = UvBuilder(path_pyproject_toml=root / "pyproject.toml").path_layout
    with pytest.raises(FileNotFoundError, match="There is no one site-packages in"):
        _ = layout.dir_build_lambda_layer_repo_venv_site_packages
