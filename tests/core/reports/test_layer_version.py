"""The zip of a published layer version: asked for by name or ARN, and taken only with the hash Lambda has."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lbdart_cdk.core.errors import LbdartError, MissingError
from lbdart_cdk.core.reports.layer_version import download
from lbdart_cdk.core.reports.naming import Named
from tests.core.conftest import FakeAws
from tests.support.index import Index, status, wrong_bytes
from tests.support.installed_zip import installed, zip_of

ARN = "arn:aws:lambda:us-east-1:123456789012:layer:Orders-Deps"


@pytest.fixture
def published(aws: FakeAws, index: Index, tmp_path: Path) -> Path:
    """Version 1 of the layer ``Orders-Deps``, whose zip the index serves, as S3 does for Lambda."""
    path = zip_of(tmp_path / "made.zip", installed("alpha", place="python/"))
    shutil.copy(path, index.folder / "signed.zip")
    aws.lambda_.publish_layer_version(LayerName="Orders-Deps", Content={"ZipFile": path.read_bytes()})

    def serve(parsed: dict[str, Any], **_: object) -> None:
        if "Content" in parsed:
            parsed["Content"]["Location"] = f"{index.url}/files/signed.zip?X-Amz-Signature=secret"

    aws.on("after-call.lambda.GetLayerVersion", serve)
    return path


@pytest.mark.parametrize("text", ["Orders-Deps:1", f"{ARN}:1"])
def test_its_zip_is_downloaded(aws: FakeAws, published: Path, tmp_path: Path, text: str) -> None:
    version = Named.version(text)
    assert version is not None
    assert download(version, aws.lambda_, tmp_path).read_bytes() == published.read_bytes()


@pytest.mark.usefixtures("published")
def test_what_is_not_the_zip_is_refused_and_no_signature_is_shown(
    aws: FakeAws, index: Index, tmp_path: Path
) -> None:
    index.faults["signed.zip"] += [wrong_bytes, status(403)]
    with pytest.raises(LbdartError, match="does not have the hash that Lambda has") as wrong:
        download(Named("Orders-Deps", 1), aws.lambda_, tmp_path)
    with pytest.raises(LbdartError, match="cannot be downloaded") as refused:
        download(Named("Orders-Deps", 1), aws.lambda_, tmp_path)
    assert "secret" not in f"{wrong.value}{refused.value}"


@pytest.mark.usefixtures("published")
def test_a_version_that_is_not_there_is_named(aws: FakeAws, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no layer version Orders-Deps:7 in us-east-1"):
        download(Named("Orders-Deps", 7), aws.lambda_, tmp_path)
