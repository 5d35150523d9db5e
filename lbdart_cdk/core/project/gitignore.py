"""Patterns of paths in the syntax of ``.gitignore``, matched as git matches them.

Source: *gitignore - Specifies intentionally untracked files to ignore* (git), the section on the pattern
format.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

#: POSIX character class -> its characters, as the inside of a set in a regular expression.
_CLASSES: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
#: One member of a set, up to the bracket that ends the set.
_MEMBER: Final = r"\[:\w+:\]|\\.|[^\]\\]"
#: What a pattern is made of. A bracket that follows the start of a set at once is a member.
_TOKEN: Final = re.compile(
    r"(?P<any>(?:(?<=/)|^)\*\*+(?=/|$)/?)|(?P<star>\*+)|(?P<one>\?)|\\(?P<escaped>.)"
    rf"|\[(?P<negated>[!^]?)(?P<set>(?:\]|{_MEMBER})(?:{_MEMBER})*)\]|(?P<itself>[^\[\\])",
    re.DOTALL,
)
_SET_MEMBER: Final = re.compile(r"\[:(?P<name>\w+):\]|\\?(?P<low>.)(?:-\\?(?P<high>[^\]]))?", re.DOTALL)
_NEVER: Final = r"(?!)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of a ``.gitignore``.

    :param line: the line.
    :param negated: whether it takes back what a pattern before it matches.
    :param only_folders: whether it matches folders only.
    :param in_any_folder: whether it matches a name, in any folder, and not a path.
    :param expression: matches the name, or the path from the root.
    """

    line: str
    negated: bool
    only_folders: bool
    in_any_folder: bool
    expression: re.Pattern[str]

    @classmethod
    def of(cls, line: str) -> Pattern | None:
        """Return the pattern of a line; None for a comment and an empty line."""
        text = re.sub(r"(?<!\\) +$", "", line.rstrip("\r\n"))
        if not text or text.startswith("#"):
            return None
        negated, text = text.startswith("!"), text.removeprefix("!")
        only_folders, text = text.endswith("/"), text.removesuffix("/")
        in_any_folder = "/" not in text
        expression = re.compile(_expression(text.removeprefix("/"), in_any_folder=in_any_folder), re.DOTALL)
        return cls(line, negated, only_folders, in_any_folder, expression)

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Tell whether it matches this very path; what matches a folder matches no path below it."""
        if self.only_folders and not is_folder:
            return False
        subject = path.rpartition("/")[2] if self.in_any_folder else path
        return self.expression.fullmatch(subject) is not None


@dataclass(frozen=True)
class Patterns:
    """Lines of a ``.gitignore`` at the root of the paths; of those that match, the last one decides."""

    lines: tuple[str, ...]
    _folders: dict[str, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def _patterns(self) -> tuple[Pattern, ...]:
        return tuple(pattern for line in self.lines if (pattern := Pattern.of(line)) is not None)

    @property
    def effective(self) -> list[str]:
        """The lines that are neither comments nor empty."""
        return [pattern.line for pattern in self._patterns]

    def matches(self, path: str) -> bool:
        """Tell whether a file is matched. In a matched folder, all files are, and none can be taken back."""
        folder = path.rpartition("/")[0]
        return (bool(folder) and self._matches_folder(folder)) or self._decide(path, is_folder=False)

    def _matches_folder(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is None:
            above = folder.rpartition("/")[0]
            known = (bool(above) and self._matches_folder(above)) or self._decide(folder, is_folder=True)
            self._folders[folder] = known
        return known

    def _decide(self, path: str, *, is_folder: bool) -> bool:
        for pattern in reversed(self._patterns):
            if pattern.matches(path, is_folder=is_folder):
                return not pattern.negated
        return False

    def without_match(self, paths: Collection[str]) -> list[str]:
        """Return the lines whose pattern matches none of the files and no folder of one."""
        folders = _folders_of(paths)
        return [
            pattern.line
            for pattern in self._patterns
            if not any(pattern.matches(folder, is_folder=True) for folder in folders)
            and not any(pattern.matches(path, is_folder=False) for path in paths)
        ]


def _folders_of(paths: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _expression(text: str, *, in_any_folder: bool) -> str:
    """Return the regular expression of a pattern.

    A set without an end or with a class that does not exist, or a backslash at the end, matches nothing.
    """
    parts: list[str] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or not _has_known_classes(token["set"] or ""):
            return _NEVER
        position = token.end()
        parts.append(_translated(token, in_any_folder=in_any_folder))
    return "".join(parts)


def _translated(token: re.Match[str], *, in_any_folder: bool) -> str:
    if (folders := token["any"]) is not None:
        if in_any_folder:
            return "[^/]*"
        return "(?:.*/)?" if folders.endswith("/") else ".*"
    if token["star"] is not None:
        return "[^/]*"
    if token["one"] is not None:
        return "[^/]"
    if token["set"] is not None:
        members = _members(token["set"])
        return f"(?![/{members}])." if token["negated"] else f"(?!/)[{members}]"
    return re.escape(token["escaped"] or token["itself"])


def _has_known_classes(text: str) -> bool:
    return all(member["name"] is None or member["name"] in _CLASSES for member in _SET_MEMBER.finditer(text))


def _members(text: str) -> str:
    """Return the inside of a set in a regular expression; a range from high to low is its first character."""
    members: list[str] = []
    for member in _SET_MEMBER.finditer(text):
        if member["name"] is not None:
            members.append(_CLASSES[member["name"]])
        elif member["high"] is None:
            members.append(re.escape(member["low"]))
        else:
            high = max(member["low"], member["high"])
            members.append(f"{re.escape(member['low'])}-{re.escape(high)}")
    return "".join(members)
