"""The artifacts that the functions of a stack share: one for each build, named after its project."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from aws_cdk import Stack
from constructs import Construct

_Artifact = TypeVar("_Artifact")

#: The shared artifacts of each stack, by their kind and what they are built from.
_SHARED: Final[WeakKeyDictionary[Stack, dict[tuple[str, Hashable], object]]] = WeakKeyDictionary()


def shared(
    stack: Stack,
    kind: str,
    build: Hashable,
    names: Iterator[str],
    make: Callable[[Construct, str], _Artifact],
) -> _Artifact:
    """Return a stack's artifact of a build; make it for the first function that needs it.

    :param kind: the id of the construct that the artifacts of this kind are below.
    :param build: all that the artifact is made from.
    :param names: the ids that it may have; it gets the first that is free.
    :param make: creates the artifact in a scope under an id.
    """
    known = _SHARED.setdefault(stack, {})
    if (kind, build) not in known:
        scope = stack.node.try_find_child(kind)
        if not isinstance(scope, Construct):
            scope = Construct(stack, kind)
        taken = {child.node.id for child in scope.node.children}
        name = next(name for name in names if name not in taken)
        known[kind, build] = make(scope, name)
    artifact: _Artifact = known[kind, build]  # type: ignore[assignment]
    return artifact


def names_after(name: str, root: Path, details: str) -> Iterator[str]:
    """Yield ids for an artifact of a project: its name, and if that is taken, with the folders above it.

    No id depends on where the app runs, so that the template is the same on every machine.

    >>> from itertools import islice
    >>> list(islice(names_after("src", Path("/shop/orders/src"), "-python313"), 3))
    ['src-python313', 'orders-src-python313', 'shop-orders-src-python313']

    :param name: the project's name.
    :param root: the project's directory.
    :param details: ends each id.
    """
    name = name or "project"
    yield f"{name}{details}"
    for parent in root.parents:
        if parent.name:
            name = f"{parent.name}-{name}"
            yield f"{name}{details}"
    for number in count(2):
        yield f"{name}-{number}{details}"
