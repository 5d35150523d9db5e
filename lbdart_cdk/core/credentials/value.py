"""The credentials of a private index: as a URL, as each tool's environment variables, as a private file.

Sources: *Package index authentication* (uv), *Configuring credentials* (Poetry), *Authentication* (pip).
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from ..errors import InvalidError, LbdartError, unreadable
from ..windows import replace_file
from .urls import _parts, is_this_machine, origin_of, utf8


@dataclass(frozen=True)
class Credentials:
    """Username and password for one index.

    The repr does not show the password.

    :param index_name: the tool's name for the index.
    :param index_url: the https URL of the index; http is allowed only on this machine.
    :raises LbdartError: when the URL or the index name is invalid, or the username or password is missing.
    """

    index_name: str
    index_url: str
    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        # Messages do not repeat the values, which may contain a password.
        for name, text in (("username", self.username), ("password", self.password)):
            if not isinstance(text, str) or not _is_text(text):
                raise InvalidError(
                    f"The {name} for the index {self.index_name!r} is "
                    f"{'missing' if text is None else 'not text'}.",
                    "Check the environment variable or the secret that it comes from.",
                )
        if not isinstance(self.index_name, str) or not re.fullmatch(r"[A-Za-z0-9._-]+", self.index_name):
            raise InvalidError(
                f"The index name {self.index_name!r} is not valid in any packaging tool.",
                "Use only letters, digits, '.', '-' and '_'.",
            )
        parts = _parts(self.index_url) if isinstance(self.index_url, str) else None
        if parts is None:
            raise InvalidError(
                f"The URL of the index {self.index_name!r} is not an http or https URL.",
                "Write it as https://host/path/simple.",
            )
        if parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
            raise InvalidError(
                f"The password for the index {self.index_name!r} would go over http, in plain text.",
                "Use the index's https URL.",
            )
        if "@" in parts.netloc:
            raise InvalidError(
                f"The URL of the index {self.index_name!r} contains a user or a password.",
                "Remove them from the URL, and pass them as username and password of Credentials.",
            )

    @classmethod
    def from_keyring(cls, index_name: str, index_url: str, username: str | None = None) -> Credentials:
        """Read the password from this machine's keyring, by URL or by host, as pip and uv do.

        Needs ``lbdart_cdk[keyring]``.

        :param username: default: the user that the keyring names, if its backend can.
        :raises LbdartError: when the keyring cannot be read, or has no password for the index.
        """
        from .vaults import from_keyring

        return cls(index_name, index_url, *from_keyring(index_url, username))

    @classmethod
    def from_secrets_manager(
        cls,
        index_name: str,
        index_url: str,
        secret_id: str,
        *,
        username: str | None = None,
        region: str | None = None,
    ) -> Credentials:
        """Read a secret of AWS Secrets Manager, with the AWS credentials of this process.

        :param secret_id: name or ARN of a secret that holds JSON with ``username`` and ``password``, or,
            with ``username=``, the password alone.
        :param region: the secret's Region. Default: the Region of its ARN, else boto3's own.
        :raises LbdartError: when the secret cannot be read, or holds something else.
        """
        from .vaults import from_secrets_manager

        return cls(index_name, index_url, *from_secrets_manager(secret_id, username, region))

    @classmethod
    def from_codeartifact(
        cls,
        index_name: str | None = None,
        *,
        domain: str,
        repository: str,
        domain_owner: str | None = None,
        region: str | None = None,
    ) -> Credentials:
        """Get a token of AWS CodeArtifact, valid for 12 hours, with the AWS credentials of this process.

        :param index_name: the tool's name for the index. Default: the repository's name.
        :param domain_owner: account number of the domain's owner. Default: the caller's account.
        :param region: the domain's Region. Default: boto3's own.
        :raises LbdartError: when AWS refuses.
        """
        from .vaults import from_codeartifact

        url, username, token = from_codeartifact(domain, repository, domain_owner, region)
        return cls(index_name or repository, url, username, token)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port of the index; the credentials are sent nowhere else."""
        return origin_of(self.index_url)

    @property
    def normalized_index_url(self) -> str:
        """Host, port and path of the index, without the scheme and a final ``/simple`` or slash."""
        parts = urlsplit(self.index_url)
        return f"{parts.netloc}{parts.path.rstrip('/').removesuffix('/simple').rstrip('/')}"

    @property
    def uppercase_index_name(self) -> str:
        """The index name in Poetry's and uv's variables: in upper case, with ``_`` for other characters."""
        return _in_variables(self.index_name)

    @property
    def pip_extra_index_url(self) -> str:
        """The index URL with the percent-encoded user and password, as pip takes it. A secret."""
        return f"{urlsplit(self.index_url).scheme}://{self.userinfo}@{self.normalized_index_url}/simple/"

    @property
    def userinfo(self) -> str:
        """Username and password, percent-encoded for a URL. A secret."""
        return f"{_quote(self.username)}:{_quote(self.password)}"

    @property
    def additional_pip_install_args_index_url(self) -> list[str]:
        """pip's arguments that make this its only index. A secret: the process list shows arguments."""
        return ["--index-url", self.pip_extra_index_url]

    @property
    def additional_pip_install_args_extra_index_url(self) -> list[str]:
        """pip's arguments that add this index. A secret: the process list shows arguments."""
        return ["--extra-index-url", self.pip_extra_index_url]

    def poetry_environment(self) -> dict[str, str]:
        """Return the environment variables that pass the credentials to Poetry."""
        return self._environment(poetry_variables(self.index_name))

    def uv_environment(self) -> dict[str, str]:
        """Return the environment variables that pass the credentials to uv."""
        return self._environment(uv_variables(self.index_name))

    def _environment(self, names: tuple[str, str]) -> dict[str, str]:
        if "\0" in self.username + self.password:
            raise LbdartError(
                f"The username or password for the index {self.index_name!r} contains a null character, "
                "which no environment variable can hold.",
                "Check where they come from; the source is probably not text.",
            )
        return dict(zip(names, (self.username, self.password), strict=True))

    def poetry_login(self) -> tuple[str, str]:
        """Set Poetry's variables in this process; return their names, to remove them later."""
        os.environ.update(self.poetry_environment())
        return poetry_variables(self.index_name)

    def uv_login(self) -> tuple[str, str]:
        """Set uv's variables in this process; return their names, to remove them later."""
        os.environ.update(self.uv_environment())
        return uv_variables(self.index_name)

    def dump(self, path: str | Path) -> None:
        """Write the credentials to a JSON file that nobody but its owner can read at any moment.

        :raises LbdartError: when the file cannot be written.
        """
        try:
            self._write(Path(path))
        except OSError as error:
            raise LbdartError(
                f"The credentials file {path} cannot be written: {error.strerror or error}.",
                "Check the permissions and free space of its directory, and that no directory has its path.",
            ) from error

    def _write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp sets mode 0600 whatever the umask. A file that already exists may have another mode.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                json.dump(asdict(self), file, indent=4)
            replace_file(Path(temporary), path)
        except BaseException:
            Path(temporary).unlink()
            raise

    @classmethod
    def load(cls, path: str | Path) -> Credentials:
        """Read the credentials that :meth:`dump` wrote.

        :raises LbdartError: when the file cannot be read, or does not hold credentials.
        """
        try:
            return cls(**json.loads(Path(path).read_bytes()))
        except OSError as error:
            raise unreadable(
                error,
                f"The credentials file {path} cannot be read: {error.strerror}.",
                "Write it with Credentials.dump().",
            ) from None
        except (ValueError, TypeError):
            # From None: these errors would show the content of the file.
            raise InvalidError(
                f"The file {path} does not hold credentials.", "Write it with Credentials.dump()."
            ) from None


def poetry_variables(index_name: str) -> tuple[str, str]:
    """Return the names of Poetry's variables for the user and password of an index."""
    return _variables("POETRY_HTTP_BASIC", index_name)


def uv_variables(index_name: str) -> tuple[str, str]:
    """Return the names of uv's variables for the user and password of an index."""
    return _variables("UV_INDEX", index_name)


def _is_text(text: str) -> bool:
    try:
        utf8(text)  # an environment variable need not be UTF-8
    except UnicodeEncodeError:
        return False
    return True


def _quote(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")


def _variables(prefix: str, index_name: str) -> tuple[str, str]:
    name = _in_variables(index_name)
    return f"{prefix}_{name}_USERNAME", f"{prefix}_{name}_PASSWORD"


def _in_variables(index_name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", index_name).upper()
