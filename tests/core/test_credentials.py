"""Credentials reach the index they are for, and nobody else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.credentials import Credentials, credentials_for
from lbdart_cdk.core.errors import LbdartError

TEXT = st.text(min_size=1)


def made(
    url: str = "https://index.example/team/simple", name: str = "team", password: str = "s3cret"
) -> Credentials:
    return Credentials(name, url, "ci", password)


def test_the_password_is_in_no_repr() -> None:
    assert "s3cret" not in f"{made()!r} {made()}"


@given(TEXT, TEXT)
def test_any_character_survives_the_url(username: str, password: str) -> None:
    parts = urlsplit(
        Credentials("team", "https://index.example/simple", username, password).pip_extra_index_url
    )
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (username, password)
    assert (parts.hostname, parts.path) == ("index.example", "/simple/")


@pytest.mark.parametrize("end", ["", "/", "/simple", "/simple/"])
def test_an_index_is_the_same_with_and_without_its_ending(end: str) -> None:
    url = made(f"https://index.example:8443/team{end}").pip_extra_index_url
    assert url == "https://ci:s3cret@index.example:8443/team/simple/"


def test_pip_gets_it_as_its_only_index_or_as_one_more() -> None:
    url = made().pip_extra_index_url
    assert made().additional_pip_install_args_index_url == ["--index-url", url]
    assert made().additional_pip_install_args_extra_index_url == ["--extra-index-url", url]


@pytest.mark.parametrize(
    ("tool", "prefix"), [("uv", "UV_INDEX_MY_TEAM_2"), ("poetry", "POETRY_HTTP_BASIC_MY_TEAM_2")]
)
def test_a_login_sets_the_variables_that_the_tool_reads(
    tool: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (f"{prefix}_USERNAME", f"{prefix}_PASSWORD")
    for name in names:
        monkeypatch.setenv(name, "before")
    assert getattr(made(name="my-team.2"), f"{tool}_login")() == names
    assert [os.environ[name] for name in names] == ["ci", "s3cret"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/simple", "http://localhost/simple", "http://[::1]/simple"]
)
def test_http_is_for_this_machine(url: str) -> None:
    assert made(url).pip_extra_index_url.startswith("http://ci:s3cret@")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://index.example/simple", "over http"),
        ("ftp://index.example/simple", "not a URL of the web"),
        ("index.example/simple", "not a URL of the web"),
        ("https://ci:hunter2@index.example/simple", "holds a user or a password"),
    ],
)
def test_an_address_that_will_not_do_is_refused_without_showing_it(url: str, problem: str) -> None:
    with pytest.raises(LbdartError, match=problem) as refused:
        made(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "-team", "team/x"])
def test_a_name_that_no_tool_takes_is_refused(name: str) -> None:
    with pytest.raises(LbdartError, match="index name"):
        made(name=name)


def test_a_file_is_its_owners_alone_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "build" / "credentials.json"
    path.parent.mkdir()
    path.write_text("something that everybody can read")
    made().dump(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Credentials.load(path) == made()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://index.example/team/files/a.whl", True),
        ("https://index.example:443/elsewhere/a.whl", True),
        ("https://index.example:8443/team/files/a.whl", False),
        ("http://index.example/team/files/a.whl", False),
        ("https://index.example.evil.example/team/files/a.whl", False),
        ("https://files.example/a.whl", False),
    ],
)
def test_they_are_sent_to_the_origin_of_the_index_alone(url: str, sent: bool) -> None:
    assert credentials_for(url, [made()]) == (("ci", "s3cret") if sent else None)


def test_of_two_indexes_at_one_host_the_nearer_one() -> None:
    one, two = (
        made("https://index.example/one/simple"),
        made("https://index.example/two/simple", password="other"),
    )
    assert credentials_for("https://index.example/two/files/a.whl", [one, two]) == ("ci", "other")
