"""A source artifact without CDK is the construct's, byte for byte."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.source import SourceArtifact, SourceZip
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.publishing.logger import BaseLogger
from lbdart_cdk.core.source.copy import copy_source_for_lambda_deployment
from lbdart_cdk.core.source.steps import (
    BuildAndUploadSourceResult,
    SourceDir,
    build_and_upload_source_using_pip,
    build_and_upload_source_using_uv,
    build_source_dir_using_pip,
    build_source_dir_using_uv,
    create_source_zip,
)
from lbdart_cdk.core.store.store import Store
from tests.core.conftest import FakeAws
from tests.support.index import Index
from tests.support.projects import BACKEND, files_in, index_table, make_project
from tests.support.wheels import make_wheel, names_in, read_from, sha256

Build = Callable[..., SourceDir]
BuildAndUpload = Callable[..., BuildAndUploadSourceResult]

BUILDS = pytest.mark.parametrize("build", [build_source_dir_using_pip, build_source_dir_using_uv])
#: The Python of this machine, which can compile for it.
HERE = Target((sys.version_info.major, sys.version_info.minor))
UPLOADS = pytest.mark.parametrize(
    "build_and_upload", [build_and_upload_source_using_pip, build_and_upload_source_using_uv]
)


@dataclass
class Lines:
    """What was logged."""

    lines: list[str] = field(default_factory=list)

    @property
    def logger(self) -> BaseLogger:
        return BaseLogger(printer=self.lines.append)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_project(tmp_path / "orders")
    (root / "conf").mkdir()
    (root / "conf/rates.json").write_text("{}")
    (root / "conf/run.sh").write_text("#!/bin/sh\n")
    (root / "src/orders/tool.py").write_text("#!/usr/bin/env python3\n")
    (root / "src/orders/tool.py").chmod(0o755)
    (root / "uv.lock").write_text("version = 1\n")
    return root


def of_construct(root: Path, store: Store, bytecode: Target | None = None) -> SourceZip:
    """What ``LambdaSourceArtifact`` makes of a project."""
    project, tool = find_project(root, "uv")
    return SourceArtifact(project, tool, ("conf",), ("*.sh",), store, bytecode=bytecode).build()


@BUILDS
def test_step_by_step_it_is_the_constructs_zip(root: Path, tmp_path: Path, build: Build) -> None:
    source_dir = build(
        root / "pyproject.toml", include=["conf"], exclude=["*.sh"], store=Store(tmp_path / "one")
    )
    source_zip = create_source_zip(source_dir)
    expected = of_construct(root, Store(tmp_path / "other"))
    assert source_zip.path == root / "build/lambda/source.zip"
    assert source_zip.path.read_bytes() == expected.path.read_bytes()
    assert (source_zip.sha256, source_zip.version) == (expected.sha256, expected.version)
    assert sorted(files_in(root / "build/lambda/source")) == names_in(expected.path)


@BUILDS
def test_step_by_step_it_has_the_constructs_bytecode(root: Path, tmp_path: Path, build: Build) -> None:
    source_dir = build(
        root / "pyproject.toml",
        include=["conf"],
        exclude=["*.sh"],
        bytecode=True,
        target=HERE,
        store=Store(tmp_path / "one"),
    )
    (source_dir.path / "orders/__pycache__").mkdir(exist_ok=True)
    (source_dir.path / "orders/__pycache__/app.cpython-313.pyc").write_bytes(b"of an import")
    source_zip = create_source_zip(source_dir)
    expected = of_construct(root, Store(tmp_path / "other"), HERE)
    assert source_zip.bytecode == expected.bytecode > 0
    assert source_zip.path.read_bytes() == expected.path.read_bytes()


@UPLOADS
def test_all_at_once_it_has_the_constructs_bytecode(
    root: Path, tmp_path: Path, aws: FakeAws, build_and_upload: BuildAndUpload
) -> None:
    result = build_and_upload(
        aws.s3,
        "s3://artifacts/lambda/orders",
        root / "pyproject.toml",
        include=["conf"],
        exclude=["*.sh"],
        bytecode=True,
        target=HERE,
        store=Store(tmp_path / "one"),
    )
    assert result.source_sha256 == of_construct(root, Store(tmp_path / "other"), HERE).sha256


@BUILDS
def test_a_target_that_the_project_does_not_support_is_refused(root: Path, build: Build) -> None:
    pyproject = root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(">=3.11", ">=3.13"))
    with pytest.raises(LbdartError, match=r"requires Python >=3\.13, but the runtime is python3\.12"):
        build(pyproject, bytecode=True, target=Target((3, 12)))


@BUILDS
def test_an_option_that_does_not_exist_is_refused(root: Path, build: Build) -> None:
    with pytest.raises(TypeError, match="includes"):
        build(root / "pyproject.toml", includes=["conf"])


@BUILDS
def test_a_script_in_a_folder_of_the_project_names_what_is_above_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: Build
) -> None:
    store = Store(tmp_path / "one")
    monkeypatch.chdir(root / "conf")
    source_dir = build(Path("../pyproject.toml"), include=["conf"], exclude=["*.sh"], store=store)
    assert sorted(files_in(source_dir.path)) == names_in(of_construct(root, Store(tmp_path / "other")).path)
    assert list((store.root / "tmp").iterdir()) == []


@UPLOADS
def test_all_at_once_it_is_the_constructs_zip_at_the_constructs_key(
    root: Path, tmp_path: Path, aws: FakeAws, build_and_upload: BuildAndUpload
) -> None:
    before = files_in(root)
    result = build_and_upload(
        aws.s3,
        "s3://artifacts/lambda/orders",
        root / "pyproject.toml",
        include=["conf"],
        exclude=["*.sh"],
        store=Store(tmp_path / "one"),
    )
    expected = of_construct(root, Store(tmp_path / "other"))
    assert result.source_version == expected.version == "1.2.0"
    assert result.source_sha256 == expected.sha256
    assert result.s3path_source_zip.uri == (
        f"s3://artifacts/lambda/orders/source/1.2.0/{expected.sha256}/source.zip"
    )
    assert aws.read(result.s3path_source_zip) == expected.path.read_bytes()
    assert files_in(root) == before


@BUILDS
def test_a_backend_may_come_from_a_private_index(
    tmp_path: Path,
    index: Index,
    build: Build,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its password opens the index, and is found nowhere afterwards."""
    make_wheel(index.folder, "hosted", files={"hosted.py": BACKEND})
    index.demanded = ("ci", "m4rked p@ss/word")
    url = f"{index.url}/simple/"
    store = Store(tmp_path / "store")
    root = make_project(tmp_path / "orders", tail=index_table(index.url).replace('"tests"', '"team"'))
    text = (root / "pyproject.toml").read_text()
    text = text.replace("requires = []", 'requires = ["hosted"]').replace(
        'build-backend = "backend"\nbackend-path = ["."]', 'build-backend = "hosted"'
    )
    (root / "pyproject.toml").write_text(text)
    public = tmp_path / "public"
    public.mkdir()
    with Index(public) as nothing_there:
        monkeypatch.setenv("PIP_INDEX_URL", f"{nothing_there.url}/simple/")
        environment = dict(os.environ)
        with pytest.raises(LbdartError, match=r"/orders could not be built: "):
            build(root / "pyproject.toml", store=store)
        credentials = Credentials("team", url, *index.demanded)
        source_dir = build(root / "pyproject.toml", store=store, credentials=credentials)
    assert (source_dir.path / "orders/app.py").is_file()
    assert os.environ == environment
    everything = [*files_in(tmp_path).values(), *(part.encode() for part in capfd.readouterr())]
    assert not [each for each in everything if b"m4rked" in each]


def test_a_project_without_a_build_system(tmp_path: Path, store: Store) -> None:
    root = make_project(tmp_path / "plain", built=False)
    source_zip = create_source_zip(build_source_dir_using_uv(root / "pyproject.toml", store=store))
    assert names_in(source_zip.path) == ["orders/__init__.py", "orders/app.py"]
    assert source_zip.version == "1.2.0"


def test_code_that_is_there_is_not_uploaded_again(root: Path, store: Store, aws: FakeAws) -> None:
    first = build_and_upload_source_using_uv(aws.s3, aws.s3dir, root / "pyproject.toml", store=store)
    assert "PutObject" in aws.operations
    aws.calls.clear()
    said = Lines()
    again = build_and_upload_source_using_uv(
        aws.s3, aws.s3dir, root / "pyproject.toml", store=store, logger=said.logger
    )
    assert again == first
    assert aws.operations == ["HeadObject"]
    assert said.lines[-1] == f"This code is already stored at {first.s3path_source_zip}."


def test_a_line_of_code_is_another_object_and_the_first_stays(root: Path, store: Store, aws: FakeAws) -> None:
    paths = []
    for answer in ("42", "43"):
        (root / "src/orders/app.py").write_text(f"def handler(event, context):\n    return {answer}\n")
        result = build_and_upload_source_using_uv(aws.s3, aws.s3dir, root / "pyproject.toml", store=store)
        paths.append(result.s3path_source_zip.key)
    assert aws.keys() == set(paths)
    assert len(set(paths)) == 2


def test_every_step_is_logged(
    root: Path, store: Store, aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Lines()
    source_dir = build_source_dir_using_uv(root / "pyproject.toml", store=store, logger=said.logger)
    source_zip = create_source_zip(source_dir, logger=said.logger)
    result = build_and_upload_source_using_uv(
        aws.s3, aws.s3dir, root / "pyproject.toml", store=store, logger=said.logger
    )
    size = f"{source_zip.path.stat().st_size:,} bytes"
    assert said.lines == [
        "--- Build the source",
        f"{root}/build/lambda/source (4 files, version 1.2.0)",
        "--- Package the source",
        f"{root}/build/lambda/source.zip ({size})",
        "--- Build the source",
        f"orders 1.2.0 ({size})",
        "--- Upload the source",
        f"Stored at {result.s3path_source_zip}.",
    ]
    assert capsys.readouterr().out == ""
    create_source_zip(source_dir)
    assert capsys.readouterr().out.startswith("--- Package the source\n")


def test_what_is_left_out_of_code_as_it_lies_is_said(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_project(tmp_path / "orders", built=False)
    for name in (f".file{number:02}" for number in range(20)):
        (root / name).write_text("")
    said = Lines()
    build_source_dir_using_uv(root / "pyproject.toml", store=store, logger=said.logger)
    assert said.lines[1].startswith("Left out: .file00, .file01, ")
    assert said.lines[1].endswith(", .file11 and 9 more")
    assert capsys.readouterr() == ("", "")


def test_what_was_in_the_directory_before_is_gone(root: Path, store: Store) -> None:
    source_dir = build_source_dir_using_uv(root / "pyproject.toml", store=store)
    (source_dir.path / "old.py").write_text("")
    (root / "src/orders/tool.py").unlink()
    assert build_source_dir_using_uv(root / "pyproject.toml", store=store) == source_dir
    assert {"old.py", "orders/tool.py"}.isdisjoint(files_in(source_dir.path))
    assert {path.name for path in (root / "build/lambda").iterdir()} == {".source.lock", "source"}


def test_what_is_added_to_the_directory_is_packed_except_for_bytecode(
    root: Path, tmp_path: Path, store: Store
) -> None:
    source_dir = build_source_dir_using_uv(root / "pyproject.toml", store=store)
    more = tmp_path / "more"
    (more / "__pycache__").mkdir(parents=True)
    for name in ("extra.py", "skip.txt", "__pycache__/extra.cpython-313.pyc"):
        (more / name).write_text(name)
    copy_source_for_lambda_deployment(more, source_dir.path, exclude="*.txt")
    for name in ("extra.pyc", "only.pyc"):
        (source_dir.path / name).write_text("")
    names = names_in(create_source_zip(source_dir).path)
    assert "extra.py" in names
    assert [name for name in names if name.endswith((".pyc", ".txt"))] == ["only.pyc"], "it is a module"


def test_a_failed_build_leaves_the_directory_as_it_was(root: Path, store: Store) -> None:
    source_dir = build_source_dir_using_uv(root / "pyproject.toml", store=store)
    before = files_in(root / "build")
    (root / "backend.py").write_text("raise RuntimeError('no such compiler')\n")
    with pytest.raises(LbdartError, match=r"/orders could not be built: RuntimeError: no such compiler"):
        build_source_dir_using_uv(root / "pyproject.toml", store=store)
    assert files_in(root / "build") == before
    assert sha256(create_source_zip(source_dir).path) == create_source_zip(source_dir).sha256


def test_a_directory_without_code_is_refused(root: Path, store: Store) -> None:
    source_dir = build_source_dir_using_uv(root / "pyproject.toml", store=store)
    for path in source_dir.path.rglob("*.py"):
        path.unlink()
    with pytest.raises(LbdartError, match=r"The source in .*/build/lambda/source would have no Python code"):
        create_source_zip(source_dir)
    assert {path.name for path in (root / "build/lambda").iterdir()} == {".source.lock", "source"}


def test_one_pattern_is_as_good_as_a_list_of_it(root: Path, store: Store) -> None:
    one, listed = (
        build_source_dir_using_uv(root / "pyproject.toml", include=include, exclude=exclude, store=store)
        for include, exclude in (("*.json", "tool.py"), (["*.json"], ["tool.py"]))
    )
    assert one == listed
    assert sorted(files_in(one.path)) == [
        "conf/rates.json",
        "orders-1.2.0.dist-info/METADATA",
        "orders/__init__.py",
        "orders/app.py",
    ]


def test_a_relative_path_is_the_same_project(
    root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = SourceArtifact(Project(root, root), find_project(root)[1], (), (), store).build()
    monkeypatch.chdir(root)
    source_zip = create_source_zip(build_source_dir_using_uv(Path("pyproject.toml"), store=store))
    assert source_zip.sha256 == expected.sha256
    assert read_from(source_zip.path, "orders/app.py") == (root / "src/orders/app.py").read_bytes()
