"""The identity of an artifact, also when its stack is not deployed: found when a deployed stack needs it.

``cdk deploy --exclusively`` deploys some stacks of an app and synthesises all. An artifact of another stack
is neither fetched nor built then, but a deployed stack may refer to it: a function has its layer or its code,
or the app has read an attribute. What the deployed template says must be the same as if all were deployed.
So the identity is found as soon as it is asked for: from the store; or else by locking, and by building what
is known by its content only (local packages, and the code of a function). What nobody asks for costs nothing.

With ``cdk ls``, ``cdk destroy`` and the like, and in an app's unit tests, no stack is deployed. Then the
identity is :data:`UNKNOWN`, which reaches no stack, so that the templates are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from constructs import IConstruct

from .error_hook import errors_at
from .staging import Staging

#: Stands for a hash where nothing is deployed.
UNKNOWN: Final = "0" * 64

_Identity = TypeVar("_Identity")


class Identity(Generic[_Identity]):
    """The identity of an artifact, found once.

    :param found: the identity if it is known already, because the stack is deployed.
    :param find: does what it takes.
    :param unknown: stands for the identity where nothing is deployed.
    :param declare: writes the identity into the artifact's resource.
    """

    def __init__(
        self,
        construct: IConstruct,
        staging: Staging,
        *,
        found: _Identity | None,
        find: Callable[[], _Identity],
        unknown: _Identity,
        declare: Callable[[_Identity], None],
    ) -> None:
        self._construct = construct
        self._staging = staging
        self._find = find
        self._unknown = unknown
        self._declare = declare
        self._found = found

    @property
    def is_found(self) -> bool:
        """Whether the identity is known, so that :meth:`get` finds nothing."""
        return self._found is not None

    def get(self) -> _Identity:
        """Return the identity.

        :raises LbdartError: when a stack is deployed and the artifact cannot be locked, or its code built.
        """
        if self._found is None and self._staging.another_is_deployed:
            with errors_at(self._construct):
                self._found = self._find()
            self._declare(self._found)
        return self.peek()

    def peek(self) -> _Identity:
        """Return the identity if it is found already."""
        return self._unknown if self._found is None else self._found
