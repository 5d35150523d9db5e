"""Turns the props that both constructs have into the core's values."""

from __future__ import annotations

import re
from functools import cache

from aws_cdk import Token
from aws_cdk import aws_lambda as lambda_

from ..core.errors import LbdartError
from ..core.project.project import Project
from ..core.project.target import Target


def target_of(
    project: Project, runtime: lambda_.Runtime | None, architecture: lambda_.Architecture | None
) -> Target:
    """Return the target of the props; the project and Lambda give the defaults.

    :raises LbdartError: when the project does not support the runtime.
    """
    machine = _name_of(architecture) if architecture is not None else "x86_64"
    return project.target(_name_of(runtime) if runtime is not None else None, machine)


def runtime_of(target: Target) -> lambda_.Runtime:
    """Return the runtime of a target."""
    return lambda_.Runtime(target.runtime, lambda_.RuntimeFamily.PYTHON, supports_inline_code=True)


@cache
def _name_of(value: lambda_.Runtime | lambda_.Architecture) -> str:
    return value.name


def checked_prefix(prefix: str | None, *, default: str) -> str:
    """Return the key prefix without slashes at its ends.

    :raises LbdartError: when the prefix is empty.
    """
    if prefix is None and not default:
        raise LbdartError(
            "The project has no name to use as the key prefix of its artifacts.",
            "Set a name in pyproject.toml, or pass prefix=.",
        )
    cleaned = (default if prefix is None else prefix).strip("/")
    if not cleaned:
        raise LbdartError(
            f"The prefix {prefix!r} is empty, so the artifacts would be at the top level of the bucket.",
            "Pass a prefix such as 'lambda/orders', or leave out prefix=.",
        )
    return cleaned


def validate_sharing(account_id: str, organization_id: str | None) -> None:
    """Check the ids that a layer version is shared with (Lambda API reference, AddLayerVersionPermission).

    :raises LbdartError: for an invalid id, and for an organisation together with a single account.
    """
    is_text = isinstance(account_id, str)  # as a number it would lose its leading zeros
    if not is_text or not (
        Token.is_unresolved(account_id) or re.fullmatch(r"[0-9]{12}|\*", account_id, re.ASCII)
    ):
        raise LbdartError(
            f"{account_id!r} is not an AWS account id.",
            "Pass its 12 digits as a string, or '*' for every account of organization_id.",
        )
    if organization_id is None:
        return
    if not Token.is_unresolved(organization_id) and not re.fullmatch(r"o-[a-z0-9]{10,32}", organization_id):
        raise LbdartError(
            f"{organization_id!r} is not an AWS organization id.",
            "Pass it as AWS Organizations shows it, for example 'o-a1b2c3d4e5'.",
        )
    if account_id != "*":
        raise LbdartError(
            f"One permission cannot share the layer with both the account {account_id} and the organization "
            f"{organization_id}.",
            "Pass account_id='*' with organization_id, and add a separate permission for a single account.",
        )
