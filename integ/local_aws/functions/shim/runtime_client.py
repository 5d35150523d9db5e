"""Pure-Python stand-in for the native module of the same name that awslambdaric brings.

The native one is built for a single Python; this one lets awslambdaric run on any. It has the same four
functions, and is imported inside the function's process: nothing here is newer than Python 3.8.
"""

from __future__ import annotations

import http.client
import os
from typing import Any, Mapping  # noqa: UP035

_BASE = "/2018-06-01/runtime/invocation/"


def initialize_client(user_agent: str) -> None:
    """Nothing to prepare."""


def next() -> tuple[bytes, dict[str, Any]]:  # noqa: A001
    """Wait for an invocation: its payload, and the headers that describe it."""
    headers, body = _call("GET", _BASE + "next")
    answer: dict[str, Any] = dict(headers)
    answer["Lambda-Runtime-Deadline-Ms"] = int(answer["Lambda-Runtime-Deadline-Ms"])
    return body, answer


def post_invocation_result(
    invoke_id: str, content: bytes, content_type: str, invocation_id: str | None = None
) -> None:
    """Answer an invocation."""
    _call("POST", _BASE + invoke_id + "/response", content, {"Content-Type": content_type})


def post_error(
    invoke_id: str, error_response_data: str, xray_fault: str, invocation_id: str | None = None
) -> None:
    """Answer an invocation with an error."""
    _call("POST", _BASE + invoke_id + "/error", error_response_data.encode("utf-8"))


def _call(
    method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[Mapping[str, str], bytes]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return dict(response.getheaders()), response.read()
    finally:
        connection.close()
