"""Props that both constructs have, turned into the core's values."""

from __future__ import annotations

from aws_cdk import aws_lambda as lambda_

from .core.errors import LbdartError
from .core.project import Project
from .core.target import Target


def target_of(
    project: Project, runtime: lambda_.Runtime | None, architecture: lambda_.Architecture | None
) -> Target:
    """Return the target: the props where they are given, else what the project and Lambda default to.

    Raises :class:`LbdartError` for a runtime that the project is not for.
    """
    machine = architecture.name if architecture is not None else "x86_64"
    if runtime is None:
        return Target(project.python(), machine)
    target = Target.from_runtime(runtime.name, machine)
    project.refuse_unless_for(target)
    return target


def checked_prefix(prefix: str | None, *, default: str) -> str:
    """Return the key prefix without slashes at its ends; raises :class:`LbdartError` for an empty one."""
    cleaned = (default if prefix is None else prefix).strip("/")
    if not cleaned:
        raise LbdartError(
            f"The prefix {prefix!r} is empty, so the artifacts would lie at the top of the bucket.",
            "Name a prefix such as 'lambda/orders', or leave it out.",
        )
    return cleaned
