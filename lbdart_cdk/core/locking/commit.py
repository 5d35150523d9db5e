"""The commit of a git repository that a lock names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ..credentials.urls import is_this_machine
from ..errors import LbdartError

#: The protocols of a repository's address, besides http on this machine; ``ext::`` would run a command.
PROTOCOLS: Final = ("https", "ssh", "file", "git")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: ``git@host:path``, the address form of ssh's own tools.
_SCP: Final = re.compile(r"([\w.-]+@[\w.-]+):(?![:/])(.+)")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a git repository that contains a package.

    :param package: the name of the package.
    :param url: the address of the repository, which may contain a password.
    :param commit: the full hash of the commit.
    :raises LbdartError: when ``commit`` is not a commit hash, when the protocol of ``url`` is not in
        :data:`PROTOCOLS`, or when git would take ``url`` for an option.
    """

    package: str
    url: str
    commit: str

    def __post_init__(self) -> None:
        if not _COMMIT.fullmatch(self.commit):
            raise LbdartError(
                f"The lock names {self.commit!r} for {self.package}, which is not the hash of a git commit.",
                "Make the lock again with the tool it comes from.",
            )
        try:
            parts = self._parts
        except ValueError as error:
            raise LbdartError(
                f"The repository address of {self.package} is invalid: {error}.",
                "Correct the address, and lock again.",
            ) from error
        user_and_host = f"{parts.username or ''} {parts.hostname or ''}"
        is_allowed = parts.scheme in PROTOCOLS or (
            parts.scheme == "http" and is_this_machine(parts.hostname or "")
        )
        has_location = parts.scheme == "file" or parts.hostname
        looks_like_option = re.search(r"(^| )-", user_and_host)
        if not is_allowed or not has_location or not self.url.isprintable() or looks_like_option:
            raise LbdartError(
                f"{self.package} comes from {self.display!r}, an address that is not safe to fetch with git.",
                f"Use an address with one of the protocols {', '.join(PROTOCOLS)}, and lock again.",
            )

    @property
    def _parts(self) -> SplitResult:
        url = self.url.removeprefix("git+")
        scp = _SCP.fullmatch(url)
        return urlsplit(f"ssh://{scp[1]}/{scp[2]}" if scp is not None else url)

    @property
    def address(self) -> str:
        """The address without the password, and for http and https without the user, which may be a token."""
        parts = self._parts
        if parts.scheme in ("https", "http") or parts.password is not None:
            parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return parts.geturl()

    @property
    def display(self) -> str:
        """The address and the start of the hash, for messages."""
        return f"{self.address}@{self.commit[:12]}"

    def login(self, number: int) -> dict[str, str]:
        """Return variables that give git the user and password; the process list does not show variables.

        :param number: how many ``GIT_CONFIG_KEY_*`` settings the environment already has.
        """
        parts = self._parts
        full = parts.geturl()
        if full == self.address:
            return {}
        with_login = f"{parts.scheme}://{parts.netloc}/"
        return {
            "GIT_CONFIG_COUNT": str(number + 1),
            f"GIT_CONFIG_KEY_{number}": f"url.{with_login}.insteadOf",
            f"GIT_CONFIG_VALUE_{number}": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/",
        }
