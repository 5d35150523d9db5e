"""What docs/cli_why.md shows is what the commands say."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner
from moto import mock_aws

import lbdart_cdk
from lbdart_cdk.cli import main
from lbdart_cdk.cli.project_options import Asked
from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.publishing.layer_upload import upload_layer
from lbdart_cdk.core.publishing.manifest import LayerManifest
from lbdart_cdk.core.publishing.publish import LayerPublisher
from lbdart_cdk.core.reports import doctor
from lbdart_cdk.core.store.store import CACHE_VARIABLE, Store
from tests.support.index import Index
from tests.support.projects import index_table, make_project, uv_lock
from tests.support.wheels import make_wheel

GUIDE = Path(lbdart_cdk.__file__).parents[1] / "docs" / "cli_why.md"
TRANSCRIPT = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BUCKET, LAYER = "shop-artifacts", "Orders-Deps"


@dataclass
class Shop:
    """A workspace of a service and a library, its cache, and what a pipeline published of it."""

    root: Path
    cache: Path

    def said(self, command: str) -> list[str]:
        """Return what a command says, with what differs between machines in the form of the guide."""
        if not command.startswith("lbdart "):
            subprocess.run(command, shell=True, cwd=self.root, check=True, env=os.environ)
            return []
        result = CliRunner().invoke(main, shlex.split(command)[1:])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        text = result.output.replace(str(self.cache), "~/.cache/lbdart_cdk").replace(str(self.root), "~/shop")
        return steady(text).splitlines()


def steady(text: str) -> str:
    """Return a text in which each time, size, hash and version of this machine is the same."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "3f" * 32, text)
    text = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12}\b", "3f" * 6, text)
    text = re.sub(r"\d+ kB", "1 kB", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "pypi.shop.example", text)
    text = re.sub(r"\b(\d+ ms|\d+\.\d s)\b", "60 ms", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b", "2026-11-28 06:40", text)
    text = re.sub(
        r"^Python( +)ok( +).*", r"Python\1ok\g<2>3.13.0 (~/.venv/bin/python)", text, flags=re.MULTILINE
    )
    for name, version in (("lbdart_cdk", "0.2.0"), ("aws-cdk-lib", "2.275.0"), ("jsii", "1.142.0")):
        text = re.sub(rf"^{name}( +)ok( +).*", rf"{name}\1ok\g<2>{version}", text, flags=re.MULTILINE)
    text = re.sub(r"^pip( +)(?:ok  |none)( +).*", r"pip\1ok  \g<2>26.3", text, flags=re.MULTILINE)
    return re.sub(r"(?<=\S) +", " ", text)


def publish(artifact: LayerArtifact) -> None:
    """Publish a layer, as a deployment does."""
    path, project, folder = artifact.build(), artifact.project, f"s3://{BUCKET}/{LAYER}"
    manifest = LayerManifest("uv.lock", project.manifest_md5, project.manifest_content)
    s3 = boto3.client("s3")
    LayerPublisher(
        s3_client=s3,
        lambda_client=boto3.client("lambda"),
        layer_name=LAYER,
        s3dir_lambda=folder,
        build_key=artifact.build_key,
        manifest=manifest,
        sbom=artifact.sbom(),
        compatible_runtimes=[artifact.target.runtime],
        compatible_architectures=["x86_64"],
        owner="pipeline",
        printer=lambda _line: None,
    ).run(lambda: upload_layer(s3, folder, path, manifest, artifact.build_key))


def use(name: str, version: int) -> None:
    """Let a function have the layer, and publish a version of the function."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", "")
    role = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({}))
    client = boto3.client("lambda")
    client.create_function(
        FunctionName=name,
        Role=role["Role"]["Arn"],
        Code={"ZipFile": content.getvalue()},
        Runtime="python3.13",
        Handler="app.handler",
        Layers=[f"arn:aws:lambda:us-east-1:123456789012:layer:{LAYER}:{version}"],
    )
    client.publish_version(FunctionName=name)


def programs(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Put the programs of the guide's machine on PATH, in front of what is there."""
    folder.mkdir()
    versions = {"node": "v24.0.0", "cdk": "2.1148.0 (build 0)", "git": "git version 2.47.0"}
    answers = {name: f"echo '{version}'" for name, version in versions.items()}
    answers["docker"] = (
        'if [ "$1" = info ]; then echo "ERROR: Cannot connect to the Docker daemon" >&2; exit 1; fi\n'
        "echo 'Docker version 28.2.2'"
    )
    for name, answer in answers.items():
        (folder / name).write_text(f"#!/bin/sh\n{answer}\n")
        (folder / name).chmod(0o755)
    patch.setattr("shutil.which", lambda name, **_: str(folder / name) if name in answers else None)
    patch.setattr(doctor, "_answer", _answered(doctor._answer))
    patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def _answered(real: Callable[..., tuple[str, doctor.Status]]) -> object:
    """Return what gives the guide's version of uv."""

    def answer(*command: str) -> tuple[str, doctor.Status]:
        if Path(command[0]).name == "uv":
            return "uv 0.13.9", doctor.Status.fine
        return real(*command)

    return answer


@pytest.fixture
def shop(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    root, cache = tmp_path / "shop", tmp_path / "cache"
    for name, requires in (("alpha", ["beta"]), ("beta", [])):
        make_wheel(index.folder, name, requires=requires)
    make_project(root / "libs/pricing", "pricing")
    source = "[tool.uv.sources]\npricing = { workspace = true }\n"
    make_project(root / "services/orders", "orders", dependencies=["alpha", "pricing"], tail=source)
    members = '[tool.uv.workspace]\nmembers = ["services/*", "libs/*"]\n'
    (root / "pyproject.toml").write_text(members + index_table(index.url))
    uv_lock(root)
    make_wheel(index.folder, "alpha", "2.0", requires=["beta"])
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.chdir(root)
    pythons = {(3, 11): "/usr/bin/python3.11", (3, 13): "/usr/bin/python3.13"}
    monkeypatch.setattr(doctor, "find_interpreter", lambda python, _folder: pythons.get(python))
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        store = Store(tmp_path / "pipeline")
        publish(Asked("services/orders", runtime="python3.12").layer(store))
        publish(Asked("services/orders", runtime="python3.13", exclude_files=("*.md",)).layer(store))
        use("billing", 1)
        use("orders", 2)
        yield Shop(root, cache)


def test_the_transcripts_are_what_it_says(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = GUIDE.read_text()
    real = []
    for block in TRANSCRIPT.findall(text):
        commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
        if commands[0].startswith("lbdart doctor"):
            programs(tmp_path / "bin", monkeypatch)
        real.append([line for each in commands for line in (f"$ {each}", *shop.said(each))])
    assert real == [steady(block).splitlines() for block in TRANSCRIPT.findall(text)]
