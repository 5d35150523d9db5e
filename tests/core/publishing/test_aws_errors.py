from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing.aws_errors import calling_aws, is_transient


def client_error(code: str, status: int, message: str = "No.") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "CopyObject",
    )


@pytest.mark.parametrize(
    ("error", "problem", "remedy"),
    [
        (client_error("SlowDown", 503), "AWS still throttled CopyObject", "in a few minutes"),
        (client_error("AccessDenied", 403), r"AWS refused CopyObject \(No\)", "policies"),
        (client_error("NoSuchKey", 404), r"CopyObject failed with NoSuchKey \(No\)", "Correct"),
        (NoCredentialsError(), "The request to AWS to copy a zip failed: Unable to locate", "credentials"),
    ],
)
def test_an_error_of_aws_says_what_was_tried_and_what_to_do(
    error: Exception, problem: str, remedy: str
) -> None:
    with pytest.raises(LbdartError, match=problem) as caught, calling_aws("copy a zip"):
        raise error
    assert "copy a zip" in caught.value.problem
    assert remedy in caught.value.remedy
    assert caught.value.__cause__ is error


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), calling_aws("copy a zip"):
        raise KeyError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("TooManyRequestsException", 429), True),
        (client_error("ThrottlingException", 400), True),
        (client_error("ServiceException", 500), True),
        (client_error("InvalidParameterValueException", 400), False),
        (client_error("AccessDenied", 403), False),
        (ReadTimeoutError(endpoint_url="x"), True),
        (EndpointConnectionError(endpoint_url="x"), True),
        (NoCredentialsError(), False),
    ],
)
def test_throttles_and_lost_answers_may_pass(error: ClientError | ReadTimeoutError, expected: bool) -> None:
    assert is_transient(error) is expected
