"""The one exception that becomes an AWS error response."""

from __future__ import annotations


class AwsError(Exception):
    """An error as an AWS API reports it.

    :param code: the error code, e.g. ``ValidationError``
    :param message: the text for the reader
    :param status: the HTTP status of the response
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def validation_error(message: str) -> AwsError:
    """The code under which CloudFormation reports nearly every refusal."""
    return AwsError("ValidationError", message)
