"""Read passwords from where they are kept: this machine's keyring, AWS Secrets Manager, AWS CodeArtifact.

The methods of :class:`~lbdart_cdk.core.credentials.value.Credentials` with the same names call these
functions at synth. Each function imports the packages that it needs when it is called.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from ..errors import LbdartError, explained


def from_keyring(index_url: str, username: str | None) -> tuple[str, str]:
    """Return the user and password that the keyring has for a URL, or else for its host."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise LbdartError(
            "The keyring cannot be read: the package keyring is not installed.",
            "Install it: pip install 'lbdart_cdk[keyring]'.",
        ) from None
    host = urlsplit(index_url).netloc.rpartition("@")[2]
    try:
        for service in (index_url, host):
            login = keyring.get_credential(service, username)
            if login is not None and login.password is not None:
                return login.username, login.password
    except KeyringError as error:
        raise LbdartError(
            f"The keyring cannot be read for {host}: {str(error).rstrip('.') or type(error).__name__}.",
            "Unlock it, or install a backend for it (`keyring --list-backends` lists the installed ones).",
        ) from None
    missing = "user" if username is None else f"password of {username!r}"
    raise LbdartError(
        f"The keyring has no {missing} for {host}.",
        f"Store the password with `keyring set {host} {username or 'USERNAME'}`, and pass username=.",
    )


def from_secrets_manager(secret_id: str, username: str | None, region: str | None) -> tuple[str, str]:
    """Return the user and password in a secret: JSON with both, or the password of ``username`` alone."""
    if region is None and secret_id.startswith("arn:"):
        region = ":".join(secret_id.split(":")[3:4]) or None
    with _asking_aws(f"read the secret {secret_id}"):
        import boto3

        answer = boto3.client("secretsmanager", region_name=region).get_secret_value(SecretId=secret_id)
    secret = answer.get("SecretString", "")
    try:
        table = json.loads(secret)
    except ValueError:
        table = None
    if isinstance(table, dict):
        user, password = username or table.get("username"), table.get("password")
    else:
        user, password = username, secret.rstrip("\r\n")  # a file or `echo` adds a line end
    if not isinstance(user, str) or not isinstance(password, str) or not password:
        raise LbdartError(
            f"The secret {secret_id} does not hold a username and a password.",
            'Store {"username": ..., "password": ...} in it, or store the password alone and pass username=.',
        )
    return user, password


def from_codeartifact(
    domain: str, repository: str, domain_owner: str | None, region: str | None
) -> tuple[str, str, str]:
    """Return a repository's URL, user and token (AWS: *Configure and use pip with CodeArtifact*)."""
    owner = {} if domain_owner is None else {"domainOwner": domain_owner}
    with _asking_aws(f"get a token for the CodeArtifact domain {domain}"):
        import boto3

        client = boto3.client("codeartifact", region_name=region)
        token = client.get_authorization_token(domain=domain, **owner)["authorizationToken"]
        endpoint = client.get_repository_endpoint(
            domain=domain, repository=repository, format="pypi", **owner
        )["repositoryEndpoint"]
    return f"{endpoint.rstrip('/')}/simple/", "aws", token


def _asking_aws(action: str) -> AbstractContextManager[None]:
    """Explain why a request to AWS fails in a block."""
    from botocore.exceptions import BotoCoreError, ClientError

    return explained(
        lambda error: LbdartError(
            f"The request to AWS to {action} failed: {str(error).rstrip('.')}.",
            "Check the name, the Region, and that this process's AWS credentials may read it.",
        ),
        *(BotoCoreError, ClientError),
    )
