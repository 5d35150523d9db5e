"""Builds the artifact of a construct, and says in one line what was built or found unchanged.

The lines are on stderr, since the ``cdk`` command line prints templates on stdout. They are for whoever waits
for the synthesis: they come when ``cdk`` runs the app, or when the app runs on a terminal, and not in the
unit tests of an app. In CI, only what was built has one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, TypeVar

from constructs import IConstruct

from ..core.artifacts.built import Buildable, timed

#: The cdk command line sets it for the apps that it runs. What an app writes may go through a pipe then.
_CLI: Final = "CDK_CLI_VERSION"
#: The values of the variable CI with which the cdk command line takes itself to be outside of CI.
_NOT_CI: Final = ("false", "0")

_Made = TypeVar("_Made")


def built_at(construct: IConstruct, artifact: Buildable[_Made]) -> _Made:
    """Build an artifact unless the store has it, and print its line where lines are wanted.

    :param construct: its path names the artifact.
    :raises LbdartError: when it cannot be built.
    """
    if not _is_wanted(is_new=True):
        return artifact.build()
    built = timed(artifact)
    if _is_wanted(is_new=built.is_new):
        line = built.line(construct.node.path)
        with suppress(OSError, ValueError):  # a build does not fail because nobody reads its line
            print(line, file=sys.stderr, flush=True)
    return built.made


def _is_wanted(*, is_new: bool) -> bool:
    if sys.stderr is None or sys.stderr.closed:
        return False
    return is_wanted(os.environ, is_terminal=sys.stderr.isatty(), is_new=is_new)


def is_wanted(environment: Mapping[str, str], *, is_terminal: bool, is_new: bool) -> bool:
    """Tell whether an artifact has a line.

    :param is_terminal: whether stderr is one.
    :param is_new: whether the artifact was built, and not found as an earlier synthesis built it.
    """
    if _CLI not in environment and not is_terminal:
        return False
    return is_new or environment.get("CI", "false") in _NOT_CI
