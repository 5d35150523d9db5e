"""Custom resources: an event to a function, and the answer it puts to a URL."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from typing import Any

from integ.local_aws.cloudformation.resource_type import Context, Made, ResourceType
from integ.local_aws.cloudformation.scope import as_text
from integ.local_aws.functions.spec import Result

__all__ = ["CustomResource", "Mailbox", "ResourceError"]

#: "Custom resource response objects" in the CloudFormation user guide.
RESPONSE_LIMIT = 4096
DEFAULT_TIMEOUT = 3600
NO_RESPONSE = (
    "CloudFormation did not receive a response from your custom resource. "
    "Please check your logs for requestId [{}]."
)


class ResourceError(Exception):
    """A resource could not be made, changed or deleted; the text is the status reason."""


class Mailbox:
    """Where the answers arrive. The first one counts, one that nobody waits for any more is dropped."""

    def __init__(self) -> None:
        self._pending: dict[str, Future[bytes]] = {}
        self._lock = threading.Lock()

    def open(self) -> tuple[str, Future[bytes]]:
        """A new address, and the letter that will come."""
        token, letter = uuid.uuid4().hex, Future[bytes]()
        self._pending[token] = letter
        return token, letter

    def post(self, token: str, body: bytes) -> None:
        """Deliver an answer."""
        with self._lock:
            letter = self._pending.pop(token, None)
        if letter:
            letter.set_result(body)

    def close(self, token: str) -> None:
        """Wait no longer."""
        self._pending.pop(token, None)


class CustomResource(ResourceType):
    """``AWS::CloudFormation::CustomResource`` and ``Custom::*``.

    :param start: sends an event to the function of an ARN; its result tells when all attempts are over
    :param url: makes the response URL of a mailbox token
    :param cap: the longest wait in seconds, whatever ``ServiceTimeout`` says
    """

    names = ("AWS::CloudFormation::CustomResource", "Custom::")

    def __init__(
        self,
        start: Callable[[str, bytes], Future[Result]],
        mailbox: Mailbox,
        url: Callable[[str], str],
        cap: float,
        stopping: threading.Event,
    ) -> None:
        self._start = start
        self._mailbox = mailbox
        self._url = url
        self._cap = cap
        self._stopping = stopping

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        """Send ``Create``."""
        return self._made(self._request(at, "Create", new), None, at)

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        """Send ``Update`` with the old properties."""
        if old["ServiceToken"] != new["ServiceToken"]:
            raise ResourceError("Modifying service token is not allowed.")
        answer = self._request(
            at, "Update", new, PhysicalResourceId=physical_id, OldResourceProperties=_as_strings(old)
        )
        return self._made(answer, physical_id, at)

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        """Send ``Delete``."""
        self._request(at, "Delete", old, PhysicalResourceId=physical_id)

    @staticmethod
    def _made(answer: dict[str, Any], physical_id: str | None, at: Context) -> Made:
        named = answer.get("PhysicalResourceId") or physical_id
        if not isinstance(named, str) or len(named.encode()) > 1024:
            raise ResourceError("Invalid PhysicalResourceId")
        at.exists(named)
        return Made(named, dict(answer.get("Data") or {}))

    def _request(self, at: Context, kind: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
        token, letter = self._mailbox.open()
        request_id = str(uuid.uuid4())
        event = {
            "RequestType": kind,
            "ServiceToken": properties["ServiceToken"],
            "ResponseURL": self._url(token),
            "StackId": at.stack_id,
            "RequestId": request_id,
            "LogicalResourceId": at.logical_id,
            "ResourceType": at.type,
            "ResourceProperties": _as_strings(properties),
            **more,
        }
        attempts = self._start(properties["ServiceToken"], json.dumps(event).encode())
        if kind == "Create":
            at.exists(at.name())  # what Delete gets when the function never names one
        seconds = min(float(properties.get("ServiceTimeout", DEFAULT_TIMEOUT)), self._cap)
        try:
            body = self._wait(letter, attempts, seconds)
            # AWS does not care; here the next event then finds the same warm process.
            futures.wait([attempts], timeout=1.0 if body else 0.0)
        finally:
            self._mailbox.close(token)
        if body is None:
            raise ResourceError(NO_RESPONSE.format(request_id))
        answer = _read(body, event)
        if answer["Status"] == "FAILED":
            if named := answer.get("PhysicalResourceId"):
                at.exists(named)
            raise ResourceError(
                "Received response status [FAILED] from custom resource. "
                f"Message returned: {answer.get('Reason')} (RequestId: {request_id})"
            )
        return answer

    def _wait(self, letter: Future[bytes], attempts: Future[Result], seconds: float) -> bytes | None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopping.is_set():
            # AWS waits on after the last attempt has failed; here nothing can come any more.
            over = attempts.done() and (
                attempts.cancelled() or attempts.exception() or attempts.result().error
            )
            try:
                return letter.result(timeout=0.01 if over else 0.05)
            except TimeoutError:
                if over:
                    return None
        return None


def _read(body: bytes, event: dict[str, Any]) -> dict[str, Any]:
    if len(body) > RESPONSE_LIMIT:
        raise ResourceError("Response object is too long.")
    try:
        answer = json.loads(body)
    except ValueError:
        raise ResourceError(
            "Invalid Response object: Value of property Status must be of type String"
        ) from None
    if not isinstance(answer, dict) or answer.get("Status") not in {"SUCCESS", "FAILED"}:
        raise ResourceError("Invalid response status. Status must be SUCCESS or FAILED.")
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        if answer.get(name) != event[name]:
            raise ResourceError(f"Invalid response object: {name} is not that of the request.")
    if not isinstance(answer.get("Data") or {}, dict):
        raise ResourceError("Invalid response object: Data must be an object.")
    return answer


def _as_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_strings(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_as_strings(member) for member in value]
    return as_text(value)
