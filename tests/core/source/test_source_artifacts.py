"""The whole source workflow in one call, and the upload of somebody else's zip."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.api import (
    S3Path,
    build_and_upload_source_using_pip,
    build_package_upload_source_artifacts,
    copy_source_for_lambda_deployment,
    upload_source_artifacts,
)
from lbdart_cdk.core.errors import LbdartError
from tests.core.conftest import FakeAws, zip_of
from tests.support.projects import files_in, make_project

S3DIR = "s3://artifacts/lambda/orders"


def test_one_call_builds_packs_and_uploads(
    aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LBDART_CACHE_DIR", str(tmp_path / "cache"))
    root, lines = make_project(tmp_path / "orders"), list[str]()
    before = files_in(root)
    result = build_package_upload_source_artifacts(
        s3_client=aws.s3, dir_project_root=root, s3dir_lambda=S3DIR, printer=lines.append
    )
    path = result.s3path_source_zip
    assert path.uri == f"{S3DIR}/source/{result.source_version}/{result.source_sha256}/source.zip"
    assert (path.bucket, path.basename) == ("artifacts", "source.zip")
    assert aws.metadata(path)["source_sha256"] == result.source_sha256
    assert result == build_and_upload_source_using_pip(aws.s3, S3DIR, root / "pyproject.toml")
    assert files_in(root) == before
    assert lines[0] == "--- Build the source"


def test_a_directory_without_a_project_says_so(aws: FakeAws, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no .*pyproject\.toml"):
        build_package_upload_source_artifacts(aws.s3, tmp_path, S3DIR)


def test_a_zip_is_uploaded_under_its_version_and_hash(aws: FakeAws, tmp_path: Path) -> None:
    """The hash may be one of the code and not of the zip, whose bytes other tools make anew each time."""
    path, sha256 = tmp_path / "source.zip", "ab" * 32
    for content in (b"one", b"two"):
        path.write_bytes(content)
        uploaded = upload_source_artifacts(
            s3_client=aws.s3,
            source_version="1.2.0",
            source_sha256=sha256,
            path_source_zip=path,
            s3dir_lambda=S3Path("artifacts", "lambda/orders/"),
            metadata={"team": "orders"},
            tags={"stage": "dev", "owner": "a=b c"},
            verbose=False,
        )
        assert uploaded.uri == f"{S3DIR}/source/1.2.0/{sha256}/source.zip"
        assert aws.read(uploaded) == content
    assert aws.metadata(uploaded) == {"team": "orders", "source_version": "1.2.0", "source_sha256": sha256}
    tags = aws.s3.get_object_tagging(Bucket=uploaded.bucket, Key=uploaded.key)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"stage": "dev", "owner": "a=b c"}


def test_what_cannot_be_uploaded(aws: FakeAws, tmp_path: Path) -> None:
    missing, present = tmp_path / "source.zip", tmp_path / "present.zip"
    present.write_bytes(zip_of("code"))
    with pytest.raises(FileNotFoundError, match=r"There is no .*source\.zip") as no_zip:
        upload_source_artifacts(aws.s3, "1.2.0", "ab" * 32, missing, S3DIR)
    assert isinstance(no_zip.value, LbdartError)
    with pytest.raises(ValueError, match="'1/2' cannot be the name of a folder"):
        upload_source_artifacts(aws.s3, "1/2", "ab" * 32, present, S3DIR)
    with pytest.raises(ValueError, match="is not an S3 URI"):
        upload_source_artifacts(aws.s3, "1.2.0", "ab" * 32, present, "artifacts/lambda")


def test_a_copy_into_the_source_itself_is_the_same_twice(tmp_path: Path) -> None:
    for name in ("app.py", "lib/tool.py", "build/keep.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    trees = []
    for _ in range(2):
        copy_source_for_lambda_deployment(tmp_path, tmp_path / "build/out")
        trees.append(files_in(tmp_path / "build/out"))
    assert trees[0] == trees[1]
    assert set(trees[0]) == {"app.py", "lib/tool.py", "build/keep.txt"}
    (tmp_path / "link").symlink_to("build/out")
    copy_source_for_lambda_deployment(tmp_path, tmp_path / "link")
    assert files_in(tmp_path / "build/out") == trees[0]
