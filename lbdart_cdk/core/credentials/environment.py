"""Credentials as a user gives them, and as the tools that we run read them: environment variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from ..errors import LbdartError
from .value import Credentials, uv_variables

#: What a ``credentials=`` takes: a function is called when something is built, and then once.
Given = Credentials | Collection[Credentials] | Callable[[], Credentials | Collection[Credentials]] | None

#: The credentials inside of :func:`in_environment`, for our own requests.
_KNOWN: ContextVar[tuple[Credentials, ...]] = ContextVar("known credentials", default=())


def listed(given: Given) -> tuple[Credentials, ...]:
    """Return one, several or no credentials as a tuple.

    Raises :class:`LbdartError` for two that the tools could not tell apart.
    """
    if callable(given):
        return _called(given)
    if given is None:
        return ()
    credentials = (given,) if isinstance(given, Credentials) else tuple(given)
    named: dict[tuple[str, str], Credentials] = {}
    for each in credentials:
        other = named.setdefault(uv_variables(each.index_name), each)
        if other != each:
            raise LbdartError(
                f"The tools cannot tell the indexes {other.index_name!r} and {each.index_name!r} apart: the "
                f"credentials of both are in {' and '.join(uv_variables(each.index_name))}.",
                "Give each index a name of its own, not counting case and punctuation.",
            )
    return credentials


@cache
def _called(function: Callable[[], Credentials | Collection[Credentials]]) -> tuple[Credentials, ...]:
    return listed(function())


def known() -> tuple[Credentials, ...]:
    """Return the credentials of the :func:`in_environment` that this code runs in."""
    return _KNOWN.get()


@contextmanager
def in_environment(credentials: Collection[Credentials]) -> Iterator[None]:
    """Let the tools that are run inside the block know the credentials; the environment is restored."""
    variables: dict[str, str] = {}
    for each in credentials:
        variables |= each.uv_environment() | each.poetry_environment()
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
