"""Repeats calls that AWS denies, while a changed policy spreads.

IAM is eventually consistent ("Troubleshoot IAM", IAM User Guide): a permission that CloudFormation has just
given to a role may count seconds or minutes later. So right after a policy change a denial does not mean
that the permission is missing.

A denied call had no effect, so it can be repeated, whatever it does. The handler's clients do that. Scripts
have permissions that did not just change, and their clients do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lbdart_cdk.core.publishing.aws_errors import is_denial
from lbdart_cdk.core.publishing.encryption import REPEATED

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

__all__ = ["Patience"]

_LONGEST_PAUSE: Final = 10.0  # seconds

#: What is asked only to do better than without an answer (:mod:`lbdart_cdk.core.publishing.encryption`).
_NOT_NEEDED: Final = frozenset({"GetBucketEncryption"})


@dataclass
class Patience:
    """The seconds that clients wait, all in all, for calls that AWS denies.

    :param seconds: the seconds from one :meth:`begin` to the next.
    """

    seconds: float
    _left: float = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin with all the seconds again."""
        self._left = self.seconds

    def watch(self, client: BaseClient) -> None:
        """Let a client repeat its denied calls; botocore signs and sends them again after the pause."""
        service = client.meta.service_model.service_id.hyphenize()
        pause: Callable[..., Any] = self._pause
        client.meta.events.register(f"needs-retry.{service}", pause, unique_id="lbdart-denied")

    def _pause(
        self, *, response: Any, operation: Any, attempts: int, request_dict: dict[str, Any], **_: object
    ) -> float | None:
        """Return the seconds to wait before the call is repeated; None when it is not repeated."""
        if request_dict["context"].pop(REPEATED, False):
            return None  # it is, and not because of this
        if response is None or operation.name in _NOT_NEEDED or not is_denial(response[1]):
            return None
        pause = min(2.0 ** (attempts - 1), _LONGEST_PAUSE, self._left)
        if pause <= 0:
            return None
        self._left -= pause
        print(f"AWS denied {operation.name}; policies take time to spread: next attempt in {pause:g} s.")
        return pause
