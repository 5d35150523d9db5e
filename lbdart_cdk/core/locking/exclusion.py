"""Choose the packages that a layer leaves out.

The rule is the same for every tool. A package on the default list stays if a package in the layer requires it
on the target, with the extras that are really asked for: by the project, or by a package in the layer. boto3,
botocore and s3transfer stay together or go together.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

from packaging.markers import Marker
from packaging.pylock import Package
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from ..errors import BuildWarning, in_words
from ..project.target import ARCHITECTURES, SUPPORTED_PYTHONS, Target
from .default_list import DEFAULT, SDK, normalized
from .lock import Lock, Requires

#: The name of an extra in a condition of :func:`~.lock.in_extras`.
_IN_EXTRAS: Final = re.compile(r"""["']([^"']*)["'] (?:not )?in extras""")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the selected packages are in the layer.

    :param kept: the packages in the layer.
    :param excluded: the packages that the user leaves out.
    :param dropped: the packages that the default list leaves out.
    :param direct: those in ``dropped`` that the project itself requires.
    :param unmatched: the names in ``exclude`` and ``keep`` that no selected package has, by the option.
    """

    kept: frozenset[NormalizedName]
    excluded: frozenset[NormalizedName]
    dropped: frozenset[NormalizedName]
    direct: frozenset[NormalizedName]
    unmatched: Mapping[str, frozenset[NormalizedName]]

    @property
    def warnings(self) -> tuple[BuildWarning, ...]:
        """What may not be as the user expects."""
        return (*self._of_direct(), *self._of_unmatched(), *self._of_sdk())

    def _of_direct(self) -> Iterator[BuildWarning]:
        for name in sorted(self.direct):
            yield BuildWarning(
                f"lbdart_cdk:left-out:{name}",
                f"The project requires {name}, and the layer does not have it: it is on the default list of "
                f'what Lambda brings itself or never needs. Pass keep=["{name}"] to have it as locked, or '
                f'exclude=["{name}"] to leave it out without this warning.',
            )

    def _of_unmatched(self) -> Iterator[BuildWarning]:
        for option, names in self.unmatched.items():
            for name in sorted(names):
                yield BuildWarning(
                    f"lbdart_cdk:{option}:{name}",
                    f"{option}= names {name}, which is not among the packages that are selected for this "
                    "layer. Correct the name, or remove it.",
                )

    def _of_sdk(self) -> Iterator[BuildWarning]:
        kept, missing = sorted(SDK & self.kept), sorted(SDK - self.kept)
        if kept and missing:
            yield BuildWarning(
                "lbdart_cdk:sdk",
                f"The layer has {in_words(kept)} as locked, but not {in_words(missing)}: a function that "
                f"imports {'it' if len(missing) == 1 else 'them'} gets Lambda's own, which may need other "
                "releases of the rest. Add boto3 to the project's dependencies, so that the layer has the "
                "whole AWS SDK, or leave out all of it with exclude=.",
            )


def choose(
    packages: Sequence[Package],
    requires: Requires | None,
    lock: Lock,
    target: Target,
    *,
    exclude: Collection[str] = (),
    keep: Collection[str] = (),
) -> Choice:
    """Choose which of the selected packages are in the layer.

    :param packages: the packages whose markers hold on the target.
    :param requires: what each package requires. None when it is unknown; then the default list leaves out
        nothing.
    :param lock: says what the project itself requires, as far as that is known.
    :param exclude: names of packages to leave out in any case.
    :param keep: names of the default list to keep, with what they require.
    """
    selected = frozenset(package.name for package in packages)
    unwanted, wanted = normalized(exclude), normalized(keep)
    optional = (selected & DEFAULT) - unwanted - _whole(wanted)
    dropped: frozenset[NormalizedName] = frozenset()
    direct: AbstractSet[NormalizedName] = frozenset()
    if optional and requires is not None:
        graph = _Graph.of(packages, requires, target)
        asked, direct = graph.asked(map(Requirement, lock.roots), lock.shown)
        dropped = optional - graph.reached(selected - unwanted - optional, optional, asked).packages
    return Choice(
        kept=selected - unwanted - dropped,
        excluded=selected & unwanted,
        dropped=dropped,
        direct=dropped & direct,
        unmatched={"exclude": unwanted - selected, "keep": wanted - selected},
    )


def dropped_without_lock(
    requires: Mapping[NormalizedName, Sequence[str]], keep: Collection[NormalizedName]
) -> frozenset[NormalizedName]:
    """Return the packages of the default list that are left out of packages that no lock selected.

    Nothing says which runtime they were installed for, and this machine's Python has nothing to do with it.
    So a package is left out if the rule leaves it out on each of Lambda's runtimes.

    :param requires: what each package requires, written as in a lock.
    :param keep: names of packages that stay, with what they require.
    """
    if DEFAULT.isdisjoint(requires):
        return frozenset()
    packages = [Package(name=name) for name in requires]
    known: Requires = {name: {"": texts} for name, texts in requires.items()}
    lock = Lock({}, Path(), Path())
    targets = (Target(*each) for each in product(SUPPORTED_PYTHONS, ARCHITECTURES))
    return frozenset.intersection(
        *(choose(packages, known, lock, target, keep=keep).dropped for target in targets)
    )


@dataclass(frozen=True, slots=True)
class _Reached:
    """Some packages, and the names that they require."""

    packages: AbstractSet[NormalizedName]
    required: AbstractSet[NormalizedName]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A requirement on the target.

    :param of: the extras that its marker names.
    :param known: whether it holds, by those of them that are asked for: a marker takes long to evaluate.
    """

    name: NormalizedName
    extras: frozenset[NormalizedName]
    marker: Marker | None
    of: frozenset[NormalizedName]
    environment: Mapping[str, str]
    known: dict[frozenset[str], bool] = field(default_factory=dict)

    @classmethod
    def on(cls, environment: Mapping[str, str], required: Requirement) -> _Asked:
        named = normalized(_IN_EXTRAS.findall(str(required.marker or "")))
        name, extras = canonicalize_name(required.name), normalized(required.extras)
        return cls(name, extras, required.marker, named, environment)

    def holds(self, extras: AbstractSet[str]) -> bool:
        """Tell whether the requirement holds when these extras are asked for."""
        asked = self.of & extras
        if asked not in self.known:
            conditions: dict[str, str | AbstractSet[str]] = {
                **self.environment,
                "extras": asked,
                "dependency_groups": frozenset[str](),
                "extra": "",
            }
            self.known[asked] = self.marker is None or self.marker.evaluate(conditions, context="lock_file")
        return self.known[asked]


@dataclass(frozen=True, slots=True)
class _Graph:
    """What the selected packages require on the target.

    :param is_complete: whether that is known of all of them.
    """

    requirements: Mapping[NormalizedName, Sequence[_Asked]]
    environment: Mapping[str, str]
    is_complete: bool

    @classmethod
    def of(cls, packages: Iterable[Package], requires: Requires, target: Target) -> _Graph:
        environment = dict[str, str](**target.environment())
        requirements = {
            package.name: [
                _Asked.on(environment, Requirement(text)) for text in _required_by(package, requires)
            ]
            for package in packages
        }
        is_complete = requirements.keys() <= requires.keys()
        return cls(requirements, environment, is_complete)

    def required_by(self, name: NormalizedName, extras: AbstractSet[str]) -> dict[NormalizedName, set[str]]:
        """Return what a package with extras requires: names, each with its extras."""
        return _holding(self.requirements.get(name, ()), frozenset(extras))

    def reached(
        self,
        packages: Collection[NormalizedName],
        optional: AbstractSet[NormalizedName] = frozenset(),
        asked: Mapping[NormalizedName, AbstractSet[str]] | None = None,
    ) -> _Reached:
        """Return the packages with those in ``optional`` that they require, directly or through each other.

        :param asked: the extras that the project asks for, by package.
        """
        extras = defaultdict(set, {name: set(names) for name, names in (asked or {}).items()})
        reached, required = set(packages), set[NormalizedName]()
        waiting = list(packages)
        while waiting:
            package = waiting.pop()
            for name, more in self.required_by(package, extras[package]).items():
                required.add(name)
                joining = (_whole({name}) & optional) - reached
                reached |= joining
                waiting += joining
                if not more <= extras[name]:
                    extras[name] |= more
                    waiting += {name} & reached
        return _Reached(reached, required)

    def asked(
        self, roots: Iterable[Requirement], shown: Mapping[str, Collection[str]]
    ) -> tuple[Mapping[NormalizedName, AbstractSet[str]], AbstractSet[NormalizedName]]:
        """Return the extras that the project asks for, by package, and the packages that it requires itself.

        Some locks do not say what the project requires, or not with which extras. So an extra also counts as
        asked for if it requires a package that nothing else is known to require, or that the lock shows as
        required, provided that all that the extra requires is selected. If there is no such extra, the
        project itself must require the package.
        """
        selected = self.requirements.keys()
        asked = defaultdict(set, _holding(_Asked.on(self.environment, root) for root in roots))
        direct = set(asked)
        unexplained = selected - direct - self.reached(selected, asked=asked).required
        for name, requirements in self.requirements.items():
            wanted = unexplained | normalized(shown.get(name, ()))
            always = {name, *self.required_by(name, frozenset())} if wanted else set()
            for extra, depending in _by_extra(requirements).items() if wanted else ():
                more = _holding(depending, {extra}).keys() - always
                if more <= selected and more & wanted:
                    asked[name].add(extra)
        if unexplained and self.is_complete:
            direct |= unexplained - self.reached(selected, asked=asked).required
        return asked, direct


def _required_by(package: Package, requires: Requires) -> Iterable[str]:
    """Return what a package requires; that of all its versions if its own is not among them."""
    versions = requires.get(package.name, {})
    own = versions.get(str(package.version))
    return own if own is not None else [text for texts in versions.values() for text in texts]


def _by_extra(requirements: Iterable[_Asked]) -> Mapping[str, Sequence[_Asked]]:
    """Return the requirements that depend on extras, by the extra."""
    depending: defaultdict[str, list[_Asked]] = defaultdict(list)
    for required in requirements:
        for extra in required.of:
            depending[extra].append(required)
    return depending


def _holding(
    requirements: Iterable[_Asked], extras: AbstractSet[str] = frozenset()
) -> dict[NormalizedName, set[str]]:
    """Return the names that the requirements ask for, each with its extras."""
    asked: defaultdict[NormalizedName, set[str]] = defaultdict(set)
    for required in requirements:
        if required.holds(extras):
            asked[required.name].update(required.extras)
    return asked


def _whole(names: AbstractSet[NormalizedName]) -> AbstractSet[NormalizedName]:
    """Add the rest of the AWS SDK to names that have a part of it."""
    return names | SDK if names & SDK else names
