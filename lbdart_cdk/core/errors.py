"""Errors that the reader of the message can fix, and warnings that the reader can acknowledge."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Kind = TypeVar("_Kind", bound=Exception)


#: The most characters quoted from another program's message; a hostile file can make it quote the whole file.
_LONGEST = 500


class LbdartError(Exception):
    """An error that the reader of the message can fix.

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


class MissingError(LbdartError, FileNotFoundError):
    """Something that does not exist; like Python's own, a :class:`FileNotFoundError`."""


class InvalidError(LbdartError, ValueError):
    """A value that cannot be used; like Python's own, a :class:`ValueError`."""


def unreadable(error: OSError, problem: str, remedy: str) -> LbdartError:
    """Return the message for a file that cannot be read; when it does not exist, a :class:`MissingError`."""
    kind = MissingError if isinstance(error, FileNotFoundError) else LbdartError
    return kind(problem, remedy)


@dataclass(frozen=True, slots=True)
class BuildWarning:
    """A possible problem that does not stop the build.

    :param id: the id under which the reader acknowledges the warning.
    :param is_info: whether it is no problem in most projects; then ``cdk synth --strict`` passes.
    """

    id: str
    text: str
    is_info: bool = False

    @property
    def line(self) -> str:
        """The text for a log."""
        return self.text if self.is_info else f"Warning: {self.text}"


@contextmanager
def explained(explain: Callable[[_Kind], LbdartError | None], *kinds: type[_Kind]) -> Iterator[None]:
    """Turn exceptions of the given kinds into messages for the reader.

    A message that is one of these kinds, too, passes.

    :param explain: returns the message for an exception, or None to let the exception pass.
    :param kinds: the types of the exceptions.
    """
    try:
        yield
    except kinds as error:
        if isinstance(error, LbdartError) and LbdartError not in kinds:
            raise
        message = explain(error)
        if message is None:
            raise
        raise message from error


def in_one_line(error: BaseException | str) -> str:
    """Return another program's message on one line, shortened and without its full stop."""
    return " ".join(str(error).split()).rstrip(".")[:_LONGEST]


def in_words(names: Sequence[str], conjunction: str = "and") -> str:
    """Join names as a sentence does: ``a, b and c``."""
    return f" {conjunction} ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])
