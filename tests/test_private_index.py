"""Packages from an index that demands a password, for each tool: who has it gets them, and nobody else."""

from __future__ import annotations

import os
import shutil
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Stack

from lbdart_cdk import LambdaLayerArtifact
from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.credentials.environment import Given
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.manifest import find_project, tools
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from tests.support.apps import PYTHON_3_13, make_app, template_of
from tests.support.index import Index, redirect
from tests.support.private_index import PASSWORD, SECRETS, USER, PrivateIndex, serving
from tests.support.private_projects import LOCKED_WITH, environment_for, opened
from tests.support.projects import files_in
from tests.support.wheels import make_wheel, names_in, sha256

each_tool = pytest.mark.parametrize("tool", LOCKED_WITH)


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateIndex]:
    folder = tmp_path_factory.mktemp("private")
    make_wheel(folder, "alpha")
    with serving(folder) as index:
        yield index


@pytest.fixture(autouse=True)
def _quick_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)


def locked(tool: str, root: Path, index: PrivateIndex) -> Path:
    (wheel,) = index.folder.glob("alpha-*")
    LOCKED_WITH[tool](root, index, wheel)
    return root


def locked_at(tool: str, root: Path, index: Index) -> Path:
    """Lock for an index that has its files at ``/files/``."""
    locked(tool, root, PrivateIndex(index.folder, index.url))
    for path in root.glob("*lock*"):
        path.write_text(path.read_text().replace("/packages/", "/files/"))
    return root


def layer(root: Path, store: Store, credentials: Given = None) -> LayerArtifact:
    found, tool = find_project(root)
    return LayerArtifact(found, tool, Target((3, 13)), Options(), (), store, credentials)


def team(index: PrivateIndex, password: str = PASSWORD) -> Credentials:
    return Credentials("tests", index.simple, USER, password)


def refused(artifact: LayerArtifact) -> LbdartError:
    """Build what cannot be built; whatever Python may print about it has no password, and nothing is left."""
    with pytest.raises(LbdartError) as error:
        artifact.build()
    shown = "".join(traceback.format_exception(error.value))
    assert not [secret for secret in (*SECRETS, "wr0ng") if secret in shown]
    assert "\n" not in error.value.problem
    assert not list(artifact.store.root.glob("**/*.whl"))
    assert not list(artifact.store.root.glob("tmp/*"))
    return error.value


def test_every_tool_is_here() -> None:
    assert LOCKED_WITH.keys() == tools().keys()


@each_tool
class TestWhereCredentialsComeFrom:
    @pytest.fixture
    def root(self, tool: str, tmp_path: Path, private: PrivateIndex) -> Path:
        return locked(tool, tmp_path / "orders", private)

    def test_they_are_given_and_the_environment_is_restored(
        self, root: Path, store: Store, private: PrivateIndex
    ) -> None:
        before = dict(os.environ)
        built = layer(root, store, team(private)).build()
        assert "python/alpha/__init__.py" in names_in(built)
        assert dict(os.environ) == before

    def test_they_are_given_by_a_function(self, root: Path, store: Store, private: PrivateIndex) -> None:
        assert layer(root, store, lambda: [team(private)]).build().is_file()

    def test_the_environment_has_them(
        self, tool: str, root: Path, store: Store, private: PrivateIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in environment_for(tool, private).items():
            monkeypatch.setenv(name, value)
        assert layer(root, store).build().is_file()

    def test_an_address_in_the_environment_has_them(
        self, root: Path, store: Store, private: PrivateIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", opened(private.simple))
        assert layer(root, store).build().is_file()

    def test_others_may_be_given_beside_them(self, root: Path, store: Store, private: PrivateIndex) -> None:
        other = Credentials("other", "https://127.0.0.1/simple", "ci", "other")
        assert layer(root, store, [other, team(private)]).build().is_file()

    def test_another_index_at_the_host_may_be_given_before_them(
        self, root: Path, store: Store, private: PrivateIndex
    ) -> None:
        """The files are beside the pages of both, so their addresses do not tell whose they are."""
        other = Credentials("other", f"{private.url}/other/simple/", USER, "other")
        assert layer(root, store, [other, team(private)]).build().is_file()


@each_tool
def test_netrc_opens_it_too(
    tool: str, tmp_path: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index.folder, "alpha")
    root = locked_at(tool, tmp_path / "orders", index)
    index.demanded = ("ci", "plain")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ci password plain\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert layer(root, store).build().is_file()


@each_tool
class TestRefused:
    @pytest.fixture
    def root(self, tool: str, tmp_path: Path, private: PrivateIndex) -> Path:
        return locked(tool, tmp_path / "orders", private)

    def test_without_a_password(self, root: Path, store: Store) -> None:
        error = refused(layer(root, store))
        assert "401 Unauthorized" in error.problem
        assert error.remedy.startswith("Pass a user and a password: with netrc")

    def test_with_a_wrong_one_or_without_the_right(
        self, root: Path, store: Store, private: PrivateIndex
    ) -> None:
        error = refused(layer(root, store, team(private, "wr0ng/p:ss")))
        assert "403 Forbidden" in error.problem
        assert error.remedy.startswith("Check the user and the password")

    def test_the_index_is_down(
        self, tool: str, root: Path, store: Store, private: PrivateIndex, tmp_path: Path
    ) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # nobody listens there
            down = f"http://127.0.0.1:{taken.getsockname()[1]}"
            for path in (*root.glob("*.txt"), *root.glob("*.toml"), *root.glob("*.lock")):
                path.write_text(path.read_text().replace(private.url, down))
            elsewhere = PrivateIndex(private.folder, down)
            if tool == "pdm":  # its lock is tied to the addresses in pyproject.toml
                shutil.rmtree(root)
                LOCKED_WITH[tool](root, elsewhere, next(private.folder.glob("*.whl")))
            error = refused(layer(root, store, team(elsewhere)))
        assert "127.0.0.1" in error.problem
        assert "Connect" in error.problem

    def test_the_password_of_another_port_is_not_sent(
        self, root: Path, store: Store, private: PrivateIndex
    ) -> None:
        other = Credentials("other", "http://127.0.0.1:9/simple", USER, PASSWORD)
        assert "401 Unauthorized" in refused(layer(root, store, other)).problem


@each_tool
class TestTwoIndexes:
    """What the lock says comes from the private index does not come from the public one."""

    @pytest.fixture
    def root(
        self, tool: str, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Path]:
        """A project locked when the private index had alpha, which only the public index has now."""
        wheel = make_wheel(index.folder, "alpha")
        folder = tmp_path / "private"
        make_wheel(folder, "alpha")
        if tool != "pip":  # of its file's indexes the first that has a package decides, whatever there is
            monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
            monkeypatch.setenv("UV_INDEX", f"{index.url}/simple/")
        with serving(folder) as private:
            with monkeypatch.context() as patch:
                patch.delenv("UV_INDEX", raising=False)
                root = locked(tool, tmp_path / "orders", private)
            (folder / wheel.name).unlink()
            monkeypatch.setenv("LOCKED_FOR", private.url)
            yield root

    def test_nothing_is_taken_from_the_public_one(self, root: Path, store: Store, index: Index) -> None:
        private = PrivateIndex(root, os.environ["LOCKED_FOR"])
        error = refused(layer(root, store, team(private)))
        assert "alpha" in error.problem
        assert index.requested == []
        assert index.authorizations == []


@each_tool
def test_the_public_index_never_sees_the_password(
    tool: str, tmp_path: Path, store: Store, index: Index, private: PrivateIndex
) -> None:
    """Not even when the private index redirects to it, or it asks for one."""
    make_wheel(index.folder, "alpha")
    with Index(index.folder) as public:
        root = locked_at(tool, tmp_path / "orders", index)
        index.demanded = (USER, PASSWORD)
        index.faults["alpha-1.0-py3-none-any.whl"] = [
            redirect(f"{public.url}/files/alpha-1.0-py3-none-any.whl")
        ]
        given = Credentials("tests", f"{index.url}/simple", USER, PASSWORD)
        assert layer(root, store, given).build().is_file()
        assert public.requested == ["alpha-1.0-py3-none-any.whl"]
        assert set(public.authorizations) == {None}
        assert None not in index.authorizations[-1:]


@each_tool
def test_a_rotated_token_changes_no_hash(
    tool: str, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither build key nor template nor the hashes of the assets in it; nor is anything fetched again."""
    make_wheel(index.folder, "alpha")
    root = locked_at(tool, tmp_path / "orders", index)
    monkeypatch.setenv("LBDART_CACHE_DIR", str(tmp_path / "cache"))
    templates, keys, kept = [], [], []
    for password in (PASSWORD, "rotated"):
        index.demanded = (USER, password)
        index.requested.clear()
        monkeypatch.setenv(
            "PIP_EXTRA_INDEX_URL", f"{index.url}/simple".replace("//", f"//ci:{password[:3]}@")
        )
        given = Credentials("tests", f"{index.url}/simple", USER, password)
        stack = Stack(make_app(tmp_path / password[:3]), "Orders")
        common: dict[str, Any] = {"project": str(root), "runtime": PYTHON_3_13, "credentials": given}
        keys.append(LambdaLayerArtifact(stack, "Deps", **common).build_key)
        templates.append(template_of(stack).to_json())
        kept.append({name for name in files_in(tmp_path / "cache") if not name.startswith("tmp/")})
    assert keys[0] == keys[1]
    assert templates[0] == templates[1]
    assert kept[0] == kept[1]
    assert tool == "pip" or index.requested == []  # requirements without hashes are locked anew


def test_nobody_is_asked_for_credentials_when_the_stack_needs_no_bundling(
    orders: Path, tmp_path: Path
) -> None:
    stack = Stack(make_app(tmp_path / "cdk.out", bundling=False), "Orders")
    LambdaLayerArtifact(
        stack, "Deps", project=str(orders), runtime=PYTHON_3_13, credentials=lambda: pytest.fail("asked")
    )


class TestRequirements:
    """Indexes in a requirements file have no name, and may have variables in their address."""

    @pytest.fixture
    def root(self, tmp_path: Path, private: PrivateIndex) -> Path:
        return locked("pip", tmp_path / "orders", private)

    def write(self, root: Path, *lines: str) -> None:
        (root / "requirements.txt").write_text("\n".join(lines))

    def test_variables_in_the_address(
        self, root: Path, store: Store, private: PrivateIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user, _, password = opened(private.simple).removeprefix("http://").partition("@")[0].partition(":")
        monkeypatch.setenv("TEAM_USER", user)
        monkeypatch.setenv("TEAM_TOKEN", password)
        self.write(root, f"-i {private.simple.replace('//', '//${TEAM_USER}:${TEAM_TOKEN}@')}", "alpha")
        assert layer(root, store).build().is_file()

    def test_variables_in_a_direct_reference_are_not_kept(
        self, root: Path, store: Store, private: PrivateIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (wheel,) = private.folder.glob("alpha-*")
        monkeypatch.setenv("LOGIN", opened("//").strip("/").rstrip("@"))
        url = private.file_url(wheel).replace("//", "//${LOGIN}@")
        self.write(root, f"alpha @ {url}#sha256={sha256(wheel)}")
        for _ in range(2):
            assert layer(root, store).build().is_file()
            for content in files_in(store.root).values():
                assert not [secret for secret in SECRETS if secret.encode() in content]
            shutil.rmtree(store.archive("").parent)
            store.wheel(sha256(wheel)).unlink()

    def test_the_first_index_stays_the_first(
        self, root: Path, store: Store, private: PrivateIndex, index: Index
    ) -> None:
        """What opens the second one must not put it before the first."""
        make_wheel(index.folder, "alpha", "2.0")
        lines = [f"--extra-index-url {index.url}/simple", f"--extra-index-url {private.simple}"]
        for order, version in ((lines, "2.0"), (lines[::-1], "1.0")):
            self.write(root, "--index-url http://127.0.0.1:9/simple", *order, "alpha")
            assert f"python/alpha-{version}.dist-info/METADATA" in names_in(
                layer(root, store, team(private)).build()
            )
        assert set(index.authorizations) == {None}

    def test_a_password_in_the_file_is_refused(self, root: Path, store: Store, private: PrivateIndex) -> None:
        self.write(root, f"--index-url {opened(private.simple)}", "alpha")
        error = refused(layer(root, store))
        assert error.problem.startswith(f"{root}/requirements.txt contains a password for 127.0.0.1:")
