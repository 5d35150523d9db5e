"""Fixtures around one local AWS for all tests of this folder that run in one process."""

from __future__ import annotations

import io
import itertools
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integ.local_aws import LocalAws
from integ.tests.support.deploying import Deployment, bootstrap
from integ.tests.support.projects import Project, go_offline, make_locked_project

#: The Python that the tests run on, so that functions run on it wherever they do.
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"

#: How long the custom resources' handler repeats calls that are denied; a minute on AWS.
DENIED_SECONDS = 3.0

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def local_aws() -> Iterator[LocalAws]:
    """The local AWS. Tests share the account, so they take fresh names.

    It ends with this folder: moto's state belongs to the process, and other tests begin with it anew.
    """
    with LocalAws(service_timeout_cap=20.0, denied_seconds=DENIED_SECONDS) as aws:
        yield aws


@pytest.fixture
def aws(local_aws: LocalAws) -> Iterator[LocalAws]:
    """The local AWS with nothing recorded, and no failure ordered."""
    local_aws.calls.clear()
    local_aws.faults.clear()
    yield local_aws
    local_aws.faults.clear()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"test-{next(_numbers)}"


def zip_of(**files: str) -> bytes:
    """A zip of texts; ``__`` in a name is a slash, and ``.py`` is added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, text in files.items():
            archive.writestr(key.replace("__", "/") + ".py", text)
    return buffer.getvalue()


@pytest.fixture
def make_function(aws: LocalAws, name: str) -> Callable[..., str]:
    """Create a function from the text of its only module, and give its name."""

    def make(code: str, *, suffix: str = "", **more: Any) -> str:
        role = {"Version": "2012-10-17", "Statement": []}
        iam, function = aws.client("iam"), name + suffix
        iam.create_role(RoleName=function, AssumeRolePolicyDocument=str(role).replace("'", '"'))
        aws.client("lambda").create_function(
            FunctionName=function,
            Runtime=more.pop("Runtime", RUNTIME),
            Handler="app.handler",
            Role=f"arn:aws:iam::123456789012:role/{function}",
            Code={"ZipFile": zip_of(app=code)},
            **more,
        )
        return function

    return make


@pytest.fixture(scope="session")
def locked_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project to deploy; locking it costs once, and the tests only copy it."""
    with pytest.MonkeyPatch.context() as patch:
        go_offline(patch, tmp_path_factory.mktemp("home"))
        return make_locked_project(tmp_path_factory.mktemp("locked"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the store is, in a surrounding without network and without the machine's settings."""
    go_offline(monkeypatch, tmp_path)
    return tmp_path / "cache"


@pytest.fixture
def project(locked_project: Project, cache: Path, tmp_path: Path) -> Project:
    """A project of the test's own."""
    return locked_project.copy(tmp_path / "orders")


@pytest.fixture(scope="package")
def _bootstrapped(local_aws: LocalAws) -> None:
    bootstrap(local_aws)


@pytest.fixture
def stack(aws: LocalAws, _bootstrapped: None, name: str, tmp_path: Path) -> Iterator[Deployment]:
    """A stack to deploy."""
    yield (deployment := Deployment(aws, name, tmp_path))
    aws.faults.clear()
    if deployment.created:
        deployment.delete()


@pytest.fixture
def other(aws: LocalAws, _bootstrapped: None, name: str, tmp_path: Path) -> Iterator[Deployment]:
    """Another stack to deploy."""
    (tmp_path / "other").mkdir()
    yield (deployment := Deployment(aws, f"{name}-other", tmp_path / "other"))
    aws.faults.clear()
    if deployment.created:
        deployment.delete()
