"""The answer to CloudFormation: one JSON document, PUT to a presigned URL (CloudFormation User Guide, "Custom
resource response objects").
"""

from __future__ import annotations

import json
import threading
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from time import sleep
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.error import HTTPError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_BODY", "Answer", "Reply", "UnansweredError", "body_of"]

MAX_BODY: Final = 4096
"""Bytes that CloudFormation takes, all included."""

_PUT_SECONDS: Final = 5
_PAUSES: Final = (0.5, 1.0, 2.0)
_CUT: Final = "..."


class UnansweredError(Exception):
    """CloudFormation could not be answered; it would wait for the service timeout."""


@dataclass(frozen=True)
class Answer:
    """What a request came to.

    :param physical_id: the resource's physical id; CloudFormation deletes the one before if it is another.
    :param data: the resource's attributes.
    :param reason: why it failed; not shortened.
    """

    status: Literal["SUCCESS", "FAILED"]
    physical_id: str
    data: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def body_of(answer: Answer, event: Mapping[str, Any]) -> bytes:
    """The document that answers an event, at most :data:`MAX_BODY` bytes; the reason is cut to fit."""
    document = {
        "Status": answer.status,
        "Reason": "",
        "PhysicalResourceId": answer.physical_id,
        "StackId": str(event.get("StackId", "")),
        "RequestId": str(event.get("RequestId", "")),
        "LogicalResourceId": str(event.get("LogicalResourceId", "")),
        "Data": dict(answer.data),
    }
    left = MAX_BODY - len(_encode(document))
    if left < 0:
        # Only absurdly long names come here; their resource must not look as if it had been described.
        document |= {"Status": "FAILED", "Data": {}}
        left = MAX_BODY - len(_encode(document))
        answer = Answer("FAILED", answer.physical_id, reason="The resource's attributes exceed 4096 bytes.")
    return _encode(document | {"Reason": _fitting(answer.reason, left)})


def _encode(value: object) -> bytes:
    # Lone surrogates, of undecodable file names for instance, have no UTF-8.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _fitting(reason: str, size: int) -> str:
    """As much of the reason as encodes to ``size`` bytes inside a JSON string, by whole characters."""
    costs = [len(_encode(character)) - 2 for character in reason[: size + 1]]
    if sum(costs) <= size:
        return reason
    size -= len(_CUT)
    end = 0
    while end < len(costs) and costs[end] <= size:
        size -= costs[end]
        end += 1
    return reason[:end] + _CUT if size >= 0 else ""


class Reply:
    """Answers one event, at most once, from whichever thread comes first.

    :param event: the event as Lambda got it.
    :raises UnansweredError: if the event has no http or https ``ResponseURL``.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        url = event.get("ResponseURL") if isinstance(event, dict) else None
        # The URL is presigned, a secret: no message may hold it.
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise UnansweredError(
                "The event has no http or https ResponseURL; it does not come from CloudFormation."
            )
        self._event = event
        self._url = url
        self._first = threading.Lock()

    def send(self, answer: Answer) -> bool:
        """PUT the answer, trying again when the network or S3 fails; False if another one has been sent.

        :raises UnansweredError: if it cannot be delivered.
        """
        if not self._first.acquire(blocking=False):
            return False
        body = body_of(answer, self._event)
        for pause in (*_PAUSES, None):
            failure = self._put(body)
            if not failure:
                break
            if pause is None:
                raise UnansweredError(f"CloudFormation's response URL did not take the answer: {failure}.")
            sleep(pause)
        return True

    def _put(self, body: bytes) -> str:
        """What went wrong; nothing, if the answer was taken."""
        try:
            # The presigned URL was signed for an empty content type.
            request = urllib.request.Request(self._url, body, {"Content-Type": ""}, method="PUT")
            with urllib.request.urlopen(request, timeout=_PUT_SECONDS):
                return ""
        except HTTPError as error:
            error.close()
            return f"HTTP {error.code}"
        except (OSError, HTTPException, ValueError) as error:
            return type(error).__name__
