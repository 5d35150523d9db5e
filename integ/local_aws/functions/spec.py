"""What a function is, as far as running it goes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from integ.local_aws.functions.archives import Archive

__all__ = ["FunctionSpec", "Result"]


@dataclass(frozen=True)
class FunctionSpec:
    """Everything that a function's process depends on; two equal specs may share a warm process.

    ``log_group`` is what ``LoggingConfig`` names, else ``/aws/lambda/NAME``.
    """

    name: str
    arn: str
    version: str
    runtime: str
    handler: str
    timeout: int
    memory: int
    variables: tuple[tuple[str, str], ...]
    code: Archive
    layers: tuple[Archive, ...]
    log_group: str


@dataclass(frozen=True)
class Result:
    """The answer to one invocation.

    ``error`` tells whether the payload is an error that Lambda reports as ``FunctionError: Unhandled``.
    ``log`` is what the function wrote while it ran.
    """

    payload: bytes
    error: bool = False
    log: str = ""

    @classmethod
    def failed(cls, error_type: str, message: str, log: str = "") -> Result:
        """The payload that Lambda itself makes when the runtime could not answer."""
        return cls(json.dumps({"errorType": error_type, "errorMessage": message}).encode(), True, log)
