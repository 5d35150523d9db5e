"""Every mistake of a script without CDK: the same two sentences as at synth, and nothing uploaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lbdart_cdk.core.api import (
    LayerBuildToolEnum,
    LayerDeploymentWorkflow,
    LayerPathLayout,
    LbdartError,
    build_and_upload_source_using_pip,
    build_and_upload_source_using_uv,
    build_source_dir_using_uv,
    create_source_zip,
)
from lbdart_cdk.tools import UvLambdaLayerLocalBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client


@dataclass
class Script:
    """A script in a project that can be built; ``given`` is what it passes instead of what is right."""

    root: Path
    s3: S3Client
    lambda_: LambdaClient
    patch: pytest.MonkeyPatch
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def pyproject(self) -> Path:
        return self.root / "pyproject.toml"

    def pass_(self, **given: Any) -> None:
        self.given.update(given)

    def refuse(self, *operations: str) -> None:
        """Let S3 answer as it does without the permission."""

        def refuse(model: Any, **_: object) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, model.name)

        for operation in operations:
            self.s3.meta.events.register(f"before-call.s3.{operation}", refuse)


def deploy_layer(script: Script) -> object:
    arguments: dict[str, Any] = {
        "builder": None,
        "layer_name": "orders-deps",
        "layer_build_tool": LayerBuildToolEnum.uv,
        "s3dir_lambda": "s3://artifacts/lambda",
        "s3_client": script.s3,
        "lambda_client": script.lambda_,
    }
    given = dict(script.given)
    path = given.pop("path_pyproject_toml", script.pyproject)
    arguments |= given
    if "builder" not in given:
        arguments["builder"] = UvLambdaLayerLocalBuilder(path, skip_prompt=True)
    return LayerDeploymentWorkflow(**arguments).run()


def deploy_source(script: Script) -> object:
    return _source(build_and_upload_source_using_uv, script)


def deploy_source_with_pip(script: Script) -> object:
    return _source(build_and_upload_source_using_pip, script)


def build_source(script: Script) -> object:
    path = script.given.get("path_pyproject_toml", script.pyproject)
    return create_source_zip(build_source_dir_using_uv(path))


def _source(build_and_upload: Callable[..., object], script: Script) -> object:
    arguments = {
        "s3_client": script.s3,
        "s3dir_lambda": "s3://artifacts/lambda",
        "path_pyproject_toml": script.pyproject,
    }
    return build_and_upload(**{**arguments, **script.given})


class NoLayout:
    """A builder that forgot its layout."""

    def run(self) -> None:
        """Do nothing."""


class StringLayout:
    """A builder that gives its layout a string."""

    @property
    def path_layout(self) -> LayerPathLayout:
        return LayerPathLayout("pyproject.toml")  # type: ignore[arg-type]

    def run(self) -> None:
        """Do nothing."""


def edit(change: Callable[[str], str]) -> Callable[[Script], object]:
    return lambda script: script.pyproject.write_text(change(script.pyproject.read_text()))


@dataclass(frozen=True)
class Mistake:
    """What the user did, in which scripts it shows, and what they are told."""

    name: str
    scripts: tuple[Callable[[Script], object], ...]
    made: Callable[[Script], object]
    problem: str
    remedy: str


LAYER = (deploy_layer,)
UPLOAD = (deploy_source, deploy_source_with_pip)
SOURCE = (*UPLOAD, build_source)
ALL = (deploy_layer, deploy_source)

MISTAKES = [
    Mistake(
        "no pyproject.toml", SOURCE, lambda script: script.pyproject.unlink(),
        r"There is no .*/orders/pyproject\.toml\.", r"Pass the path of the project's pyproject\.toml\.",
    ),
    Mistake(
        "a path that is a string", (deploy_layer, *SOURCE),
        lambda script: script.pass_(path_pyproject_toml="pyproject.toml"),
        r"path_pyproject_toml is 'pyproject\.toml', not a pathlib\.Path\.",
        r'Pass a Path object, such as Path\("pyproject\.toml"\)\.',
    ),
    Mistake(
        "the path of the directory", SOURCE, lambda script: script.pass_(path_pyproject_toml=script.root),
        r"There is no .*/orders\.", r"Pass the path of the project's pyproject\.toml\.",
    ),
    Mistake(
        "no version", SOURCE, edit(lambda text: text.replace('version = "1.2.0"', "")),
        r"The project in .*/pyproject\.toml has no version\.", r"Add version = ",
    ),
    Mistake(
        "no lock", LAYER, lambda script: (script.root / "uv.lock").unlink(),
        r"The manifest .*/uv\.lock cannot be read: No such file or directory\.", r"Create it with your pack",
    ),
    Mistake(
        "a stale lock", LAYER, edit(lambda text: text.replace('"native"', '"beta"', 1)),
        r".*/uv\.lock does not match .*/pyproject\.toml\.", r"Run `uv lock` and commit the result\.",
    ),
    Mistake(
        "a source without code", UPLOAD, lambda script: script.pass_(exclude=["*.py"]),
        r"The source of orders in .* would have no Python code\.", r"Put the code into src/",
    ),
    Mistake(
        "a backend that fails", (deploy_source, build_source),
        lambda script: (script.root / "backend.py").unlink(),
        r".*/orders could not be built: its build backend 'backend' cannot be imported: ",
        r"See the output of its build backend above; .* a copy of the project",
    ),
    Mistake(
        "a backend that fails for pip", (deploy_source_with_pip,),
        lambda script: (script.root / "backend.py").unlink(),
        r".*/orders could not be built: its build backend 'backend' cannot be imported: ",
        r"See the output of its build backend above; .* a copy of the project",
    ),
    Mistake(
        "a file in the place of the build directory", (deploy_layer, build_source),
        lambda script: (script.root / "build").write_text(""),
        r"The build directory .*/orders/build/lambda\S* cannot be used: (Not a directory|File exists)\.",
        r"Check its permissions and free space",
    ),
    Mistake(
        "a bucket that is not there", ALL, lambda script: script.pass_(s3dir_lambda="s3://elsewhere/lambda"),
        r"The bucket does not exist; \w+Object was called to .* s3://elsewhere/lambda/\S+\.",
        r"Create the bucket, or correct its name\.",
    ),
    Mistake(
        "no permission to write", ALL, lambda script: script.refuse("PutObject"),
        r"AWS refused PutObject \(Access Denied\); it was called to .* s3://artifacts/lambda/\S+\.",
        r"Allow the call in the role's policies",
    ),
    Mistake(
        "no permission to look", ALL, lambda script: script.refuse("HeadObject", "PutObject"),
        r"AWS refused \w+Object \(Access Denied\); it was called to .* s3://artifacts/lambda/\S+\.",
        r"Allow the call in the role's policies",
    ),
    Mistake(
        "a place that is not in S3", ALL, lambda script: script.pass_(s3dir_lambda="artifacts/lambda"),
        r"'artifacts/lambda' is not an S3 URI\.", r"Write it as s3://bucket/prefix\.",
    ),
    Mistake(
        "a place that is a path", ALL, lambda script: script.pass_(s3dir_lambda=Path("s3://artifacts")),
        r"PosixPath\('s3:/artifacts'\) is not an S3 URI\.", r"Write it as s3://bucket/prefix\.",
    ),
    Mistake(
        "the wrong client", ALL, lambda script: script.pass_(s3_client=script.lambda_),
        r"s3_client is a client for lambda\.", r"Pass a client for s3: boto3\.client\('s3'\)\.",
    ),
    Mistake(
        "a session for a client", ALL, lambda script: script.pass_(s3_client=boto3.Session()),
        r"s3_client is of type Session\.", r"Pass a client for s3: boto3\.client\('s3'\)\.",
    ),
    Mistake(
        "no client of Lambda", LAYER, lambda script: script.pass_(lambda_client=None),
        r"lambda_client is of type NoneType\.", r"Pass a client for lambda: boto3\.client\('lambda'\)\.",
    ),
    Mistake(
        "a builder that has no layout", LAYER, lambda script: script.pass_(builder=NoLayout()),
        r"builder is a NoLayout, which lacks run\(\) or path_layout\.", r"Pass a builder, such as ",
    ),
    Mistake(
        "a layout that starts from a string", LAYER, lambda script: script.pass_(builder=StringLayout()),
        r"path_pyproject_toml is 'pyproject\.toml', not a pathlib\.Path\.", r"Pass a Path object",
    ),
    Mistake(
        "a tool that is none", LAYER, lambda script: script.pass_(layer_build_tool="conda"),
        r"There is no tool 'conda'\.", r"Choose one of pdm, pip, poetry, pylock, uv\.",
    ),
    Mistake(
        "the manifest of another tool", LAYER,
        lambda script: script.pass_(layer_build_tool=LayerBuildToolEnum.poetry),
        r"layer_build_tool is 'poetry', but \w+ reads locks of uv\.", r"Pass layer_build_tool='uv', or ",
    ),
    Mistake(
        "a layer name with a space", LAYER, lambda script: script.pass_(layer_name="our deps"),
        r"'our deps' is not a valid layer name\.", r"Use 1 to 140 letters",
    ),
    Mistake(
        "a layer name that is a number", LAYER, lambda script: script.pass_(layer_name=5),
        r"5 is not a valid layer name\.", r"Use 1 to 140 letters",
    ),
]  # fmt: skip


@pytest.fixture
def script(orders: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="artifacts")
        yield Script(orders, s3, boto3.client("lambda", region_name="us-east-1"), monkeypatch)


@pytest.mark.parametrize(
    ("mistake", "run"),
    [(mistake, run) for mistake in MISTAKES for run in mistake.scripts],
    ids=[f"{run.__name__}: {mistake.name}" for mistake in MISTAKES for run in mistake.scripts],
)
def test_a_mistake_of_a_script_is_told(
    mistake: Mistake, run: Callable[[Script], object], script: Script, cache: Path
) -> None:
    mistake.made(script)
    with pytest.raises(LbdartError) as caught:
        run(script)
    error = caught.value
    assert re.match(mistake.problem, error.problem), error.problem
    assert re.match(mistake.remedy, error.remedy), error.remedy
    assert "\n" not in error.problem + error.remedy
    assert error.problem.endswith(".")
    assert error.remedy.endswith(".")
    assert "Contents" not in boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket="artifacts")
    assert {path.suffix for path in script.root.glob("build/lambda/**/.*")} <= {".lock"}
    assert not (cache.is_dir() and list(cache.glob("tmp/*")))


@pytest.mark.parametrize("run", [deploy_layer, *SOURCE], ids=lambda run: str(run.__name__))
def test_without_a_mistake_it_works(run: Callable[[Script], object], script: Script) -> None:
    assert run(script) is not None
