"""Who may read a private index: as a URL, as each tool's environment variables, as a file of one's own.

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

from ..errors import LbdartError
from .urls import _parts, is_this_machine, origin_of, utf8


@dataclass(frozen=True)
class Credentials:
    """Username and password for one index; ``index_name`` is the tool's name for it.

    The password is in no repr. Raises :class:`LbdartError` for an address that is not https, unless it
    is one of this machine, for an index name that no tool could have, and for a password that is not there.
    """

    index_name: str
    index_url: str
    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        # What is given is not repeated in a message: it may hold a password.
        for what, text in (("username", self.username), ("password", self.password)):
            if not isinstance(text, str) or not _is_text(text):
                raise LbdartError(
                    f"The {what} for the index {self.index_name!r} is "
                    f"{'not given' if text is None else 'not text'}.",
                    "Check the environment variable or the secret that it comes from.",
                )
        if not isinstance(self.index_name, str) or not re.fullmatch(r"[A-Za-z0-9._-]+", self.index_name):
            raise LbdartError(
                f"The index name {self.index_name!r} is not one that a packaging tool takes.",
                "Use letters, digits, '.', '-' and '_'.",
            )
        parts = _parts(self.index_url) if isinstance(self.index_url, str) else None
        if parts is None:
            raise LbdartError(
                f"The address of the index {self.index_name!r} is not a URL of the web.",
                "Write it as https://host/path/simple.",
            )
        if parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
            raise LbdartError(
                f"The index {self.index_name!r} would be sent its password over http, for anybody to read.",
                "Use its https address.",
            )
        if "@" in parts.netloc:
            raise LbdartError(
                f"The address of the index {self.index_name!r} holds a user or a password.",
                "Take them out of the address: they are username and password of Credentials.",
            )

    @classmethod
    def from_keyring(cls, index_name: str, index_url: str, username: str | None = None) -> Credentials:
        """Take the password from the keyring of this machine, as pip and uv do: by the URL, or by its host.

        It needs ``lbdart_cdk[keyring]``. Without ``username`` the keyring says who the user is, if its
        backend can. Raises :class:`LbdartError` when there is none.
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
        :param region: the secret's. Default: that of its ARN, else boto3's own.
        :raises LbdartError: when it cannot be read, or holds something else.
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
        :param region: the domain's. Default: boto3's own.
        :raises LbdartError: when AWS refuses.
        """
        from .vaults import from_codeartifact

        found = from_codeartifact(domain, repository, domain_owner, region)
        return cls(index_name or repository, *found)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: where the credentials may be sent, and nowhere else."""
        return origin_of(self.index_url)

    @property
    def normalized_index_url(self) -> str:
        """Host, port and path of the index, without scheme, ``/simple`` and slashes at the end."""
        parts = urlsplit(self.index_url)
        return f"{parts.netloc}{parts.path.rstrip('/').removesuffix('/simple').rstrip('/')}"

    @property
    def pip_extra_index_url(self) -> str:
        """The address with the credentials in it, percent-encoded, as pip takes it. A secret."""
        return f"{urlsplit(self.index_url).scheme}://{self.userinfo}@{self.normalized_index_url}/simple/"

    @property
    def userinfo(self) -> str:
        """Username and password as a URL has them, percent-encoded. A secret."""
        return f"{_quoted(self.username)}:{_quoted(self.password)}"

    @property
    def additional_pip_install_args_index_url(self) -> list[str]:
        """Arguments that make it pip's only index. A secret: arguments are seen in the process list."""
        return ["--index-url", self.pip_extra_index_url]

    @property
    def additional_pip_install_args_extra_index_url(self) -> list[str]:
        """Arguments that make it one more index of pip's. A secret."""
        return ["--extra-index-url", self.pip_extra_index_url]

    def poetry_environment(self) -> dict[str, str]:
        """Return the environment variables by which poetry knows the credentials."""
        return self._environment(poetry_variables(self.index_name))

    def uv_environment(self) -> dict[str, str]:
        """Return the environment variables by which uv knows the credentials."""
        return self._environment(uv_variables(self.index_name))

    def _environment(self, names: tuple[str, str]) -> dict[str, str]:
        if "\0" in self.username + self.password:
            raise LbdartError(
                f"Username or password for the index {self.index_name!r} has a null character, which no "
                "environment variable can hold.",
                "Check where they come from: it is probably not text.",
            )
        return dict(zip(names, (self.username, self.password), strict=True))

    def poetry_login(self) -> tuple[str, str]:
        """Set poetry's variables in this process; return their names, so that they can be removed."""
        os.environ.update(self.poetry_environment())
        return poetry_variables(self.index_name)

    def uv_login(self) -> tuple[str, str]:
        """Set uv's variables in this process; return their names, so that they can be removed."""
        os.environ.update(self.uv_environment())
        return uv_variables(self.index_name)

    def dump(self, path: str | Path) -> None:
        """Write them to a JSON file that at no moment anybody but its owner can read.

        Raises :class:`LbdartError` when it cannot be written.
        """
        try:
            self._write(Path(path))
        except OSError as error:
            raise LbdartError(
                f"The credentials file {path} cannot be written: {error.strerror or error}.",
                "Give permission and room in its folder, and see that no other file or folder is in its way.",
            ) from error

    def _write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made with mode 0600 whatever the umask, and not at its final name: a file may be there already.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(asdict(self), file, indent=4)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink()
            raise

    @classmethod
    def load(cls, path: str | Path) -> Credentials:
        """Read what :meth:`dump` wrote; raises :class:`LbdartError` for anything else."""
        try:
            return cls(**json.loads(Path(path).read_bytes()))
        except OSError as error:
            raise LbdartError(
                f"The credentials file {path} cannot be read: {error.strerror}.",
                "Write it with Credentials.dump().",
            ) from None
        except (ValueError, TypeError):
            # From None: what these errors know of the file is its content.
            raise LbdartError(
                f"The file {path} does not hold credentials.", "Write it with Credentials.dump()."
            ) from None


def poetry_variables(index_name: str) -> tuple[str, str]:
    """Return the names of the variables that tell poetry user and password for an index."""
    return _variables("POETRY_HTTP_BASIC", index_name)


def uv_variables(index_name: str) -> tuple[str, str]:
    """Return the names of the variables that tell uv user and password for an index."""
    return _variables("UV_INDEX", index_name)


def _is_text(text: str) -> bool:
    try:
        utf8(text)  # an environment variable need not be UTF-8
    except UnicodeEncodeError:
        return False
    return True


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")


def _variables(prefix: str, index_name: str) -> tuple[str, str]:
    name = re.sub(r"[^A-Za-z0-9]", "_", index_name).upper()
    return f"{prefix}_{name}_USERNAME", f"{prefix}_{name}_PASSWORD"
