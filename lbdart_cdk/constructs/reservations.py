"""Which names and folders the layers of an app use: two layers would mix their versions and manifests.

They are kept for the whole app, since its stages may be in one account. Whether two stacks share an account
and a Region is not always known at synth:

- The same account and Region, by name, or as the tokens of one stage: the layers would mix, an error.
- Another account or Region: they are apart.
- Two stages whose account or Region the deployment decides (``cdk deploy --profile``): usually they are
  apart, and an error would stop apps that are right. So this is a warning.

A bucket that is known by its name is the same one in every account and Region.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from aws_cdk import Annotations, Stage
from constructs import Construct, IConstruct

from ..core.errors import LbdartError
from .environments import Environment

#: The layers of each app, by what they use.
_RESERVED: Final[WeakKeyDictionary[IConstruct, dict[tuple[str, str], list[Reservation]]]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A value that a layer uses.

    :param what: the name of the value in messages.
    :param is_global: whether the value means the same in every account and Region.
    """

    what: str
    value: str
    construct: Construct
    stage: Stage
    environment: Environment
    is_global: bool = False

    def mixes_with(self, other: Reservation) -> bool | None:
        """Tell whether two layers with the same value would mix; None if only a deployment shows it."""
        if self.is_global:
            return True
        if self.environment.is_elsewhere(other.environment):
            return False
        if self.environment == other.environment and (self.stage is other.stage or self.environment.is_known):
            return True
        return None


def reserve(app: IConstruct, reservation: Reservation) -> None:
    """Reserve a value for a layer; warn if another layer of the app may mix with it.

    :param app: the root of the construct tree.
    :raises LbdartError: when another layer would.
    """
    mine = reservation.construct
    for other in _others(app, reservation):
        what, theirs = reservation.what, other.construct
        mixes = reservation.mixes_with(other)
        if mixes:
            raise LbdartError(
                f"{mine.node.path} has the same {what} as {theirs.node.path}.",
                f"Give each layer its own {what}.",
            )
        if mixes is None:
            Annotations.of(mine).add_warning_v2(
                f"lbdart_cdk:shared:{theirs.node.path}",
                f"{mine.node.path} has the same {what} as {theirs.node.path}. In one account and Region they "
                f"would mix their versions: give each layer its own {what}, or the stacks their env=. "
                "Acknowledge this if the stacks are deployed to different accounts or Regions.",
            )


def _others(app: IConstruct, reservation: Reservation) -> Iterator[Reservation]:
    """Note a reservation, and yield those of other layers that have the same value."""
    same = _RESERVED.setdefault(app, {}).setdefault((reservation.what, reservation.value), [])
    yield from [other for other in same if other.construct is not reservation.construct]
    same.append(reservation)
