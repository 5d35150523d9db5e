from __future__ import annotations

from pathlib import Path

from lbdart_cdk.core.publishing.layouts import SourceS3Layout
from lbdart_cdk.core.source.path_layout import SourcePathLayout


def test_a_build_lies_in_the_project() -> None:
    layout = SourcePathLayout(Path("project/pyproject.toml"))
    assert layout.dir_project_root == Path("project")
    assert layout.dir_build_lambda_source == Path("project/build/lambda/source")
    assert layout.path_build_lambda_source_zip == Path("project/build/lambda/source.zip")


def test_a_zip_lies_under_its_version_and_hash() -> None:
    path = SourceS3Layout("s3://bucket/app/").get_s3path_source_zip("0.1.0+local", "ab")
    assert path.uri == "s3://bucket/app/source/0.1.0+local/ab/source.zip"
