"""What a build sees of the environment, and what of that is an input."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.wheels.environment import BuildEnvironment, for_installer

SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CI_JOB_TOKEN",
    "GITHUB_TOKEN",
    "NPM_TOKEN",
    "PIP_EXTRA_INDEX_URL",
    "POETRY_HTTP_BASIC_TEAM_PASSWORD",
    "UV_INDEX_TEAM_PASSWORD",
)


@pytest.mark.parametrize("name", SECRETS)
def test_passwords_and_tokens_are_not_seen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "m4rked")
    assert "m4rked" not in BuildEnvironment().variables().values()


@pytest.mark.parametrize("name", ["UV_INDEX_TEAM_PASSWORD", "PIP_EXTRA_INDEX_URL", "NETRC"])
def test_the_installer_of_build_requirements_sees_the_logins_of_indexes(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "m4rked")
    assert for_installer(BuildEnvironment().variables())[name] == "m4rked"


@pytest.mark.parametrize("name", ["PATH", "HOME", "HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE", "CC"])
def test_what_differs_between_machines_is_seen_and_is_no_input(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "here")
    assert BuildEnvironment().variables()[name] == "here"
    assert name not in BuildEnvironment().inputs


@pytest.mark.parametrize(
    "name",
    [
        "CMAKE_ARGS",
        "HATCH_BUILD_HOOKS_ENABLE",
        "PBR_VERSION",
        "PDM_BUILD_SCM_VERSION",
        "POETRY_DYNAMIC_VERSIONING_BYPASS",
        "SETUPTOOLS_SCM_PRETEND_VERSION",
        "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_ORDERS",
        "SOURCE_DATE_EPOCH",
    ],
)
def test_what_decides_the_result_is_seen_and_is_an_input(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "2.0")
    assert BuildEnvironment().variables()[name] == "2.0"
    assert BuildEnvironment().inputs[name] == "2.0"


def test_what_the_user_names_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFLAGS", "-O1")
    given = BuildEnvironment({"CFLAGS": "-O3", "TZ": "Europe/Zurich", "ORDERS_EDITION": "pro"})
    assert given.inputs == {"CFLAGS": "-O3", "TZ": "Europe/Zurich", "ORDERS_EDITION": "pro"}
    assert given.inputs.items() <= given.variables().items()


def test_git_looks_for_no_repository_above_the_copy(tmp_path: Path) -> None:
    assert BuildEnvironment().variables(tmp_path)["GIT_CEILING_DIRECTORIES"] == str(tmp_path.resolve())


def test_locale_time_zone_and_date_are_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANG", "LC_ALL", "TZ"):
        monkeypatch.setenv(name, "de_CH.ISO-8859-1")
    variables = BuildEnvironment().variables()
    assert variables["LC_ALL"].endswith("UTF-8")
    assert (variables["TZ"], variables["SOURCE_DATE_EPOCH"]) == ("UTC", "315532800")
    assert "LANG" not in variables
