"""Credentials in each form that a tool takes; none of them shows the password to anybody else."""

from __future__ import annotations

import json
import os
import stat
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.credentials.environment import in_environment, known, listed
from lbdart_cdk.core.credentials.value import Credentials, poetry_variables, uv_variables
from lbdart_cdk.core.errors import LbdartError

TEXT = st.text()
#: What an environment variable can hold.
VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
NAME = st.text("ABCXYZabcxyz019._-", min_size=1)


def made(
    url: str = "https://index.example/team/simple", name: str = "team", password: str = "s3cret"
) -> Credentials:
    return Credentials(name, url, "ci", password)


class TestUrl:
    @given(TEXT, TEXT)
    def test_any_character_survives(self, username: str, password: str) -> None:
        made = Credentials("team", "https://index.example/simple", username, password)
        parts = urlsplit(made.pip_extra_index_url)
        assert (unquote(parts.username or ""), unquote(parts.password or "")) == (username, password)
        assert (parts.scheme, parts.hostname, parts.path) == ("https", "index.example", "/simple/")

    @pytest.mark.parametrize("end", ["", "/", "//", "/simple", "/simple/"])
    @pytest.mark.parametrize("host", ["index.example", "index.example:8443", "[2001:db8::1]:8443"])
    def test_an_index_is_the_same_with_and_without_its_ending(self, host: str, end: str) -> None:
        url = made(f"https://{host}/team{end}").pip_extra_index_url
        assert url == f"https://ci:s3cret@{host}/team/simple/"

    def test_pip_gets_it_as_its_only_index_or_as_one_more(self) -> None:
        url = made().pip_extra_index_url
        assert made().additional_pip_install_args_index_url == ["--index-url", url]
        assert made().additional_pip_install_args_extra_index_url == ["--extra-index-url", url]

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:8080/simple",
            "http://127.9.9.9/simple",
            "http://localhost/simple",
            "http://LocalHost/simple",
            "http://[::1]/simple",
        ],
    )
    def test_http_is_for_this_machine(self, url: str) -> None:
        assert made(url).pip_extra_index_url.startswith("http://ci:s3cret@")


class TestRefused:
    """With one message, in which there is nothing of what may be a password."""

    def refused(self, **given: Any) -> str:
        fields = {
            "index_name": "team",
            "index_url": "https://index.example",
            "username": "ci",
            "password": "x",
        }
        with pytest.raises(LbdartError) as refused:
            Credentials(**(fields | given))
        shown = "".join(traceback.format_exception(refused.value))
        assert "hunter2" not in shown
        assert refused.value.__cause__ is None
        return refused.value.problem

    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("http://index.example/hunter2/simple", "over http"),
            ("http://localhost.example/simple", "over http"),
            ("http://128.0.0.1/simple", "over http"),
            ("ftp://index.example/hunter2/simple", "not an http or https URL"),
            ("index.example/hunter2/simple", "not an http or https URL"),
            ("https:///hunter2", "not an http or https URL"),
            ("https://index.example:hunter2/simple", "not an http or https URL"),
            ("https://index.example:99999/simple", "not an http or https URL"),
            ("https://[hunter2/simple", "not an http or https URL"),
            ("https://ci:hunter2@index.example/simple", "contains a user or a password"),
            ("https://@index.example/simple", "contains a user or a password"),
        ],
    )
    def test_an_address_that_will_not_do(self, url: str, problem: str) -> None:
        assert problem in self.refused(index_url=url)

    @pytest.mark.parametrize("url", [None, 5, b"https://index.example/hunter2"])
    def test_an_address_that_is_none(self, url: object) -> None:
        assert "not an http or https URL" in self.refused(index_url=url)

    @pytest.mark.parametrize("name", ["", "a b", "team/x", "équipe", "team\n", None, 5])
    def test_a_name_that_no_tool_takes(self, name: object) -> None:
        assert "index name" in self.refused(index_name=name)

    @pytest.mark.parametrize("field", ["username", "password"])
    @pytest.mark.parametrize(
        ("value", "why"), [(None, "missing"), (b"hunter2", "not text"), ("hunter2\ud800", "not text")]
    )
    def test_a_value_that_is_none(self, field: str, value: object, why: str) -> None:
        assert self.refused(**{field: value}) == f"The {field} for the index 'team' is {why}."

    def test_a_null_character_where_it_would_go_into_a_variable(self) -> None:
        with pytest.raises(LbdartError, match="null character") as refused:
            made(password="hunter2\0").uv_login()
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("shown", [repr, str, lambda made: repr([made]), lambda made: f"{Exception(made)!r}"])
def test_the_password_is_in_no_repr(shown: Callable[[Credentials], str]) -> None:
    assert "s3cret" not in shown(made())


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def _restored(self) -> Iterator[None]:
        before = {**os.environ}
        yield
        del before["PYTEST_CURRENT_TEST"]
        assert {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"} == before

    @pytest.mark.parametrize(
        ("tool", "prefix"), [("uv", "UV_INDEX_MY_TEAM_2"), ("poetry", "POETRY_HTTP_BASIC_MY_TEAM_2")]
    )
    def test_a_login_sets_the_variables_that_the_tool_reads(
        self, tool: str, prefix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = (f"{prefix}_USERNAME", f"{prefix}_PASSWORD")
        with monkeypatch.context() as patch:
            for name in names:
                patch.setenv(name, "before")
            assert getattr(made(name="my-team.2"), f"{tool}_login")() == names
            assert [os.environ[name] for name in names] == ["ci", "s3cret"]

    @given(NAME, VALUE, VALUE)
    def test_any_name_and_any_value_arrive(self, name: str, username: str, password: str) -> None:
        with in_environment([Credentials(name, "https://index.example", username, password)]):
            for variables in (uv_variables(name), poetry_variables(name)):
                assert tuple(os.environ[variable] for variable in variables) == (username, password)

    def test_several_indexes_at_once(self) -> None:
        both = (made(name="one"), made(name="two", password="other"))
        with in_environment(both):
            assert os.environ["UV_INDEX_ONE_PASSWORD"] == "s3cret"
            assert os.environ["UV_INDEX_TWO_PASSWORD"] == "other"
            assert known() == both
        assert known() == ()

    @pytest.mark.parametrize("ended", [KeyboardInterrupt, SystemExit, ValueError])
    def test_it_is_restored_however_the_block_ends(
        self, ended: type[BaseException], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setenv("UV_INDEX_TEAM_PASSWORD", "before")
            with pytest.raises(ended), in_environment([made()]):
                raise ended
            assert os.environ["UV_INDEX_TEAM_PASSWORD"] == "before"
            assert "UV_INDEX_TEAM_USERNAME" not in os.environ
            assert "POETRY_HTTP_BASIC_TEAM_PASSWORD" not in os.environ


class TestFile:
    @given(TEXT, TEXT)
    def test_any_character_reads_back(self, username: str, password: str) -> None:
        path = Path(os.environ["HOME"], "credentials.json")
        written = Credentials("team", "https://index.example", username, password)
        written.dump(path)
        assert Credentials.load(path) == written

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
    def test_it_is_its_owners_alone_at_every_moment(
        self, tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "build" / "credentials.json"
        path.parent.mkdir()
        path.write_text("something that everybody can read")
        modes: list[int] = []

        def dump(*given: Any, **options: Any) -> None:
            modes.extend(stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir() if file != path)
            original(*given, **options)
            modes.extend(stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir() if file != path)

        original = json.dump
        monkeypatch.setattr(json, "dump", dump)
        before = os.umask(umask)
        try:
            made().dump(path)
        finally:
            os.umask(before)
        assert modes == [0o600, 0o600]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert Credentials.load(path) == made()
        assert list(path.parent.iterdir()) == [path]

    def test_a_dump_that_fails_leaves_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "credentials.json").mkdir()
        with pytest.raises(LbdartError, match=r"credentials\.json cannot be written: Is a directory"):
            made().dump(tmp_path / "credentials.json")
        assert [path.name for path in tmp_path.iterdir()] == ["credentials.json"]

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "build").write_text("")
        with pytest.raises(LbdartError, match=r"build/credentials\.json cannot be written: "):
            made().dump(tmp_path / "build/credentials.json")

    def test_its_path_may_be_text(self, tmp_path: Path) -> None:
        made().dump(f"{tmp_path}/build/credentials.json")
        assert Credentials.load(f"{tmp_path}/build/credentials.json") == made()

    def test_a_link_at_its_place_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").write_text("kept")
        (tmp_path / "credentials.json").symlink_to(tmp_path / "elsewhere")
        made().dump(tmp_path / "credentials.json")
        assert (tmp_path / "elsewhere").read_text() == "kept"

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", '"hunter2"', '{"password": "hunter2"}', '{"hunter2": 1}', "\udcff"]
    )
    def test_another_file_is_refused_without_showing_it(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "credentials.json"
        path.write_bytes(content.encode(errors="surrogateescape"))
        with pytest.raises(LbdartError, match="does not hold credentials") as refused:
            Credentials.load(path)
        assert "hunter2" not in "".join(traceback.format_exception(refused.value))

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(LbdartError, match=r"credentials\.json cannot be read: No such file"):
            Credentials.load(tmp_path / "credentials.json")


class TestGiven:
    def test_none_one_or_several(self) -> None:
        assert listed(None) == listed([]) == ()
        assert listed(made()) == listed([made()]) == (made(),)

    def test_a_function_is_called_once(self) -> None:
        calls = []

        def ask() -> list[Credentials]:
            calls.append(1)
            return [made()]

        assert listed(ask) == listed(ask) == (made(),)
        assert calls == [1]

    def test_a_function_that_failed_is_called_again(self) -> None:
        answers: list[Any] = [LbdartError("No.", "Wait."), made()]

        def ask() -> Credentials:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return made()

        with pytest.raises(LbdartError, match="No"):
            listed(ask)
        assert listed(ask) == (made(),)

    @pytest.mark.parametrize("other", ["my.team", "MY_TEAM", "my-team"])
    def test_two_indexes_that_would_share_their_variables_are_refused(self, other: str) -> None:
        with pytest.raises(LbdartError, match=r"cannot tell the indexes 'my-team' and .* apart") as refused:
            listed([made(name="my-team"), made("https://other.example", other, "hunter2")])
        assert "UV_INDEX_MY_TEAM_PASSWORD" in refused.value.problem
        assert "hunter2" not in str(refused.value)

    def test_the_same_twice_is_no_contradiction(self) -> None:
        assert listed([made(), made()]) == (made(), made())
