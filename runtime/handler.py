"""The entry point of the custom resources' Lambda function, ``runtime.handler.handle``.

CloudFormation sends each event at least once. It rolls back by sending the old properties as an Update, and
deletes a resource that it failed to create. The handler always answers with SUCCESS or FAILED, because a
stack waits for a missing answer until the service timeout.
"""

from __future__ import annotations

import sys
import threading
import traceback
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from lbdart_cdk.core.errors import LbdartError

from .clients import Clients
from .resources import RESOURCE_TYPES
from .response import Answer, Reply, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .resources import Resource

__all__ = ["handle"]

#: The seconds before the function's timeout, but at most a quarter of it, when the guard answers FAILED.
_GUARD_SECONDS: Final = 10

#: The prefix of the physical id of a resource that was not created. No layer name or S3 URI has this prefix.
_NOT_CREATED: Final = "lbdart:not-created:"


class LambdaContext(Protocol):
    """The part of Lambda's context object that the handler uses."""

    aws_request_id: str
    log_stream_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda kills the process."""


def handle(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Carry out one request of CloudFormation and answer it.

    :raises UnansweredError: when the event has no response URL or the URL does not accept the answer. Lambda
        then delivers the event again, which does no harm.
    """
    reply = Reply(event)
    print(*(event.get(key) for key in ("RequestType", "ResourceType", "LogicalResourceId", "RequestId")))
    with _time_guard(reply, event, context):
        try:
            answer = _carry_out(event)
        except LbdartError as error:
            answer = _failed(event, str(error))
        except Exception as error:
            traceback.print_exc(file=sys.stdout)
            answer = _failed(
                event,
                f"The custom resource's handler failed (request {context.aws_request_id}, log stream "
                f"{context.log_stream_name}): {type(error).__name__}: {error}",
            )
        print(f"{answer.status} {answer.physical_id} {answer.reason}".strip())
        if not reply.send(answer):
            print("CloudFormation already has the answer that the time ran out.")


def _carry_out(event: Mapping[str, Any]) -> Answer:
    if event.get("RequestType") == "Delete":
        return _delete(event)
    if event.get("RequestType") not in {"Create", "Update"}:
        raise LbdartError(
            f"CloudFormation does not have the request type {event.get('RequestType')}.",
            "Send Create, Update or Delete.",
        )
    resource = _resource_of(event)
    old_properties = event.get("OldResourceProperties") if event["RequestType"] == "Update" else None
    return Answer("SUCCESS", resource.physical_id, resource.deploy(_clients().begin(), old_properties))


def _delete(event: Mapping[str, Any]) -> Answer:
    """Remove a resource whose removal policy is ``destroy``; any other request succeeds without effect."""
    physical_id = str(event.get("PhysicalResourceId"))
    try:
        resource = _resource_of(event)
    except LbdartError as error:
        # A resource with such properties was never created, and the stack must be able to delete it.
        print(f"Nothing to delete: {error}")
    else:
        if resource.removal_policy == "destroy" and resource.physical_id == physical_id:
            resource.destroy(_clients().begin())
    return Answer("SUCCESS", physical_id)


def _resource_of(event: Mapping[str, Any]) -> Resource:
    resource_type = RESOURCE_TYPES.get(str(event.get("ResourceType")))
    properties = event.get("ResourceProperties")
    stack, name = event.get("StackId"), event.get("LogicalResourceId")
    if resource_type is None or not isinstance(properties, dict) or not (stack and name):
        raise LbdartError(
            f"The handler does not know the type {event.get('ResourceType')}, or the event is incomplete.",
            f"Declare {' or '.join(RESOURCE_TYPES)} through this library's constructs.",
        )
    # A stack's id, unlike its name, is unique: a stack that is deleted and created again is another owner.
    return resource_type.parse(properties, owner=f"{stack}/{name}")


def _failed(event: Mapping[str, Any], reason: str) -> Answer:
    """Return FAILED with a physical id for which CloudFormation deletes nothing that is in use."""
    existing = event.get("PhysicalResourceId")
    physical_id = str(existing) if existing else f"{_NOT_CREATED}{event.get('LogicalResourceId')}"
    return Answer("FAILED", physical_id, reason=reason)


@contextmanager
def _time_guard(reply: Reply, event: Mapping[str, Any], context: LambdaContext) -> Iterator[None]:
    """Answer FAILED shortly before Lambda kills the process."""
    seconds = context.get_remaining_time_in_millis() / 1000
    seconds -= min(_GUARD_SECONDS, seconds / 4)
    reason = (
        f"The custom resource's handler ran out of time (request {context.aws_request_id}, log stream "
        f"{context.log_stream_name}).\nDeploy again; finished steps are not repeated."
    )
    timer = threading.Timer(seconds, _send_timeout, [reply, _failed(event, reason)])
    timer.start()
    try:
        yield
    finally:
        # Lambda would freeze a running thread with the process and resume it during the next request.
        timer.cancel()
        timer.join()


def _send_timeout(reply: Reply, answer: Answer) -> None:
    print(f"{answer.status} {answer.physical_id} {answer.reason}")
    try:
        reply.send(answer)
    except UnansweredError as error:
        print(error)


@cache
def _clients() -> Clients:
    return Clients.create()
