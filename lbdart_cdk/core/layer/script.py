"""The language of a build script: by the suffix of its name, or else by its first line."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import LbdartError, explained

#: The interpreters of a first line (``#!``), by the suffix that a script of theirs has.
_INTERPRETERS: Final = {".py": re.compile(r"python(\d+(\.\d+)?)?"), ".sh": re.compile(r"sh|bash|dash")}


@dataclass(frozen=True, slots=True)
class Script:
    """A script for a container.

    :param suffix: ``.py`` or ``.sh``: its language.
    :param options: those that its first line passes to the interpreter, as ``-e`` in ``#!/bin/bash -e``.
    """

    path: Path
    suffix: str
    options: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Script:
        """Return the script of a file.

        :raises LbdartError: when the file cannot be read, or is neither a Python nor a shell script.
        """
        with (
            explained(
                lambda error: LbdartError(
                    f"The build script {path} cannot be read: {error.strerror or error}.",
                    "Check its permissions.",
                ),
                OSError,
            ),
            path.open("rb") as file,
        ):
            first_line = file.readline(1000).decode(errors="replace")
        interpreter, options = _interpreter(first_line)
        language = next((name for name, known in _INTERPRETERS.items() if known.fullmatch(interpreter)), None)
        suffix = path.suffix.lower() if path.suffix.lower() in _INTERPRETERS else language
        if suffix is None:
            raise LbdartError(
                f"The build script {path} is neither a Python nor a shell script: its name does not end in "
                ".py or .sh, and its first line names neither python nor sh or bash.",
                "Give it one of these suffixes, or a first line such as #!/usr/bin/env python3.",
            )
        return cls(path, suffix, options if suffix == language else ())

    def command(self, path: str, python: str) -> tuple[str, ...]:
        """Return the command that runs the script.

        :param path: where the script is.
        :param python: the Python that runs it if it is a Python script; its output is not buffered.
        """
        interpreter = (python, "-u") if self.suffix == ".py" else ("/bin/bash",)
        return (*interpreter, *self.options, path)


def _interpreter(first_line: str) -> tuple[str, tuple[str, ...]]:
    """Return the name and the options of the interpreter that a first line names; an empty name for none."""
    words = first_line[2:].split() if first_line.startswith("#!") else []
    if words and posixpath.basename(words[0]) == "env":
        words = words[1:]
        if words and words[0] == "-S":
            words = words[1:]
    return (posixpath.basename(words[0]), tuple(words[1:])) if words else ("", ())
