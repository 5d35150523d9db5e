"""``upload_layer_zip_to_s3``: a project's ``layer.zip`` with the MD5 of the manifest it was built from."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

import pytest

from lbdart_cdk.core.api import (
    LayerPathLayout,
    LayerS3Layout,
    S3MetadataKeyEnum,
    create_layer_zip_file,
    upload_layer_zip_to_s3,
)
from lbdart_cdk.core.errors import LbdartError
from tests.core.conftest import FakeAws

S3DIR = "s3://artifacts/lambda/orders"
TEMP_ZIP = LayerS3Layout(S3DIR).s3path_temp_layer_zip


@dataclass(frozen=True)
class ForeignPath:
    """A location of another library, such as s3pathlib: it has a bucket and a key."""

    bucket: str
    key: str


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A project with a lock and a packed layer."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "orders"\nversion = "1"\n')
    (tmp_path / "uv.lock").write_bytes(b"version = 1\n")
    layout = LayerPathLayout(tmp_path / "pyproject.toml")
    layout.mkdirs()
    (layout.dir_python / "vendored.py").write_text("")
    create_layer_zip_file(layout)
    return layout.path_pyproject_toml


def test_the_zip_has_its_place_and_the_manifests_md5(aws: FakeAws, toml: Path) -> None:
    uploaded = upload_layer_zip_to_s3(aws.s3, toml, S3DIR, toml.with_name("uv.lock"))
    assert uploaded.zip == TEMP_ZIP
    assert uploaded.zip.uri == "s3://artifacts/lambda/orders/layer/layer.zip"
    assert (uploaded.zip.bucket, uploaded.zip.basename) == ("artifacts", "layer.zip")
    with zipfile.ZipFile(io.BytesIO(aws.read(TEMP_ZIP))) as archive:
        assert archive.namelist() == ["python/vendored.py"]
    expected = md5(b"version = 1\n", usedforsecurity=False).hexdigest()
    assert aws.metadata(TEMP_ZIP)[S3MetadataKeyEnum.manifest_md5] == expected


def test_the_parameters_have_the_names_of_the_specification(aws: FakeAws, toml: Path) -> None:
    lines: list[str] = []
    upload_layer_zip_to_s3(
        s3_client=aws.s3,
        path_pyproject_toml=toml,
        s3dir_lambda=ForeignPath("artifacts", "lambda/orders/"),  # as s3pathlib writes a folder
        path_manifest=toml.with_name("uv.lock"),
        verbose=True,
        printer=lines.append,
    )
    assert aws.metadata(TEMP_ZIP)
    assert lines == [f"Uploaded {toml.parent}/build/lambda/layer/layer.zip to {TEMP_ZIP}"]


def test_a_session_stands_for_its_client(aws: FakeAws, toml: Path) -> None:
    class Session:
        s3_client = aws.s3

    upload_layer_zip_to_s3(Session(), toml, S3DIR, toml.with_name("uv.lock"))  # type: ignore[arg-type]
    assert aws.metadata(TEMP_ZIP)


def test_without_a_zip_it_says_what_to_do_first(aws: FakeAws, toml: Path) -> None:
    LayerPathLayout(toml).path_build_lambda_layer_zip.unlink()
    with pytest.raises(FileNotFoundError, match=r"There is no .*layer\.zip") as missing:
        upload_layer_zip_to_s3(aws.s3, toml, S3DIR, toml.with_name("uv.lock"))
    assert isinstance(missing.value, LbdartError)
    assert "create_layer_zip_file" in missing.value.remedy


def test_a_manifest_that_changed_since_the_build_is_refused(aws: FakeAws, toml: Path) -> None:
    """A builder leaves a copy of what it built from in ``dir_repo``."""
    layout = LayerPathLayout(toml)
    (layout.dir_repo / "uv.lock").write_bytes(b"version = 1\n")
    upload_layer_zip_to_s3(aws.s3, toml, S3DIR, toml.with_name("uv.lock"))
    toml.with_name("uv.lock").write_bytes(b"version = 2\n")
    with pytest.raises(ValueError, match=r"uv\.lock has changed since the layer was built"):
        upload_layer_zip_to_s3(aws.s3, toml, S3DIR, toml.with_name("uv.lock"))
