"""What went wrong in AWS, said for the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from ..errors import LbdartError, explained

if TYPE_CHECKING:
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
_REFUSED = frozenset({"403", "AccessDenied", "AccessDeniedException"})


def error_code(error: ClientError) -> str:
    """Code of the error; for HeadObject, whose answer has no body, the HTTP status."""
    return error.response.get("Error", {}).get("Code", "")


def is_transient(error: BotoCoreError | ClientError) -> bool:
    """Whether the same call may succeed in a moment: throttling, a 5xx, no or half an answer.

    Except for throttling, such a call may have taken effect all the same.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status == 429 or status >= 500 or error_code(error) in _THROTTLED
    return isinstance(error, (HTTPClientError, BotoConnectionError))


def calling_aws(doing: str) -> AbstractContextManager[None]:
    """Explain what botocore raises in a block.

    :param doing: what the calls inside are for, as "copy s3://... to s3://...".
    """
    return explained(
        lambda error: _explanation(error, doing), *(BotoCoreError, ClientError, S3UploadFailedError)
    )


def checked_client(client: Any, service: str) -> None:
    """Raise :class:`LbdartError` unless it is boto3's client for a service, ``"s3"`` or ``"lambda"``."""
    model = getattr(getattr(client, "meta", None), "service_model", None)
    found = getattr(model, "service_name", None)
    if found != service:
        given = f"a client for {found}" if found else f"of type {type(client).__name__}"
        raise LbdartError(
            f"{service}_client is {given}.", f"Pass a client for {service}: boto3.client({service!r})."
        )


def _explanation(raised: Exception, doing: str) -> LbdartError:
    # The managed transfer hides what S3 answered behind an exception of its own.
    hidden = raised.__context__ if isinstance(raised, S3UploadFailedError) else None
    error = hidden or raised
    if isinstance(error, ClientError):
        code = error_code(error)
        message = error.response.get("Error", {}).get("Message", "").strip().rstrip(".")
        operation = error.operation_name
        if code in _THROTTLED:
            return LbdartError(
                f"AWS throttled {operation} and kept doing so after retries; it was called to {doing}.",
                "Deploy again in a few minutes, or with fewer deployments at once.",
            )
        if code in _REFUSED:
            return LbdartError(
                f"AWS refused {operation} ({message or code}); it was called to {doing}.",
                "Allow it in the role's policies, the bucket's policy and the policy of its encryption key, "
                "and see that the object is there: S3 answers the same for one that is missing.",
            )
        if code == "NoSuchBucket":
            return LbdartError(
                f"The bucket does not exist; {operation} was called to {doing}.",
                "Create the bucket, or correct its name.",
            )
        return LbdartError(
            f"{operation} failed with {code} ({message or 'no message'}); it was called to {doing}.",
            "Correct what AWS names and deploy again.",
        )
    return LbdartError(
        f"AWS could not be asked to {doing}: {str(error).rstrip('.')}.",
        "Check the network, the credentials, their permissions and the Region, then try again.",
    )
