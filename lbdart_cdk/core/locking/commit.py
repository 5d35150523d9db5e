"""The commit of a git repository that a lock names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ..credentials.urls import is_this_machine
from ..errors import LbdartError

#: How a repository may be reached (and by http on this machine); ``ext::`` would run a command.
PROTOCOLS: Final = ("https", "ssh", "file", "git")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: ``git@host:path``, as ssh's own tools write an address.
_SCP: Final = re.compile(r"([\w.-]+@[\w.-]+):(?![:/])(.+)")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a repository, which holds the project ``package``; ``url`` may hold a password.

    Raises :class:`LbdartError` for what is no commit, and for an address that is not of
    :data:`PROTOCOLS` or that git would take for an option.
    """

    package: str
    url: str
    commit: str

    def __post_init__(self) -> None:
        if not _COMMIT.fullmatch(self.commit):
            raise LbdartError(
                f"The lock names {self.commit!r} for {self.package}, which is no commit of a git repository.",
                "Make the lock again with the tool it comes from.",
            )
        try:
            parts = self._parts
        except ValueError as error:
            raise LbdartError(
                f"The address of the repository of {self.package} is none: {error}.",
                "Correct it, and lock again.",
            ) from error
        start = f"{parts.username or ''} {parts.hostname or ''}"
        is_known = parts.scheme in PROTOCOLS or (
            parts.scheme == "http" and is_this_machine(parts.hostname or "")
        )
        has_place = parts.scheme == "file" or parts.hostname
        if not is_known or not has_place or not self.url.isprintable() or re.search(r"(^| )-", start):
            raise LbdartError(
                f"{self.package} comes from {self.display!r}, which git is not asked to fetch.",
                f"Use an address of one of the kinds {', '.join(PROTOCOLS)}, and lock again.",
            )

    @property
    def _parts(self) -> SplitResult:
        url = self.url.removeprefix("git+")
        scp = _SCP.fullmatch(url)
        return urlsplit(f"ssh://{scp[1]}/{scp[2]}" if scp is not None else url)

    @property
    def address(self) -> str:
        """The address without a password; on the web without any user, who may be a token."""
        parts = self._parts
        if parts.scheme in ("https", "http") or parts.password is not None:
            parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return parts.geturl()

    @property
    def display(self) -> str:
        """What a message shows."""
        return f"{self.address}@{self.commit[:12]}"

    def login(self, number: int) -> dict[str, str]:
        """Return variables that put the address's user and password back, where no process list shows them.

        ``number`` settings are in the environment already.
        """
        parts = self._parts
        full = parts.geturl()
        if full == self.address:
            return {}
        there = f"{parts.scheme}://{parts.netloc}/"
        return {
            "GIT_CONFIG_COUNT": str(number + 1),
            f"GIT_CONFIG_KEY_{number}": f"url.{there}.insteadOf",
            f"GIT_CONFIG_VALUE_{number}": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/",
        }
