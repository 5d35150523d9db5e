"""Turns errors of AWS into messages for the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from ..errors import InvalidError, LbdartError, explained

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from typing import Any


_THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
#: S3's codes for a conditional write whose condition did not hold.
CONDITION_FAILED = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_DENIED = frozenset({"403", "AccessDenied", "AccessDeniedException", "KMSAccessDeniedException"})


def error_code(error: ClientError) -> str:
    """Return the error's code; for HeadObject, whose answer has no body, the HTTP status."""
    return error.response.get("Error", {}).get("Code", "")


def is_denial(parsed: Mapping[str, Any]) -> bool:
    """Tell whether an answer denies a call, which then had no effect.

    S3 gives the denials of KMS as its own. Lambda has codes for the denials of S3 and KMS.

    :param parsed: an answer as botocore parses it, such as ``ClientError.response``.
    """
    return parsed.get("Error", {}).get("Code") in _DENIED


def is_transient(error: BotoCoreError | ClientError) -> bool:
    """Tell whether the same call may soon succeed: after throttling, a 5xx, a missing or a partial answer.

    Except after throttling, the failed call may have taken effect.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status == 429 or status >= 500 or error_code(error) in _THROTTLED
    return isinstance(error, (HTTPClientError, BotoConnectionError))


def calling_aws(doing: str) -> AbstractContextManager[None]:
    """Turn the exceptions of AWS calls in a block into messages.

    :param doing: the purpose of the calls, such as "copy s3://... to s3://...".
    """
    return explained(lambda error: _explanation(error, doing), *(BotoCoreError, ClientError))


def client_for(given: Any, service: str) -> Any:
    """Return boto3's client for a service.

    :param given: the client, or an object that has it, as a session of boto_session_manager has
        ``s3_client`` and ``lambda_client``.
    :param service: the name of the service, ``"s3"`` or ``"lambda"``.
    :raises LbdartError: when it is something else.
    """
    for client in (given, getattr(given, f"{service}_client", None)):
        if _service_of(client) == service:
            return client
    actual = _service_of(given)
    shown = f"a client for {actual}" if actual else f"of type {type(given).__name__}"
    raise InvalidError(
        f"{service}_client is {shown}.", f"Pass a client for {service}: boto3.client({service!r})."
    )


def _service_of(client: Any) -> str | None:
    model = getattr(getattr(client, "meta", None), "service_model", None)
    name: str | None = getattr(model, "service_name", None)
    return name


def _explanation(error: Exception, doing: str) -> LbdartError:
    if isinstance(error, ClientError):
        code = error_code(error)
        message = error.response.get("Error", {}).get("Message", "").strip().rstrip(".")
        operation = error.operation_name
        if code in _THROTTLED:
            return LbdartError(
                f"AWS still throttled {operation} after retries; it was called to {doing}.",
                "Deploy again in a few minutes, or run fewer deployments at once.",
            )
        if is_denial(error.response):
            return LbdartError(
                f"AWS refused {operation} ({message or code}); it was called to {doing}.",
                "Allow the call in the role's policies, the bucket's policy and the encryption key's policy, "
                "and check that the object exists: S3 gives the same answer for a missing object.",
            )
        if code == "NoSuchBucket":
            return LbdartError(
                f"The bucket does not exist; {operation} was called to {doing}.",
                "Create the bucket, or correct its name.",
            )
        return LbdartError(
            f"{operation} failed with {code} ({message or 'no message'}); it was called to {doing}.",
            "Correct the cause that AWS names and deploy again.",
        )
    return LbdartError(
        f"The request to AWS to {doing} failed: {str(error).rstrip('.')}.",
        "Check the network, the credentials, their permissions and the Region, then try again.",
    )
