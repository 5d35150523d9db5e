"""A user and a password are sent to the origin of the index that they are for, and to nobody else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.credentials.lookup import (
    credentials_in,
    credentials_named,
    logins_for,
    refuse_passwords_in,
    refused,
    with_login,
    without_login,
)
from lbdart_cdk.core.credentials.urls import origin_of
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError

TEAM = Credentials("team", "https://index.example/team/simple", "ci", "s3cret")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://index.example/team/files/a.whl", True),
        ("https://index.example:443/elsewhere/a.whl", True),
        ("https://INDEX.example/team/files/a.whl", True),
        ("https://index.example:8443/team/files/a.whl", False),
        ("http://index.example/team/files/a.whl", False),
        ("http://index.example:443/team/files/a.whl", False),
        ("https://index.example.evil.example/team/files/a.whl", False),
        ("https://evil.example/index.example/team/files/a.whl", False),
        ("https://index.example@evil.example/team/files/a.whl", False),
        ("https://sub.index.example/a.whl", False),
        ("https://index.example:port/a.whl", False),
        ("not a URL", False),
    ],
)
def test_they_are_sent_to_the_origin_of_the_index_alone(url: str, sent: bool) -> None:
    assert (("ci", "s3cret") in logins_for(url, [TEAM])) == sent


def test_what_is_no_address_opens_no_other() -> None:
    assert logins_for("nor is this", [TEAM]) == ()


def test_of_two_indexes_at_one_host_the_nearer_one_comes_first() -> None:
    other = Credentials("other", "https://index.example/other/simple", "ci", "other")
    mine, theirs = ("ci", "s3cret"), ("ci", "other")
    for order in ([TEAM, other], [other, TEAM]):
        assert logins_for("https://index.example/other/files/a.whl", order) == (theirs, mine)
        assert logins_for("https://index.example/team/files/a.whl", order) == (mine, theirs)
    assert logins_for("https://index.example/files/a.whl", [TEAM, other]) == (mine, theirs)


ORIGINS = [f"{scheme}://{host}{port}" for scheme in ("https", "http") for host in ("127.0.0.1", "localhost")
           for port in ("", ":80", ":443", ":8443")]  # fmt: skip
places = st.builds("{}/{}".format, st.sampled_from(ORIGINS), st.sampled_from(["", "a/simple", "a/b", "c"]))


@given(places, st.lists(places, max_size=5))
def test_each_login_of_the_origin_may_be_tried_and_none_of_another(url: str, indexes: list[str]) -> None:
    given = [Credentials(f"i{n}", index, "ci", f"{n}") for n, index in enumerate(indexes)]
    expected = {("ci", login.password) for login in given if login.origin == origin_of(url)}
    found = logins_for(url, given)
    assert set(found) == expected
    assert len(found) == len(expected)


def test_a_user_in_the_address_itself_counts() -> None:
    assert logins_for("https://me:p%40ss@index.example/a.whl", []) == (("me", "p@ss"),)
    assert logins_for("https://me:p%40ss@index.example/a.whl", [TEAM])[0] == ("me", "p@ss")


def test_what_is_given_for_the_same_index_comes_first() -> None:
    assert logins_for("https://me:old@index.example/team/simple", [TEAM])[0] == ("ci", "s3cret")
    assert with_login("https://me:old@index.example/team/simple", [TEAM]).startswith("https://ci:s3cret@")


def test_a_user_without_a_password_counts_where_nothing_else_does() -> None:
    assert logins_for("https://token@index.example/a.whl", []) == (("token", ""),)
    assert logins_for("https://token@index.example/a.whl", [TEAM]) == (("ci", "s3cret"),)
    assert with_login("https://token@other.example/simple", [TEAM]) == "https://token@other.example/simple"


def test_a_user_that_http_cannot_send() -> None:
    with pytest.raises(LbdartError, match="contains a colon") as error:
        logins_for("https://index.example/a", [Credentials("team", TEAM.index_url, "me:hunter2", "x")])
    assert "hunter2" not in str(error.value)


@given(st.text(min_size=1), st.text())
def test_any_character_survives_an_address(username: str, password: str) -> None:
    url = f"https://{quote(username, safe='')}:{quote(password, safe='')}@index.example:8443/team/simple/"
    (found,) = credentials_in(f"--index-url '{url}'")
    assert (found.username, found.password) == (username, password)
    assert found.index_url == without_login(url) == "https://index.example:8443/team/simple/"
    assert with_login(found.index_url, [found]) == url


def test_addresses_in_a_list_are_opened_each_for_itself() -> None:
    places = "team=https://index.example/team https://me:own@index.example/b https://other.example/c d"
    assert with_login(places, [TEAM]) == (
        "team=https://ci:s3cret@index.example/team https://me:own@index.example/b https://other.example/c d"
    )
    assert without_login(with_login(places, [TEAM])) == places.replace("me:own@", "")


@pytest.mark.parametrize("prefix", ["UV_INDEX", "POETRY_HTTP_BASIC"])
@pytest.mark.parametrize(("given", "found"), [(("ci", "new"), ("ci", "new")), ((None, "new"), ("", "new"))])
def test_the_variables_of_a_named_index(
    monkeypatch: pytest.MonkeyPatch, prefix: str, given: tuple[str | None, str], found: tuple[str, str]
) -> None:
    for what, value in zip(("USERNAME", "PASSWORD"), given, strict=True):
        if value is not None:
            monkeypatch.setenv(f"{prefix}_MY_TEAM_{what}", value)
    named = credentials_named({"my-team": "https://index.example/simple", "other": "https://other.example"})
    assert [(login.index_name, login.username, login.password) for login in named] == [("my-team", *found)]


class TestAFileThatIsPublished:
    @pytest.mark.parametrize(
        "line",
        [
            "--index-url https://index.example/simple",
            "--index-url https://${USER}:${TOKEN}@index.example/simple",
            "--index-url https://ci:${TOKEN}@index.example/simple",
            "--index-url https://ci@index.example/simple",
            "alpha @ git+ssh://git@host.example/alpha",
            'alpha = { url = "https://host.example:8443/alpha", contact = "a@b.example" }',
            "--hash=sha256:0123 # https://host.example/?mail=a:b@c",
        ],
    )
    def test_may_name_a_user_and_variables(self, line: str) -> None:
        refuse_passwords_in(line.encode(), Path("requirements.txt"))

    @pytest.mark.parametrize(
        "line",
        [
            "--index-url https://ci:hunter2@index.example/simple",
            'url = "https://ci:hunter2@index.example/simple"',
            "alpha @ git+https://ci:hunter2@index.example/alpha",
            "-f https://a.example,https://ci:hunter2@index.example/",
            "-i https://ci@team:hun,ter2@index.example",
            "-i https://ci:hunter2%20x%20y@index.example",
        ],
    )
    def test_may_not_hold_a_password(self, line: str) -> None:
        with pytest.raises(
            LbdartError, match=r"contains a password for index\.example, and is published"
        ) as error:
            refuse_passwords_in(line.encode(), Path("requirements.txt"))
        assert "ter2" not in str(error.value)


def test_what_to_do_follows_from_what_was_given() -> None:
    assert "credentials=" in (refused(401, with_login=False) or "")
    assert refused(401, with_login=True) == refused(403, with_login=True)
    assert refused(404, with_login=True) is refused(403, with_login=False) is None
