"""The builders of all tools, for scripts without CDK: ``UvLambdaLayerLocalBuilder`` and so on.

Each tool has two builders: one builds on this machine, the other in a container. The builders of two tools
differ only in the tool, so this module creates them from the tool's name.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.layer.builder import ToolLambdaLayerBuilder, ToolLambdaLayerLocalBuilder
from lbdart_cdk.core.layer.container_builder import ToolLambdaLayerContainerBuilder
from lbdart_cdk.core.locking.manifest import tool_named

_KINDS: Final[dict[str, type[ToolLambdaLayerBuilder]]] = {
    "Local": ToolLambdaLayerLocalBuilder,
    "Container": ToolLambdaLayerContainerBuilder,
}
_NAME: Final = re.compile(rf"([A-Z][a-z0-9]*)LambdaLayer({'|'.join(_KINDS)})Builder")


@cache
def builder_named(name: str) -> type[ToolLambdaLayerBuilder] | None:
    """Return the builder class with a name; None when there is none.

    >>> builder_named("UvLambdaLayerLocalBuilder").tool.name
    'uv'
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        tool = tool_named(match[1].lower())
    except LbdartError:
        return None
    kind = _KINDS[match[2]]
    docstring = f"{(kind.__doc__ or '').partition(chr(10))[0]} The project is locked by {tool.name}."
    return type(name, (kind,), {"tool": tool, "__doc__": docstring, "__module__": "lbdart_cdk.tools"})
