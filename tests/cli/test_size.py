"""``lbdart size``: the packages of a layer, a zip or a version, with numbers that add up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from lbdart_cdk.cli import main
from lbdart_cdk.core.reports import aws
from tests.support.index import Index
from tests.support.installed_zip import installed, zip_of


def lbdart(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def size(*arguments: object) -> str:
    """Return what a successful command says."""
    result = lbdart("size", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    large = installed("beta", "2.0", {"beta.py": "x = 1\n" * 9000}, place="python/")
    return zip_of(
        tmp_path / "layer.zip", installed("alpha", place="python/"), large, {"python/app.py": "y = 1"}
    )


def test_the_largest_package_is_first_and_the_own_code_and_the_sum_are_last(zipped: Path) -> None:
    header, *rows, of_file = size(zipped).splitlines()
    assert header.split() == ["Package", "Version", "Zipped", "Unzipped", "Of", "250", "MB"]
    assert [row.split("  ")[0] for row in rows] == ["beta", "alpha", "Own code", "Total"]
    assert rows[0].split() == ["beta", "2.0", "1", "kB", "53", "kB", "0.0%"]
    assert of_file.startswith("The zip file itself has ")


def test_the_document_has_the_same_in_bytes(zipped: Path) -> None:
    document = json.loads(size(zipped, "--json"))
    assert [package["name"] for package in document["packages"]] == ["beta", "alpha"]
    assert document["zip_size"] == zipped.stat().st_size
    assert document["limit"] == 262_144_000
    parts = [*document["packages"], document["own_code"]]
    for number in ("files", "zipped", "unzipped"):
        assert document[number] == sum(part[number] for part in parts)


@pytest.mark.usefixtures("cache")
def test_a_project_is_its_layer(orders: Path) -> None:
    document = json.loads(size(orders, "--runtime", "python3.13", "--extra", "fast", "--json"))
    assert {package["name"]: package["version"] for package in document["packages"]} == {
        "alpha": "1.0",
        "beta": "1.0",
        "native": "1.0",
        "urllib3": "1.0",
    }
    assert document["own_code"]["files"] == 0
    assert document["what"] == "the layer of orders"


def test_import_times_are_a_column_and_what_fails_is_told(tmp_path: Path) -> None:
    path = zip_of(
        tmp_path / "a.zip", installed("alpha"), installed("bad", files={"bad.py": "import nothing"})
    )
    *rows, failure = size(path, "--import-time").splitlines()
    cells = {row.split()[0]: row.split()[-2:] for row in rows}
    assert cells["Package"] == ["MB", "Import"]
    assert cells["alpha"][1] == "s"
    assert cells["bad"][1] == "fails"
    assert failure == "bad cannot be imported: ModuleNotFoundError: No module named 'nothing'."
    (alpha, bad) = sorted(
        json.loads(size(path, "--import-time", "--json"))["packages"], key=lambda package: package["name"]
    )
    assert (alpha["modules"], alpha["import_failure"]) == (["alpha"], None)
    assert alpha["import_seconds"] >= 0
    assert bad["import_seconds"] is None


def test_where_it_cannot_be_imported_the_sizes_are_still_shown(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", installed("alpha", tag="cp399-cp399-any"))
    result = lbdart("size", path, "--import-time")
    assert result.exit_code == 0
    assert result.stderr.startswith("Import times cannot be measured here: there is no Python 3.99.")
    assert "Import" not in result.stdout


def test_the_page_is_written(zipped: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert size(zipped, "--html", page) == size(zipped)
    assert "<title>layer.zip</title>" in page.read_text()
    result = lbdart("size", zipped, "--html", tmp_path / "no" / "page.html")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_file_that_is_no_zip_and_no_project_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "broken.zip"
    path.write_bytes(b"PK\x03\x04 and no more")
    result = lbdart("size", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "broken.zip is not a usable zip archive" in result.stderr
    result = lbdart("size", tmp_path / "none")
    assert result.exit_code == 1
    assert "There is no project at" in result.stderr


@pytest.fixture
def version(zipped: Path, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A published version, whose zip the index serves as S3 does."""
    shutil.copy(zipped, index.folder / "signed.zip")
    with mock_aws():
        client: Any = boto3.client("lambda", region_name="us-east-1")
        client.publish_layer_version(LayerName="Orders-Deps", Content={"ZipFile": zipped.read_bytes()})

        def serve(parsed: dict[str, Any], **_: object) -> None:
            parsed["Content"]["Location"] = f"{index.url}/files/signed.zip"

        client.meta.events.register("after-call.lambda.GetLayerVersion", serve)
        monkeypatch.setattr(aws, "client_of", lambda session, service: client)
        yield "Orders-Deps:1"


@pytest.mark.usefixtures("cache")
def test_a_published_version_is_its_zip(version: str, zipped: Path) -> None:
    assert size(version, "--region", "us-east-1") == size(zipped)
    result = lbdart("diff", version, zipped, "--region", "us-east-1", "--exit-code")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("No differences.")
