"""The switch that makes layers and code ordinary assets, which CloudFormation alone deploys.

There is no custom resource then, no handler and no bucket: for development stacks, for organisations that
allow no custom resources, for ``sam local invoke``, and for templates that are deployed elsewhere.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from constructs import Node

from ..core.errors import InvalidError

#: The context key, for an app or a stack.
CONTEXT: Final = "lbdart_cdk:plain_assets"


class PlainAssets(Enum):
    """Whether a stack has plain assets."""

    NO = "false"
    YES = "true"
    #: Layers lie unpacked in the cloud assembly, too: ``sam local invoke`` takes no zip of a layer.
    UNPACKED = "unpacked"

    @classmethod
    def of(cls, stack: Node) -> PlainAssets:
        """Return what the context says for a stack.

        :param stack: the node of the stack.

        :raises InvalidError: when it has another value.
        """
        value = stack.try_get_context(CONTEXT)
        # The cdk command line passes texts, cdk.json has booleans.
        text = "false" if value is None else str(value).lower() if isinstance(value, bool) else value
        for member in cls:
            if member.value == text:
                return member
        raise InvalidError(
            f"The context {CONTEXT} is {value!r}.",
            f"Set it to {', '.join(member.value for member in cls)}, or leave it out.",
        )
