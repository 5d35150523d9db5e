"""What readers of messages see: errors that they can put right, and warnings that they can acknowledge."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Kind = TypeVar("_Kind", bound=Exception)


#: Characters of somebody else's message; a hostile file can make it repeat all of itself.
_LONGEST = 500


class LbdartError(Exception):
    """Something that the reader of the message can put right.

    :param problem: one sentence of what is wrong, with the path, package or resource.
    :param remedy: one sentence of what to do about it.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)

    @property
    def problem(self) -> str:
        """What is wrong, in one sentence."""
        return str(self.args[0])

    @property
    def remedy(self) -> str:
        """What to do, in one sentence."""
        return str(self.args[1])

    def __str__(self) -> str:
        return f"{self.problem}\n{self.remedy}"


@dataclass(frozen=True, slots=True)
class BuildWarning:
    """Something that may be wrong.

    :param id: what the reader acknowledges it by.
    """

    id: str
    text: str


@contextmanager
def explained(explain: Callable[[_Kind], LbdartError | None], *kinds: type[_Kind]) -> Iterator[None]:
    """Raise a message for the reader in place of an exception of some kinds.

    :param explain: returns the message for an exception; None when the exception is not for it to explain.
    """
    try:
        yield
    except kinds as error:
        message = explain(error)
        if message is None:
            raise
        raise message from error


def in_one_line(error: BaseException | str) -> str:
    """Return what somebody else says or raises, as part of a sentence: some show source over many lines."""
    return " ".join(str(error).split()).rstrip(".")[:_LONGEST]
