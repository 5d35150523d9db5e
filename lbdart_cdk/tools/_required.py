"""What a project requires: always, with an extra, and with a group."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from lbdart_cdk.core.locking.tool import Options


@dataclass(frozen=True, slots=True)
class OwnRequirements:
    """The requirements of a project, each as :func:`requirement` writes it.

    :param always: those without an extra or a group.
    :param extras: those of each extra.
    :param groups: those of each dependency group.
    """

    always: list[str] = field(default_factory=list)
    extras: Mapping[str, list[str]] = field(default_factory=dict)
    groups: Mapping[str, list[str]] = field(default_factory=dict)

    def chosen(self, name: str, options: Options) -> Iterator[str]:
        """Yield the requirements with some extras and groups.

        :param name: the name of the project. A requirement of this name, such as ``orders[fast]``, stands for
            the requirements of its extras.
        """
        groups = (self.groups.get(group, ()) for group in map(canonicalize_name, options.groups))
        waiting = [*self.always, *(text for group in groups for text in group)]
        asked = [str(canonicalize_name(extra)) for extra in options.extras]
        followed: set[str] = set()
        while waiting or asked:
            while asked:
                extra = asked.pop()
                waiting += self.extras.get(extra, ()) if extra not in followed else ()
                followed.add(extra)
            for text in waiting:
                extras = _extras_of(name, text)
                if extras is None:
                    yield text
                else:
                    asked += extras
            waiting = []


def _extras_of(name: str, text: str) -> Collection[str] | None:
    """Return the extras that a requirement asks for of a package; None if it is one of another package."""
    if not text.startswith(name):
        return None
    from packaging.requirements import Requirement  # few projects require themselves

    required = Requirement(text)
    return required.extras if canonicalize_name(required.name) == name else None
