"""Cloud Control, which the cdk CLI asks for attributes when it hotswaps: it has no resource here."""

from __future__ import annotations

import re
from typing import Any

from integ.local_aws.calls import Call
from integ.local_aws.errors import AwsError

__all__ = ["cloud_control"]

_TYPE_NAME = r"[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}"  # the API's own, see GetResource


def cloud_control(call: Call, region: str) -> dict[str, Any]:
    """Refuse the call: a custom resource has no type name, and no other type is known.

    :raises AwsError: always
    """
    type_name = str(call.parameters.get("TypeName", ""))
    if not re.fullmatch(_TYPE_NAME, type_name):
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{type_name}' at 'typeName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_TYPE_NAME}",
        )
    raise AwsError(
        "UnsupportedActionException",
        f"Resource type {type_name} does not support {call.operation} in the local AWS",
    )
