"""``lbdart build``: the bytes of the constructs, written whole, and told in lines or as JSON."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_
from click.testing import CliRunner, Result

from lbdart_cdk import LambdaFunctionArtifact, LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.cli import main
from lbdart_cdk.core.store.store import CACHE_VARIABLE
from tests.support.wheels import names_in, sha256

PYTHON = lambda_.Runtime.PYTHON_3_13


def lbdart(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def built(*arguments: object) -> str:
    """Return what a successful command says."""
    result = lbdart(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """The working directory: not the project's own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A directory of modules, which is packed as it lies."""
    root = tmp_path / "flat"
    root.mkdir()
    (root / "app.py").write_text("x = 1\n")
    return root


def staged(outdir: Path) -> set[str]:
    """Return the hashes of the zips in a cloud assembly."""
    return {sha256(path) for path in outdir.glob("asset.*.zip")}


def test_the_bytes_are_those_of_the_constructs(
    orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (orders / "data.json").write_text("{}")
    (orders / "src/orders/notes.md").write_text("")
    app = App(outdir=str(tmp_path / "cdk.out"))
    stack = Stack(app, "Shop")
    arm64 = lambda_.Architecture.ARM_64
    LambdaLayerArtifact(stack, "Deps", project=str(orders), runtime=PYTHON)
    LambdaLayerArtifact(
        stack,
        "More",
        project=str(orders),
        runtime=PYTHON,
        architecture=arm64,
        extras=["fast"],
        groups=["ops"],
        exclude=["urllib3"],
        own_code=True,
    )
    LambdaSourceArtifact(stack, "Code", project=str(orders), include=["data.json"], exclude=["__init__.py"])
    LambdaFunctionArtifact(
        stack,
        "Fn",
        project=str(orders),
        handler="orders.app.handler",
        packaging="zip",
        runtime=PYTHON,
        include=["data.json"],
        exclude=["urllib3"],
        exclude_code=["notes.md"],
        exclude_files=["**/native.so", "alpha-*/"],
    )
    app.synth()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "another-cache"))
    of_both = (orders, "--runtime", "python3.13")
    built("build", "layer", *of_both)
    more = ("--arch", "arm64", "--extra", "fast", "--group", "ops", "--exclude", "urllib3", "--own-code")
    built("build", "layer", *of_both, *more, "-o", "build/more.zip")
    built("build", "source", orders, "--include", "data.json", "--exclude", "__init__.py")
    function = ("--include", "data.json", "--exclude", "urllib3", "--exclude-code", "notes.md")
    files = ("--exclude-files", "**/native.so", "--exclude-files", "alpha-*/")
    built("build", "function", *of_both, *function, *files)
    outputs = {path.name: sha256(path) for path in Path("build").iterdir()}
    assert set(outputs) == {"layer.zip", "more.zip", "source.zip", "function.zip"}
    assert len(set(outputs.values())) == 4
    assert set(outputs.values()) < staged(tmp_path / "cdk.out")  # which also has the handler's zip


def test_the_line_is_that_of_a_synthesis(orders: Path) -> None:
    first = built("build", "layer", orders, "--runtime", "python3.13", "-o", "deps.zip")
    assert first.startswith("deps.zip: 3 packages, ")
    assert ", built in " in first
    again = built("build", "layer", orders, "--runtime", "python3.13", "-o", "deps.zip")
    assert ", unchanged, " in again
    assert len(again.splitlines()) == 1


def test_a_zip_with_the_same_bytes_is_not_touched(orders: Path, folder: Path) -> None:
    arguments = ("build", "source", orders, "-o", "out/code.zip")
    built(*arguments)
    path = folder / "out/code.zip"
    os.utime(path, (1, 1))
    built(*arguments)
    assert path.stat().st_mtime == 1
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    built(*arguments)
    assert path.stat().st_mtime != 1
    assert "orders/app.py" in names_in(path)
    assert [each.name for each in (folder / "out").iterdir()] == ["code.zip"]


def test_a_build_that_fails_leaves_the_old_zip(orders: Path, folder: Path) -> None:
    built("build", "source", orders)
    before = (folder / "build/source.zip").read_bytes()
    (orders / "backend.py").write_text("raise SystemExit('no')\n")
    (orders / "src/orders/app.py").write_text("changed = True\n")
    result = lbdart("build", "source", orders)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "could not be built" in result.stderr
    assert (folder / "build/source.zip").read_bytes() == before


def test_a_path_that_cannot_be_written_is_told(flat: Path, folder: Path) -> None:
    (folder / "file").write_text("")
    result = lbdart("build", "source", flat, "-o", "file/source.zip")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: file/source.zip cannot be written: ")


@pytest.mark.parametrize("name", ["-", "out/", "."])
def test_what_is_no_name_of_a_file_is_a_wrong_use(flat: Path, name: str) -> None:
    result = lbdart("build", "source", flat, "-o", name)
    assert result.exit_code == 2
    assert f"'{name}' is not the name of a file" in result.stderr


def test_no_zip_is_written_where_the_next_one_would_have_it(
    flat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(flat)
    for kind in ("source", "function"):
        result = lbdart("build", kind, "--runtime", "python3.13", "-o", "lib/code.zip")
        assert result.exit_code == 1
        assert "Write it to build/code.zip there, or outside of the project." in result.stderr
    assert [path.name for path in flat.iterdir()] == ["app.py"]
    built("build", "source")
    first = sha256(flat / "build/source.zip")
    built("build", "source")
    assert sha256(flat / "build/source.zip") == first
    built("build", "source", "-o", ".out/source.zip")
    assert sha256(flat / ".out/source.zip") == first


def test_a_package_may_have_the_zip_beside_it(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(orders)
    built("build", "source", "-o", "source.zip")
    first = sha256(orders / "source.zip")
    built("build", "source", "-o", "source.zip")
    assert sha256(orders / "source.zip") == first


def test_json_is_one_document(orders: Path, folder: Path) -> None:
    options = ("--runtime", "python3.13", "--exclude", "urllib3", "--json")
    told = json.loads(built("build", "layer", orders, *options))
    path = folder / "build/layer.zip"
    assert told["path"] == "build/layer.zip"
    assert (told["sha256"], told["zipped"]) == (sha256(path), path.stat().st_size)
    assert told["code_sha256"] == b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
    assert (told["runtime"], told["architecture"], told["is_new"]) == ("python3.13", "x86_64", True)
    assert [(each["name"], each["version"]) for each in told["packages"]] == [
        ("alpha", "1.0"),
        ("native", "1.0"),
    ]
    assert sum(each["size"] for each in told["packages"]) == told["unzipped"]
    assert told["left_out"] == ["urllib3"]
    code = json.loads(built("build", "source", orders, "--json"))
    assert (code["version"], code["packages"], code["runtime"]) == ("1.2.0", [], None)
    whole = json.loads(built("build", "function", orders, "--runtime", "python3.13", "--json"))
    assert (whole["version"], len(whole["packages"])) == ("1.2.0", 3)
    again = json.loads(built("build", "function", orders, "--runtime", "python3.13", "--json"))
    assert again == {**whole, "is_new": False}


def test_warnings_are_on_stderr_and_name_options(flat: Path) -> None:
    (flat / "requirements.txt").write_text("")
    (flat / "pyproject.toml").write_text("")
    result = lbdart("build", "layer", flat, "--runtime", "python3.13")
    assert result.exit_code == 1
    assert "pass --own-code for the project's own code" in result.stderr
    result = lbdart("build", "layer", flat, "--runtime", "python3.13", "--own-code", "--exclude-files", "x")
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: The pattern 'x' in --exclude-files matches no file.")
    told = lbdart(
        *("build", "layer", flat, "--runtime", "python3.13", "--own-code", "--exclude-files", "x", "--json")
    )
    assert "in --exclude-files matches no file" in json.loads(told.stdout)["warnings"][0]["text"]


def test_the_runtime_is_checked_though_the_code_is_the_same(orders: Path) -> None:
    result = lbdart("build", "source", orders, "--runtime", "python3.10")
    assert result.exit_code == 1
    assert "requires Python >=3.11, but the runtime is python3.10." in result.stderr
