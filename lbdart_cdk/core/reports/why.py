"""Why a build is another one than before: its inputs beside those of a build that is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ..artifacts.inputs import BuildInputs, History, inputs_noted
from ..keys import Json
from .changes import GROUPS, Change, changes, grouped

LAST_BUILD: Final = "the last build here"
OTHER_OPTIONS: Final = "the last build here, which had other options"
BUILD_BEFORE: Final = "the build before it"


class Artifact(Protocol):
    """What a build is asked for; see :class:`~..artifacts.layer.LayerArtifact`."""

    @property
    def build_key(self) -> str:
        """The SHA-256 over every input."""
        ...

    @property
    def parts(self) -> tuple[BuildInputs, ...]:
        """The inputs."""
        ...

    @property
    def asked(self) -> dict[str, Json]:
        """The options."""
        ...

    @property
    def history(self) -> History:
        """The builds of the project on this machine."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A build to compare with.

    :param what: names it: ``the last build here``.
    :param parts: its inputs; None when nobody knows them any more.
    :param groups: the groups of inputs that are known of it.
    """

    what: str
    build_key: str
    parts: Sequence[BuildInputs] | None
    groups: Collection[str] = GROUPS

    @property
    def unknown(self) -> list[str]:
        """The groups of inputs that are not known of it."""
        return [group for group in GROUPS if group not in self.groups]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A build beside a known one.

    :param changes: the inputs that differ; None when those of the known build are not known.
    """

    known: Known
    is_changed: bool
    changes: Sequence[Change] | None

    def to_json(self) -> dict[str, Any]:
        """Return the comparison for a machine."""
        return {
            "compared_with": self.known.what,
            "build_key": self.known.build_key,
            "changed": self.is_changed,
            "changes": None if self.changes is None else [change.to_json() for change in self.changes],
            "not_recorded": self.known.unknown if self.known.parts is not None else list(GROUPS),
        }


@dataclass(frozen=True, slots=True)
class Why:
    """The inputs of a build, and what changed.

    :param parts: its inputs.
    :param comparison: with what is known; None when nothing is.
    :param before: what changed in the build that was the last one, if nothing changed since.
    """

    build_key: str
    parts: Sequence[BuildInputs]
    comparison: Comparison | None
    before: Comparison | None = None

    @property
    def is_changed(self) -> bool:
        """Whether a build now would be another one than the known one."""
        return self.comparison is None or self.comparison.is_changed

    @property
    def inputs(self) -> Mapping[str, Mapping[str, str]]:
        """The inputs by their groups."""
        return grouped(self.parts)

    def to_json(self) -> dict[str, Any]:
        """Return everything for a machine."""
        return {
            "build_key": self.build_key,
            "inputs": {group: dict(values) for group, values in self.inputs.items()},
            "changed": self.is_changed,
            "comparison": self.comparison.to_json() if self.comparison is not None else None,
            "before": self.before.to_json() if self.before is not None else None,
        }


def since_last_build(artifact: Artifact) -> Why:
    """Return what changed since the last build on this machine; no network is needed for that.

    Where that build is what would be built now, the report also has what changed in it.

    :raises LbdartError: as :attr:`Artifact.build_key` does.
    """
    history, key = artifact.history, artifact.build_key
    builds = history.of(artifact.asked)
    if builds:
        comparison = _beside(artifact, _noted(history, LAST_BUILD, builds[0]))
        before = None
        if builds[0] == key and len(builds) > 1:
            before = _beside(artifact, _noted(history, BUILD_BEFORE, builds[1]))
        return Why(key, artifact.parts, comparison, before)
    last = history.last()
    other = _beside(artifact, _noted(history, OTHER_OPTIONS, last)) if last is not None else None
    return Why(key, artifact.parts, other)


def since(artifact: Artifact, known: Known) -> Why:
    """Return what changed since a build.

    :raises LbdartError: as :attr:`Artifact.build_key` does.
    """
    return Why(artifact.build_key, artifact.parts, _beside(artifact, known))


def _noted(history: History, what: str, build_key: str) -> Known:
    return Known(what, build_key, inputs_noted(history.store, build_key))


def _beside(artifact: Artifact, known: Known) -> Comparison:
    if known.build_key == artifact.build_key:
        return Comparison(known, is_changed=False, changes=())
    found = None
    if known.parts is not None:
        found = changes(known.parts, artifact.parts, artifact.history.store, known.groups)
    return Comparison(known, is_changed=True, changes=found)
