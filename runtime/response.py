"""The answer to CloudFormation: one JSON document, sent with PUT to a presigned URL.

Source: CloudFormation User Guide, "Custom resource response objects".
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

#: The most bytes of a whole answer that CloudFormation accepts.
MAX_BODY: Final = 4096

_PUT_SECONDS: Final = 5
_PAUSES: Final = (0.5, 1.0, 2.0)
_ELLIPSIS: Final = "..."


class UnansweredError(Exception):
    """CloudFormation did not get the answer, and waits until the service timeout."""


@dataclass(frozen=True)
class Answer:
    """The result of a request.

    :param physical_id: the resource's physical id. When it changes, CloudFormation deletes the old resource.
    :param data: the resource's attributes.
    :param reason: the reason of a failure, in full length.
    """

    status: Literal["SUCCESS", "FAILED"]
    physical_id: str
    data: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def body_of(answer: Answer, event: Mapping[str, Any]) -> bytes:
    """Return the document that answers an event, with the reason cut to fit :data:`MAX_BODY` bytes."""
    document = {
        "Status": answer.status,
        "Reason": "",
        "PhysicalResourceId": answer.physical_id,
        "StackId": str(event.get("StackId", "")),
        "RequestId": str(event.get("RequestId", "")),
        "LogicalResourceId": str(event.get("LogicalResourceId", "")),
        "Data": dict(answer.data),
    }
    remaining = MAX_BODY - len(_encode(document))
    if remaining < 0:
        # Only absurdly long names exceed the limit. Without its attributes, the resource cannot succeed.
        document |= {"Status": "FAILED", "Data": {}}
        remaining = MAX_BODY - len(_encode(document))
        answer = Answer("FAILED", answer.physical_id, reason="The resource's attributes exceed 4096 bytes.")
    return _encode(document | {"Reason": _shorten(answer.reason, remaining)})


def _encode(value: object) -> bytes:
    # UTF-8 has no lone surrogates, which come from undecodable file names, for instance.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _shorten(reason: str, size: int) -> str:
    """Cut the reason to ``size`` bytes of a JSON string, at a whole character."""
    costs = [len(_encode(character)) - 2 for character in reason[: size + 1]]
    if sum(costs) <= size:
        return reason
    size -= len(_ELLIPSIS)
    end = 0
    while end < len(costs) and costs[end] <= size:
        size -= costs[end]
        end += 1
    return reason[:end] + _ELLIPSIS if size >= 0 else ""


class Reply:
    """The one answer to an event, which the first thread to call :meth:`send` gives.

    :param event: the event that Lambda received.
    :raises UnansweredError: when the event has no http or https ``ResponseURL``.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        url = event.get("ResponseURL") if isinstance(event, dict) else None
        # The URL is presigned and therefore a secret: no message may contain it.
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise UnansweredError(
                "The event has no http or https ResponseURL; it does not come from CloudFormation."
            )
        self._event = event
        self._url = url
        self._first = threading.Lock()

    def send(self, answer: Answer) -> bool:
        """Send the answer, with further attempts when the network or S3 fails.

        :return: False when another answer has been sent.
        :raises UnansweredError: when the answer cannot be delivered.
        """
        if not self._first.acquire(blocking=False):
            return False
        body = body_of(answer, self._event)
        for pause in (*_PAUSES, None):
            failure = self._put(body)
            if not failure:
                break
            if pause is None:
                raise UnansweredError(f"CloudFormation's response URL did not accept the answer: {failure}.")
            sleep(pause)
        return True

    def _put(self, body: bytes) -> str:
        """Send the answer once; return the failure, or an empty text after a success."""
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
