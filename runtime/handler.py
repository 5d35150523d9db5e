"""Entry point of the custom resources' Lambda function, ``runtime.handler.handle``.

CloudFormation sends each event at least once, goes back by sending the old properties as an Update, and
deletes what it failed to create. A request is answered with SUCCESS or FAILED whatever happens, for a request
without an answer holds up its stack until the service timeout.
"""

from __future__ import annotations

import sys
import threading
import traceback
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3
from botocore.config import Config

from lbdart_cdk.core.errors import LbdartError

from .resources import RESOURCE_TYPES, Clients
from .response import Answer, Reply, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .resources import Resource

__all__ = ["handle"]

_GUARD_SECONDS: Final = 10
"""What is left of the function's time, but at most a quarter of it, when it says that the time is up."""

_NOT_CREATED: Final = "lbdart:not-created:"
"""Begins the physical id of what could not be created; neither a layer name nor an S3 URI begins so."""


class LambdaContext(Protocol):
    """The part of Lambda's context object that is used here."""

    aws_request_id: str
    log_stream_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda kills the process."""


def handle(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Carry out one request of CloudFormation and answer it.

    :raises UnansweredError: if there is nobody to answer, or the answer is not taken; Lambda then delivers
        the event again, which does no harm.
    """
    reply = Reply(event)
    print(*(event.get(key) for key in ("RequestType", "ResourceType", "LogicalResourceId", "RequestId")))
    with _guarded(reply, event, context):
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
            print("CloudFormation had been told before that the time was up.")


def _carry_out(event: Mapping[str, Any]) -> Answer:
    if event.get("RequestType") == "Delete":
        return _delete(event)
    if event.get("RequestType") not in {"Create", "Update"}:
        raise LbdartError(
            f"The request type {event.get('RequestType')} is none of CloudFormation's.",
            "Send Create, Update or Delete.",
        )
    resource = _resource_of(event)
    before = event.get("OldResourceProperties") if event["RequestType"] == "Update" else None
    return Answer("SUCCESS", resource.physical_id, resource.deploy(_clients(), before))


def _delete(event: Mapping[str, Any]) -> Answer:
    """Remove a resource that chose so; whatever else is asked to be deleted is left alone, with success."""
    physical_id = str(event.get("PhysicalResourceId"))
    try:
        resource = _resource_of(event)
    except LbdartError as error:
        # What has such properties was never created, and its stack must get rid of it.
        print(f"Nothing to delete: {error}")
    else:
        if resource.removal_policy == "destroy" and resource.physical_id == physical_id:
            resource.destroy(_clients())
    return Answer("SUCCESS", physical_id)


def _resource_of(event: Mapping[str, Any]) -> Resource:
    resource_type = RESOURCE_TYPES.get(str(event.get("ResourceType")))
    properties = event.get("ResourceProperties")
    stack, name = event.get("StackId"), event.get("LogicalResourceId")
    if resource_type is None or not isinstance(properties, dict) or not (stack and name):
        raise LbdartError(
            f"This handler does not know {event.get('ResourceType')}, or the event is incomplete.",
            f"Declare {' or '.join(RESOURCE_TYPES)} through this library's constructs.",
        )
    # Unlike its name, a stack's id is its own: a stack that is deleted and created again is another owner.
    return resource_type.parse(properties, owner=f"{stack}/{name}")


def _failed(event: Mapping[str, Any], reason: str) -> Answer:
    """FAILED, under a physical id that makes CloudFormation delete nothing that is in use."""
    existing = event.get("PhysicalResourceId")
    physical_id = str(existing) if existing else f"{_NOT_CREATED}{event.get('LogicalResourceId')}"
    return Answer("FAILED", physical_id, reason=reason)


@contextmanager
def _guarded(reply: Reply, event: Mapping[str, Any], context: LambdaContext) -> Iterator[None]:
    """Answer FAILED shortly before Lambda kills the process."""
    seconds = context.get_remaining_time_in_millis() / 1000
    seconds -= min(_GUARD_SECONDS, seconds / 4)
    reason = (
        f"The custom resource's handler ran out of time (request {context.aws_request_id}, log stream "
        f"{context.log_stream_name}).\nDeploy again; what has been done is found and not done twice."
    )
    timer = threading.Timer(seconds, _send_last, [reply, _failed(event, reason)])
    timer.start()
    try:
        yield
    finally:
        # A thread left over would be frozen with the process and go on in the middle of the next request.
        timer.cancel()
        timer.join()


def _send_last(reply: Reply, answer: Answer) -> None:
    print(f"{answer.status} {answer.physical_id} {answer.reason}")
    try:
        reply.send(answer)
    except UnansweredError as error:
        print(error)


@cache
def _clients() -> Clients:
    # Standard mode backs off up to 20 seconds between attempts (boto3 guide, "Retries"); deployments are few,
    # and one that waits out a throttle is better than one that rolls back.
    config = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 8})
    return Clients(boto3.client("s3", config=config), boto3.client("lambda", config=config))
