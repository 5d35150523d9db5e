"""Packages from an index that demands a password: they come, and the password stays out of everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lbdart_cdk.core.credentials import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.layer.artifact import LayerArtifact
from lbdart_cdk.core.store import Store
from lbdart_cdk.core.target import Target
from lbdart_cdk.core.tool import Options
from lbdart_cdk.tools import find_project
from tests.support.index import Index
from tests.support.projects import files_in, index_table, make_project, uv_lock
from tests.support.wheels import make_wheel

USER, PASSWORD = "ci@team", "m4rked/p:ss w%rd"


@pytest.fixture
def private(index: Index) -> Index:
    make_wheel(index.folder, "alpha")
    index.demanded = (USER, PASSWORD)
    return index


@pytest.fixture
def project(private: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_project(tmp_path / "orders", dependencies=["alpha"], tail=index_table(private.url))
    with monkeypatch.context() as patch:
        patch.setenv("UV_INDEX_TESTS_USERNAME", USER)
        patch.setenv("UV_INDEX_TESTS_PASSWORD", PASSWORD)
        uv_lock(root)
    return root


def layer(root: Path, store: Store, *credentials: Credentials) -> LayerArtifact:
    found, tool = find_project(root)
    return LayerArtifact(found, tool, Target((3, 13)), Options(), (), store, credentials)


def test_a_layer_is_built_and_the_environment_restored(private: Index, project: Path, store: Store) -> None:
    before = dict(os.environ)
    assert (
        layer(project, store, Credentials("tests", f"{private.url}/simple/", USER, PASSWORD))
        .build()
        .is_file()
    )
    assert dict(os.environ) == before


def test_the_credentials_change_no_hash(private: Index, project: Path, store: Store) -> None:
    rotated = (Credentials("tests", f"{private.url}/simple/", USER, password) for password in ("old", "new"))
    assert len({layer(project, store, each).build_key for each in rotated}) == 1


@pytest.mark.parametrize("password", [None, "wrong"])
def test_without_the_right_password_the_index_refuses(
    private: Index, project: Path, store: Store, password: str | None
) -> None:
    given = [Credentials("tests", f"{private.url}/simple/", USER, password)] if password else []
    with pytest.raises(LbdartError, match=r"127\.0\.0\.1 refused alpha-1\.0.*: 401"):
        layer(project, store, *given).build()


def test_netrc_opens_it_too(
    private: Index, project: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private.demanded = ("ci", "plain")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ci password plain\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert layer(project, store).build().is_file()


def test_the_password_is_in_nothing_that_an_app_leaves_or_prints(
    private: Index, project: Path, tmp_path: Path
) -> None:
    program = f"""
import os
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.core.api import Credentials

team = Credentials("tests", "{private.url}/simple/", "{USER}", os.environ["TEAM_PASSWORD"])
app = App(outdir="cdk.out")
stack = Stack(app, "Orders")
common = dict(project="orders", runtime=lambda_.Runtime.PYTHON_3_13, credentials=team)
deps = LambdaLayerArtifact(stack, "Deps", **common)
LambdaSourceArtifact(stack, "Code", **common)
app.synth()
print(team, vars(deps))
"""
    (tmp_path / "app.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=tmp_path,
        env={**os.environ, "TEAM_PASSWORD": PASSWORD, "LBDART_CACHE_DIR": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cdk.out" / "Orders.template.json").is_file()
    left = {name: content for name, content in files_in(tmp_path).items() if not name.startswith("index/")}
    for content in (*left.values(), done.stdout.encode(), done.stderr.encode()):
        for secret in (PASSWORD, "m4rked", "bTRya2Vk"):  # as it is, in part, and in base64
            assert secret.encode() not in content
