"""Credentials from the keyring, Secrets Manager and CodeArtifact."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import boto3
import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.credentials import Credential, SimpleCredential
from keyring.errors import KeyringLocked
from moto import mock_aws

from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError

URL = "https://index.example:8443/team/simple/"
HOST = "index.example:8443"


def refused(error: pytest.ExceptionInfo[LbdartError]) -> str:
    """Return the problem; what is kept anywhere in these tests must not be in it."""
    assert "s3cret" not in str(error.value)
    return error.value.problem


class MemoryKeyring(KeyringBackend):
    """Keeps passwords by service and user, as the backends of operating systems do."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))


class TestKeyring:
    @pytest.fixture(autouse=True)
    def kept(self) -> Iterator[MemoryKeyring]:
        before = keyring.get_keyring()
        memory = MemoryKeyring()
        keyring.set_keyring(memory)
        yield memory
        keyring.set_keyring(before)

    @pytest.mark.parametrize("service", [URL, HOST])
    def test_a_password_is_found_by_the_url_or_the_host(self, service: str) -> None:
        keyring.set_password(service, "ci", "s3cret/ö")
        assert Credentials.from_keyring("team", URL, "ci") == Credentials("team", URL, "ci", "s3cret/ö")

    def test_the_url_is_asked_first(self) -> None:
        keyring.set_password(HOST, "ci", "other")
        keyring.set_password(URL, "ci", "s3cret")
        assert Credentials.from_keyring("team", URL, "ci").password == "s3cret"

    def test_a_backend_may_know_the_user(self) -> None:
        class Helper(MemoryKeyring):
            def get_credential(self, service: str, username: str | None) -> Credential | None:
                return SimpleCredential("token-of-ci", "s3cret") if service == URL else None

        keyring.set_keyring(Helper())
        assert Credentials.from_keyring("team", URL).username == "token-of-ci"

    @pytest.mark.parametrize(
        ("username", "problem"),
        [
            ("ci", f"The keyring has no password of 'ci' for {HOST}."),
            (None, f"The keyring has no user for {HOST}."),
        ],
    )
    def test_none_is_there(self, username: str | None, problem: str) -> None:
        keyring.set_password("https://other.example", "ci", "s3cret")
        with pytest.raises(LbdartError) as error:
            Credentials.from_keyring("team", URL, username)
        assert refused(error) == problem
        assert f"keyring set {HOST}" in error.value.remedy

    def test_a_keyring_that_is_locked(self) -> None:
        class Locked(MemoryKeyring):
            def get_password(self, service: str, username: str) -> str | None:
                raise KeyringLocked("Failed to unlock the collection!")

        keyring.set_keyring(Locked())
        with pytest.raises(LbdartError, match=r"cannot be read for .*: Failed to unlock") as error:
            Credentials.from_keyring("team", URL, "ci")
        assert error.value.remedy.startswith("Unlock it")

    def test_a_machine_without_one(self) -> None:
        keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
        with pytest.raises(LbdartError, match=r"cannot be read for .*: No recommended backend"):
            Credentials.from_keyring("team", URL, "ci")

    def test_the_package_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", None)
        with pytest.raises(LbdartError, match="keyring is not installed") as error:
            Credentials.from_keyring("team", URL, "ci")
        assert error.value.remedy == "Install it: pip install 'lbdart_cdk[keyring]'."


@pytest.fixture
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


@pytest.mark.usefixtures("_aws")
class TestSecretsManager:
    @pytest.fixture(autouse=True)
    def _mocked(self) -> Iterator[None]:
        with mock_aws():
            yield

    def secret(self, value: str, region: str = "eu-central-1") -> str:
        client = boto3.client("secretsmanager", region_name=region)
        return str(client.create_secret(Name="team/index", SecretString=value)["ARN"])

    def test_json_with_both(self) -> None:
        self.secret(json.dumps({"username": "ci", "password": "s3cret/ö", "host": "more"}))
        found = Credentials.from_secrets_manager("team", URL, "team/index", region="eu-central-1")
        assert found == Credentials("team", URL, "ci", "s3cret/ö")

    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_the_password_alone_of_a_user_who_is_named(self, end: str) -> None:
        """As a file or an `echo` has it: with the end of its line."""
        arn = self.secret(f"s3cret{end}")
        found = Credentials.from_secrets_manager("team", URL, arn, username="ci")
        assert found == Credentials("team", URL, "ci", "s3cret")

    @pytest.mark.parametrize(
        "value", ["s3cret", '{"user": "ci", "pass": "s3cret"}', '{"username": "ci", "password": 1}', "[1]"]
    )
    def test_a_secret_that_holds_something_else(self, value: str) -> None:
        arn = self.secret(value)
        with pytest.raises(LbdartError) as error:
            Credentials.from_secrets_manager("team", URL, arn)
        assert refused(error) == f"The secret {arn} does not hold a username and a password."

    def test_a_secret_that_is_not_there(self) -> None:
        with pytest.raises(LbdartError, match=r"request to AWS to read the secret team/index failed: .*find"):
            Credentials.from_secrets_manager("team", URL, "team/index", region="eu-central-1")

    @pytest.mark.parametrize("secret", ["team/index", "arn:aws:zz", "arn:aws:secretsmanager::1:secret:x"])
    def test_no_region_is_known(self, secret: str) -> None:
        with pytest.raises(LbdartError, match=f"read the secret {secret} failed: You must specify a region"):
            Credentials.from_secrets_manager("team", URL, secret)


class CodeArtifact(BaseHTTPRequestHandler):
    """The two operations that are asked for (CodeArtifact API reference); moto has none of them."""

    asked: list[tuple[str, dict[str, list[str]]]]

    def do_POST(self) -> None:
        self.answer("/v1/authorization-token", {"authorizationToken": "s3cret-token", "expiration": 1})

    def do_GET(self) -> None:
        endpoint = "https://team-111122223333.d.codeartifact.eu-west-1.amazonaws.com/pypi/shared/"
        self.answer("/v1/repository/endpoint", {"repositoryEndpoint": endpoint})

    def answer(self, path: str, body: dict[str, object]) -> None:
        asked = urlsplit(self.path)
        assert asked.path == path
        query = parse_qs(asked.query)
        self.asked.append((path, query))
        known = query["domain"] == ["team"]
        data = json.dumps(body if known else {"message": "Domain not found"}).encode()
        self.send_response(200 if known else 404)
        if not known:
            self.send_header("x-amzn-ErrorType", "ResourceNotFoundException")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.mark.usefixtures("_aws")
class TestCodeArtifact:
    @pytest.fixture(autouse=True)
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, list[str]]]]]:
        handler = type("Handler", (CodeArtifact,), {"asked": []})
        server = HTTPServer(("127.0.0.1", 0), handler)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", f"http://127.0.0.1:{server.server_port}")
        yield handler.asked  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()

    def test_a_token_and_the_url_that_it_is_for(self, asked: list[tuple[str, dict[str, list[str]]]]) -> None:
        found = Credentials.from_codeartifact(
            domain="team", domain_owner="111122223333", repository="shared", region="eu-west-1"
        )
        url = "https://team-111122223333.d.codeartifact.eu-west-1.amazonaws.com/pypi/shared/simple/"
        assert found == Credentials("shared", url, "aws", "s3cret-token")
        domain = {"domain": ["team"], "domain-owner": ["111122223333"]}
        assert asked == [
            ("/v1/authorization-token", domain),
            ("/v1/repository/endpoint", {**domain, "repository": ["shared"], "format": ["pypi"]}),
        ]

    def test_the_index_may_have_another_name(self) -> None:
        found = Credentials.from_codeartifact("ours", domain="team", repository="shared", region="eu-west-1")
        assert found.index_name == "ours"

    def test_a_domain_that_is_not_there(self) -> None:
        with pytest.raises(LbdartError, match=r"domain other failed: .*Domain not found") as error:
            Credentials.from_codeartifact(domain="other", repository="shared", region="eu-west-1")
        assert refused(error)
