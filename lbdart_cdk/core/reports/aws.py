"""The clients for AWS that a command needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import LbdartError, explained

if TYPE_CHECKING:
    import boto3


def session_of(region: str | None, profile: str | None) -> boto3.Session:
    """Return a session of boto3.

    :param region: Default: that of the environment and the AWS configuration files.
    :param profile: of the AWS configuration files. Default: that of the environment.
    :raises LbdartError: when there is no such profile.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    with explained(_explanation, BotoCoreError):
        return boto3.Session(region_name=region, profile_name=profile)


def client_of(session: boto3.Session, service: Any) -> Any:
    """Return the client for a service.

    :raises LbdartError: when the session has no Region.
    """
    from botocore.exceptions import BotoCoreError

    with explained(_explanation, BotoCoreError):
        return session.client(service)


def _explanation(error: Exception) -> LbdartError:
    return LbdartError(
        f"AWS cannot be asked: {str(error).rstrip('.')}.",
        "Pass --region and --profile, or set AWS_REGION and AWS_PROFILE.",
    )
