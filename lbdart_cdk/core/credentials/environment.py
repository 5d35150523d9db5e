"""Credentials as the user passes them, and as environment variables for the tools that we run."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from ..errors import LbdartError
from .value import Credentials, uv_variables

#: The types that ``credentials=`` accepts. A function is called once, when something is first built.
Given = Credentials | Collection[Credentials] | Callable[[], Credentials | Collection[Credentials]] | None

#: The credentials of the enclosing :func:`in_environment` block, for our own requests.
_KNOWN: ContextVar[tuple[Credentials, ...]] = ContextVar("known credentials", default=())


def listed(given: Given) -> tuple[Credentials, ...]:
    """Return one, several or no credentials as a tuple.

    :raises LbdartError: when the tools cannot tell the indexes of two credentials apart.
    """
    if callable(given):
        return _call(given)
    if given is None:
        return ()
    credentials = (given,) if isinstance(given, Credentials) else tuple(given)
    by_variables: dict[tuple[str, str], Credentials] = {}
    for credential in credentials:
        variables = uv_variables(credential.index_name)
        first = by_variables.setdefault(variables, credential)
        if first != credential:
            raise LbdartError(
                f"The tools cannot tell the indexes {first.index_name!r} and {credential.index_name!r} "
                f"apart: the credentials of both are in {' and '.join(variables)}.",
                "Give the indexes names that differ in more than case and punctuation.",
            )
    return credentials


@cache
def _call(function: Callable[[], Credentials | Collection[Credentials]]) -> tuple[Credentials, ...]:
    return listed(function())


def known() -> tuple[Credentials, ...]:
    """Return the credentials of the enclosing :func:`in_environment` block."""
    return _KNOWN.get()


@contextmanager
def in_environment(credentials: Collection[Credentials]) -> Iterator[None]:
    """Set the tools' environment variables for the credentials while the block runs."""
    variables: dict[str, str] = {}
    for credential in credentials:
        variables |= credential.uv_environment() | credential.poetry_environment()
    before = {name: os.environ.get(name) for name in variables}
    token = _KNOWN.set(tuple(credentials))
    try:
        os.environ.update(variables)
        yield
    finally:
        _KNOWN.reset(token)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
