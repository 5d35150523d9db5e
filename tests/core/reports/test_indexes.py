"""Where the login of each index is: its place is told, and never the login."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.reports.indexes import IndexLogin, logins_of
from lbdart_cdk.tools._logins import NamedIndex, indexes
from tests.support.projects import make_project

PASSWORD = "m4rked"


def login(url: str, name: str = "corp", *, has_user: bool = False) -> str | None:
    (found,) = logins_of([NamedIndex(name, url, has_user)])
    assert PASSWORD not in str(found)
    return found.login


def test_the_place_that_wins_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = "https://pypi.corp.example/simple"
    assert login(url) is None
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine pypi.corp.example login me password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert login(url) == "netrc"
    assert login(f"https://me:{PASSWORD}@pypi.corp.example/simple") == "its URL"
    assert login(url, has_user=True) == "the project's settings"
    monkeypatch.setenv("POETRY_HTTP_BASIC_CORP_PASSWORD", PASSWORD)
    assert login(url) == "the environment (POETRY_HTTP_BASIC_CORP_PASSWORD)"
    monkeypatch.setenv("UV_INDEX_CORP_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_CORP_PASSWORD", PASSWORD)
    assert login(url) == "the environment (UV_INDEX_CORP_USERNAME and UV_INDEX_CORP_PASSWORD)"


def test_the_keyring_is_asked_and_keeps_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keyring.py").write_text(
        "class Login:\n"
        f"    password = {PASSWORD!r}\n"
        "def get_credential(service, user):\n"
        "    return Login() if service == 'pypi.corp.example' else None\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert login("https://pypi.corp.example/simple") == "the keyring"
    assert login("https://other.example/simple") is None
    (tmp_path / "keyring.py").write_text("raise RuntimeError")
    assert login("https://pypi.corp.example/simple") is None


def test_of_an_address_only_the_host_is_told() -> None:
    """Some indexes have a token as the user, and some have one in the path."""
    urls = [
        f"https://{PASSWORD}@pypi.corp.example:8443/simple?token={PASSWORD}",
        f"https://pypi.corp.example/{PASSWORD}/simple",
        f"file:///{PASSWORD}/wheels",
    ]
    assert [found.host for found in logins_of(NamedIndex("corp", url) for url in urls)] == [
        "****@pypi.corp.example:8443",
        "pypi.corp.example",
        "this machine",
    ]
    assert PASSWORD not in repr(NamedIndex("corp", urls[0]))


def test_an_index_that_is_named_twice_is_told_once() -> None:
    twice = NamedIndex("corp", "https://pypi.corp.example/simple")
    assert logins_of([twice, twice]) == [IndexLogin("corp", "pypi.corp.example", None)]


class TestSettings:
    """What names an index: the settings of the project, its requirements files, and variables."""

    def names(self, root: Path, manifest: str = "uv.lock") -> list[tuple[str, str]]:
        return [(index.name, index.url) for index in indexes(Project(root, root / manifest))]

    def test_tables_of_each_tool(self, tmp_path: Path) -> None:
        tables = (
            '[[tool.uv.index]]\nname = "a"\nurl = "https://a.example"\n'
            '[[tool.poetry.source]]\nname = "b"\nurl = "https://b.example"\n'
            '[[tool.pdm.source]]\nname = "c"\nurl = "https://c.example"\nusername = "me"\npassword = "x"\n'
        )
        root = make_project(tmp_path / "orders", tail=tables)
        assert set(self.names(root)) == {(name, f"https://{name}.example") for name in "abc"}
        found = {index.name: index.has_user for index in indexes(Project(root, root / "uv.lock"))}
        assert found == {"a": False, "b": False, "c": True}

    def test_requirements_and_those_that_they_include(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOST", "b.example")
        (tmp_path / "requirements.txt").write_text(
            "# --index-url https://comment.example\n-i https://a.example/simple\n-r more.txt\nsix==1.0\n"
        )
        (tmp_path / "more.txt").write_text(
            "--extra-index-url=https://${HOST}/simple\n-r requirements.txt\n-c gone.txt\n-f wheels\n"
        )
        assert self.names(tmp_path, "requirements.txt") == [
            ("-i", "https://a.example/simple"),
            ("--extra-index-url", "https://b.example/simple"),
        ]

    def test_variables(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UV_INDEX", "corp=https://a.example https://b.example")
        monkeypatch.setenv("PIP_INDEX_URL", "https://c.example")
        assert self.names(tmp_path) == [
            ("corp", "https://a.example"),
            ("UV_INDEX", "https://b.example"),
            ("PIP_INDEX_URL", "https://c.example"),
        ]
