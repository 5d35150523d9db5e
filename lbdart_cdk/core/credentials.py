"""Who may read a private index, told to each tool in its own way and to nobody else.

Sources: *Package index authentication* (uv), *Configuring credentials* (Poetry), *Authentication* (pip).
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote, urlsplit

from .errors import LbdartError


@dataclass(frozen=True)
class Credentials:
    """Username and password for one index; ``index_name`` is the tool's name for it.

    The password is in no repr. Raises :class:`LbdartError` for an address that is not https, unless it
    is one of this machine, and for an index name that no tool could have.
    """

    index_name: str
    index_url: str
    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.index_url)
        # Not the URL itself in a message: it may hold a password.
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise LbdartError(
                f"The address of the index {self.index_name!r} is not a URL of the web.",
                "Write it as https://host/path/simple.",
            )
        if parts.scheme == "http" and not is_this_machine(parts.hostname):
            raise LbdartError(
                f"The index {self.index_name!r} would be sent its password over http, for anybody to read.",
                "Use its https address.",
            )
        if parts.username is not None or parts.password is not None:
            raise LbdartError(
                f"The address of the index {self.index_name!r} holds a user or a password.",
                "Take them out of the address: they are username and password of Credentials.",
            )
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", self.index_name):
            raise LbdartError(
                f"The index name {self.index_name!r} is not one that a packaging tool takes.",
                "Use letters, digits, '.', '-' and '_'.",
            )

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: where the credentials may be sent, and nowhere else."""
        return _origin(self.index_url)

    @property
    def normalized_index_url(self) -> str:
        """Host, port and path of the index, without scheme, ``/simple`` and slashes at the end."""
        parts = urlsplit(self.index_url)
        return f"{parts.netloc}{parts.path.rstrip('/').removesuffix('/simple').rstrip('/')}"

    @property
    def pip_extra_index_url(self) -> str:
        """The address with the credentials in it, percent-encoded, as pip takes it. A secret."""
        user, password = quote(self.username, safe=""), quote(self.password, safe="")
        return f"{urlsplit(self.index_url).scheme}://{user}:{password}@{self.normalized_index_url}/simple/"

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
        user, password = poetry_variables(self.index_name)
        return {user: self.username, password: self.password}

    def uv_environment(self) -> dict[str, str]:
        """Return the environment variables by which uv knows the credentials."""
        user, password = _variables("UV_INDEX", self.index_name)
        return {user: self.username, password: self.password}

    def poetry_login(self) -> tuple[str, str]:
        """Set poetry's variables in this process; return their names, so that they can be removed."""
        return _set(self.poetry_environment())

    def uv_login(self) -> tuple[str, str]:
        """Set uv's variables in this process; return their names, so that they can be removed."""
        return _set(self.uv_environment())

    def dump(self, path: Path) -> None:
        """Write them to a JSON file that only its owner can read, whatever was there before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file, indent=4)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Credentials:
        """Read what :meth:`dump` wrote."""
        return cls(**json.loads(path.read_text()))


def poetry_variables(index_name: str) -> tuple[str, str]:
    """Return the names of the variables that tell poetry user and password for an index."""
    return _variables("POETRY_HTTP_BASIC", index_name)


def listed(credentials: Credentials | Collection[Credentials] | None) -> tuple[Credentials, ...]:
    """Return one, several or no credentials as a tuple."""
    if credentials is None:
        return ()
    return (credentials,) if isinstance(credentials, Credentials) else tuple(credentials)


@contextmanager
def in_environment(credentials: Collection[Credentials]) -> Iterator[None]:
    """Let the tools that are run inside the block know the credentials; the environment is restored."""
    variables: dict[str, str] = {}
    for each in credentials:
        variables |= each.uv_environment() | each.poetry_environment()
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


def credentials_for(url: str, credentials: Collection[Credentials]) -> tuple[str, str] | None:
    """Return user and password for a URL: those of an index at the same origin, or None.

    Of several at one origin the one whose path the URL shares most of.
    """
    same = [each for each in credentials if each.origin == _origin(url)]
    if not same:
        return None
    path = urlsplit(url).path.split("/")
    best = max(same, key=lambda each: _shared(path, urlsplit(each.index_url).path.split("/")))
    return best.username, best.password


def _shared(one: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def is_this_machine(host: str) -> bool:
    """Tell whether a host is the loopback address: what is sent there nobody else reads."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _variables(prefix: str, index_name: str) -> tuple[str, str]:
    name = re.sub(r"[^A-Za-z0-9]", "_", index_name).upper()
    return f"{prefix}_{name}_USERNAME", f"{prefix}_{name}_PASSWORD"


def _set(variables: dict[str, str]) -> tuple[str, str]:
    os.environ.update(variables)
    user, password = variables
    return user, password
