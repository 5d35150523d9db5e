"""The one exception type that users of the library see."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LbdartError", "in_one_line"]


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


def in_one_line(error: BaseException | str) -> str:
    """Return what somebody else says or raises, as part of a sentence: some show source over many lines."""
    return " ".join(str(error).split()).rstrip(".")[:_LONGEST]


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that may be wrong; ``id`` is what it is acknowledged by."""

    id: str
    text: str
