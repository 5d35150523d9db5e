"""A commit's files come whole, the same on every machine, and nothing of the repository's runs."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.commit import Commit
from lbdart_cdk.core.process import run
from lbdart_cdk.core.wheels import git as git_module
from lbdart_cdk.core.wheels.git import checkout
from tests.support.git import commit_all, git, make_repository
from tests.support.projects import files_in, make_project


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = make_project(tmp_path / "lib", "lib")
    make_repository(root)
    return root


ADD_MODULE = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")


def at(repository: Path, commit: str | None = None) -> Commit:
    return Commit("lib", repository.as_uri(), commit or git(repository, "rev-parse", "HEAD"))


def members(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in files_in(folder).items() if not name.startswith(".git/")}


def refused(commit: Commit, folder: Path) -> LbdartError:
    with pytest.raises(LbdartError) as error:
        checkout(commit, "", folder / "checkout")
    return error.value


class TestCheckout:
    """What an installer's checkout has."""

    def test_it_holds_the_files_of_the_commit(self, repository: Path, tmp_path: Path) -> None:
        before = at(repository)
        expected = members(repository)
        (repository / "later.py").write_text("")
        commit_all(repository)
        assert members(checkout(before, "", tmp_path / "checkout")) == expected

    def test_a_commit_that_no_branch_leads_to_any_more(self, repository: Path, tmp_path: Path) -> None:
        before = at(repository)
        git(repository, "commit", "--quiet", "--amend", "--message", "other")
        assert "pyproject.toml" in members(checkout(before, "", tmp_path / "checkout"))

    def test_a_server_that_gives_only_branches(self, repository: Path, tmp_path: Path) -> None:
        first = at(repository)
        commit_all(repository)
        with Served(repository) as url:
            commit = Commit("lib", url, first.commit)
            assert "pyproject.toml" in members(checkout(commit, "", tmp_path / "checkout"))

    def test_attributes_count_and_the_settings_of_the_user_do_not(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (repository / "text.py").write_bytes(b"one\n$Format:%H$\n")
        (repository / "plain.txt").write_bytes(b"one\n")
        (repository / ".gitattributes").write_text(
            "*.py text eol=crlf export-subst filter=shout\nsrc export-ignore\n"
        )
        commit = at(repository, commit_all(repository))
        plain = members(checkout(commit, "", tmp_path / "one"))
        config = tmp_path / "gitconfig"
        config.write_text('[core]\nautocrlf = true\n[filter "shout"]\nsmudge = tr a-z A-Z\nrequired\n')
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
        assert members(checkout(commit, "", tmp_path / "two")) == plain
        assert plain["text.py"] == b"one\r\n$Format:%H$\r\n"
        assert plain["plain.txt"] == b"one\n"
        assert "src/lib/app.py" in plain

    @pytest.mark.parametrize(("requires", "described"), [('"versions"', "v1.2-1-g"), ("", "")])
    def test_it_has_the_tags_before_it_if_the_build_may_ask_for_them(
        self, repository: Path, tmp_path: Path, requires: str, described: str
    ) -> None:
        git(repository, "tag", "--annotate", "--message", "two", "v1.2")
        (repository / "pyproject.toml").write_text(
            f'[build-system]\nrequires = [{requires}]\nbuild-backend = "flit_core.buildapi"\n'
        )
        folder = checkout(at(repository, commit_all(repository)), "", tmp_path / "checkout")
        found = git(folder, "describe", "--tags", "--dirty", "--always")
        assert found.startswith(described)
        assert not found.endswith("-dirty")

    def test_submodules_of_submodules_are_there(self, repository: Path, tmp_path: Path) -> None:
        for name, inner in (("inner", None), ("outer", "inner")):
            make_repository(tmp_path / name)
            (tmp_path / name / f"{name}.py").write_text("")
            if inner is not None:
                git(tmp_path / name, *ADD_MODULE, (tmp_path / inner).as_uri(), inner)
            commit_all(tmp_path / name)
        git(repository, *ADD_MODULE, "../outer", "vendor/outer")
        git(repository, "config", "--file", ".gitmodules", "submodule.vendor/outer.url", "../outer")
        folder = checkout(at(repository, commit_all(repository)), "", tmp_path / "checkout")
        assert {"vendor/outer/outer.py", "vendor/outer/inner/inner.py"} <= members(folder).keys()


class TestLogin:
    """User and password of an address open it, and are seen nowhere."""

    def test_they_are_in_no_argument_and_no_file(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arguments: list[str] = []

        def noted(command: Sequence[str | Path], **options: Any) -> CompletedProcess[str]:
            arguments.extend(map(str, command))
            return run(command, **options)

        monkeypatch.setattr(git_module, "run", noted)
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.quotepath")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
        with Served(repository, "ci:hunter2") as url:
            commit = Commit("lib", url.replace("//", "//ci:hunter2@"), at(repository).commit)
            assert "pyproject.toml" in members(checkout(commit, "", tmp_path / "checkout"))
        assert not [argument for argument in arguments if "hunter2" in argument]
        assert not [
            name for name, content in files_in(tmp_path / "checkout").items() if b"hunter2" in content
        ]

    @pytest.mark.parametrize("login", ["", "t0k:wrong@", "t0k@"])
    def test_nobody_is_asked_for_them(self, repository: Path, tmp_path: Path, login: str) -> None:
        with Served(repository, "ci:hunter2") as url:
            error = refused(Commit("lib", url.replace("//", f"//{login}"), at(repository).commit), tmp_path)
        assert error.problem.startswith("lib cannot be fetched from http://127.0.0.1:")
        assert "wrong" not in error.problem
        assert "t0k" not in error.problem
        assert error.remedy.startswith("Check the address and the network, and let git log in without")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("git+https://host.invalid/lib.git", "https://host.invalid/lib.git"),
        ("https://token@host.invalid/lib", "https://host.invalid/lib"),
        ("ssh://git@host.invalid:22/lib", "ssh://git@host.invalid:22/lib"),
        ("git@host.invalid:team/lib.git", "ssh://git@host.invalid/team/lib.git"),
        ("ssh://git:hunter2@host.invalid/lib", "ssh://host.invalid/lib"),
    ],
)
def test_addresses(url: str, address: str) -> None:
    assert Commit("lib", url, "a" * 40).address == address


class TestNothingOfTheRepositorysRuns:
    """Neither hooks nor commands, and no address is one."""

    @pytest.mark.parametrize(
        "url",
        [
            "ext::sh -c touch% {mark}",
            "git+ext::touch {mark}",
            "--upload-pack=touch {mark}",
            "http://host.invalid/lib",
            "ssh://-oProxyCommand=touch/lib",
            "ssh://-oProxyCommand=touch@host.invalid/lib",
            "https:///lib",
            "https://host.invalid/lib\nhost=other",
            "C:/lib",
            "/lib",
            "",
        ],
    )
    def test_addresses_that_are_none(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(LbdartError, match=r"^lib comes from .*an address that is not safe"):
            Commit("lib", url.format(mark=tmp_path / "mark"), "a" * 40)

    def test_an_address_that_cannot_be_read(self) -> None:
        with pytest.raises(LbdartError, match="The repository address of lib is invalid"):
            Commit("lib", "ssh://[host/lib", "a" * 40)

    @pytest.mark.parametrize("commit", ["main", "a" * 39, "A" * 40, "--upload-pack=touch", "HEAD", ""])
    def test_commits_that_are_none(self, repository: Path, commit: str) -> None:
        with pytest.raises(LbdartError, match=r"^The lock names .* for lib, which is not the hash"):
            Commit("lib", repository.as_uri(), commit)

    def test_hooks_and_settings_of_the_repository(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hook = f"#!/bin/sh\ntouch {tmp_path}/mark\n"
        for name in ("post-checkout", "reference-transaction", "post-upload-pack", "pre-auto-gc"):
            path = repository / ".git" / "hooks" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(hook)
            path.chmod(0o755)
        git(repository, "config", "uploadpack.packObjectsHook", str(repository / ".git/hooks/post-checkout"))
        git(repository, "config", "core.fsmonitor", str(repository / ".git/hooks/post-checkout"))
        template = tmp_path / "template"
        (template / "hooks").mkdir(parents=True)
        (template / "hooks" / "reference-transaction").write_text(hook)
        (template / "hooks" / "reference-transaction").chmod(0o755)
        monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template))
        checkout(at(repository), "", tmp_path / "checkout")
        assert not (tmp_path / "mark").exists()

    def test_a_synth_inside_of_a_hook_of_another_repository(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tmp_path / "other"
        make_repository(other)
        monkeypatch.setenv("GIT_DIR", str(other / ".git"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
        before = files_in(other)
        assert "pyproject.toml" in members(checkout(at(repository), "", tmp_path / "checkout"))
        assert files_in(other) == before


class TestRefused:
    """One sentence of what is wrong, one of what to do, nothing kept."""

    def test_a_commit_that_is_not_there(self, repository: Path, tmp_path: Path) -> None:
        error = refused(at(repository, "a" * 40), tmp_path)
        assert error.problem.startswith(f"lib is locked to the commit {'a' * 40}, but file://")

    def test_a_tree_in_place_of_a_commit(self, repository: Path, tmp_path: Path) -> None:
        tree = git(repository, "rev-parse", "HEAD^{tree}")
        assert "lib is locked to the commit" in refused(at(repository, tree), tmp_path).problem

    def test_a_repository_that_is_not_there(self, tmp_path: Path) -> None:
        error = refused(Commit("lib", (tmp_path / "nowhere").as_uri(), "a" * 40), tmp_path)
        assert "lib cannot be fetched from file://" in error.problem
        assert "does not appear to be a git repository" in error.problem
        assert error.remedy.startswith("Check the address")

    def test_a_submodule_that_is_not_there(self, repository: Path, tmp_path: Path) -> None:
        make_repository(tmp_path / "other")
        git(repository, *ADD_MODULE, (tmp_path / "other").as_uri(), "vendor/other")
        commit = at(repository, commit_all(repository))
        shutil.rmtree(tmp_path / "other")
        assert "lib cannot be fetched from file://" in refused(commit, tmp_path).problem

    @pytest.mark.parametrize("target", ["/etc/hosts", "../outside"])
    def test_a_link_out_of_the_repository(self, repository: Path, tmp_path: Path, target: str) -> None:
        (repository / "src" / "out").symlink_to(f"../{target}" if target.startswith(".") else target)
        commit = at(repository, commit_all(repository))
        assert "src/out is a link out of the repository" in refused(commit, tmp_path).problem

    def test_git_that_is_not_installed(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit = at(repository)
        monkeypatch.setenv("PATH", "")
        assert refused(commit, tmp_path).problem.startswith(
            "git is not installed, and lib comes from file://"
        )


class Served:
    """A repository over http, as plain files, for those who bring the password (if there is one)."""

    def __init__(self, repository: Path, login: str | None = None) -> None:
        git(repository, "update-server-info")

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                token = base64.b64encode((login or "").encode()).decode()
                if login is not None and self.headers.get("Authorization") != f"Basic {token}":
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    self.end_headers()
                    return
                super().do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(Handler, directory=str(repository / ".git"))
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
