"""What a build key is made of, in a form to keep and to compare: so that a change of the key has a reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..errors import LbdartError
from ..keys import PACKER_FORMAT, Json, key_of

if TYPE_CHECKING:
    from ..project.project import Project
    from ..store.store import Store

#: The name under which the wheel of a project's own code is kept beside those of its local packages.
OWN: Final = "own_code"
#: What a text longer than this says is told by a hash.
_LONGEST: Final = 120
#: The hexadecimal digits that stay of the hash of a variable. Its value may be a password, and so few bits
#: tell that it changed, but do not confirm a guess.
_VARIABLE_DIGITS: Final = 4
#: How much stays of what is noted of a file: whether it is executable, and its hash.
_FILE_LENGTH: Final = 22
_KIND: Final = "inputs"
#: Change it when :class:`BuildInputs` is kept in another form.
_FORMAT: Final = 1
_HISTORY: Final = "history"
#: How many builds with the same options the history of a project has, and how many sets of options.
_BUILDS, _OPTIONS = 5, 20


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """The inputs of one build.

    :param artifact: ``layer`` or ``source``.
    :param values: each input but packages and variables, as a text.
    :param packages: what decides the files of each package: a hash, a commit.
    :param environment: the variables; of a value, as much of a hash as tells that it changed.
    :param versions: the version of each package that the lock pins, as far as it is known.
    :param wheels: the keys in the store of the wheels of local packages, and of :data:`OWN`.
    :param files: the hashes of the files that code is built from, where it is not built to a wheel that is
        an input itself.
    """

    artifact: str
    values: Mapping[str, str]
    packages: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    wheels: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        inputs: Mapping[str, Json],
        *,
        versions: Mapping[str, str] | None = None,
        wheels: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> BuildInputs:
        """Return the inputs that a build key is the hash of, with what is known beside them."""
        plain = {name: inputs[name] for name in inputs.keys() - {"artifact", "packages", "environment"}}
        values = {name: _text(value) for name, value in plain.items()} | {"format": str(PACKER_FORMAT)}
        if isinstance(own := plain.get(OWN), Mapping):
            values[OWN] = _hashed(own, "files")
            files = {path: str(hash_) for path, hash_ in own.items()}
        return cls(
            str(inputs["artifact"]),
            # What is empty is not given: to give nothing is no change.
            {name: text for name, text in sorted(values.items()) if text},
            # The hash of a source distribution is followed by the directory in it, if any.
            {name: str(identity).strip() for name, identity in _table(inputs, "packages").items()},
            {name: _told(name, value) for name, value in _table(inputs, "environment").items()},
            versions or {},
            wheels or {},
            {path: hash_[:_FILE_LENGTH] for path, hash_ in (files or {}).items()},
        )

    @classmethod
    def noted(cls, part: Mapping[str, Any]) -> BuildInputs:
        """Return the inputs in a note."""
        return cls(**part)


def _table(inputs: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    table = inputs.get(name, {})
    assert isinstance(table, Mapping)
    return table


def _told(name: str, value: Json) -> str:
    return key_of({name: value})[:_VARIABLE_DIGITS]


def _text(value: Json) -> str:
    """Return the value of an input as a text that is the same for the same value."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, Mapping):
        text = ", ".join(f"{name} {_text(value[name])}" for name in sorted(value))
    elif isinstance(value, Collection) and not isinstance(value, str):
        text = ", ".join(map(str, value))
    else:
        return "" if value is None else str(value)
    if len(text) <= _LONGEST:
        return text
    return _hashed(value, "items")


def _hashed(value: Collection[Json], noun: str) -> str:
    return f"{len(value)} {noun} ({key_of({'value': value})[:12]})"


@dataclass(frozen=True, slots=True)
class History:
    """The builds of a project on this machine, which the store notes.

    :param artifact: what was built: ``layer``, ``source`` or ``function``.
    """

    store: Store
    artifact: str
    project: Project

    def note(
        self, build_key: str, asked: Mapping[str, Json], parts: Callable[[], Sequence[BuildInputs]]
    ) -> None:
        """Note a build that was made or found; what is noted already is not written again.

        A build does not fail because of this: in a store that cannot be written, nothing is noted.

        :param asked: the options of the build.
        :param parts: returns its inputs.
        """
        with suppress(LbdartError):
            keys = self.of(asked)
            if keys[:1] != [build_key]:
                latest = [build_key, *(key for key in keys if key != build_key)][:_BUILDS]
                options = key_of(asked)
                others = [row for row in self._rows() if row["options"] != options]
                rows = [{"options": options, "builds": latest}, *others][:_OPTIONS]
                self.store.note(_HISTORY, self._key, {"rows": rows})
            if inputs_noted(self.store, build_key) is None:
                noted = {"format": _FORMAT, "parts": [asdict(part) for part in parts()]}
                self.store.note(_KIND, build_key, noted)

    def of(self, asked: Mapping[str, Json]) -> list[str]:
        """Return the keys of the builds with these options, the last one first."""
        options = key_of(asked)
        return next((list(row["builds"]) for row in self._rows() if row["options"] == options), [])

    def last(self) -> str | None:
        """Return the key of the last build that was another one than before, with any options."""
        return next((row["builds"][0] for row in self._rows()), None)

    @property
    def _key(self) -> str:
        paths = {"root": str(self.project.root), "manifest": str(self.project.manifest)}
        return key_of({"history": self.artifact, **paths})

    def _rows(self) -> list[dict[str, Any]]:
        return list((self.store.recall(_HISTORY, self._key) or {}).get("rows", ()))


def inputs_noted(store: Store, build_key: str) -> tuple[BuildInputs, ...] | None:
    """Return the inputs of a build that this machine made or found; None when the store has them no more."""
    noted = store.recall(_KIND, build_key)
    if noted is None or noted.get("format") != _FORMAT:
        return None
    return tuple(map(BuildInputs.noted, noted["parts"]))
