"""Nested stacks: a stack that another stack creates, updates and deletes."""

from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import ClientError

from integ.local_aws.cloudformation.custom_resource import ResourceError
from integ.local_aws.cloudformation.resource_type import Context, Made, ResourceType

__all__ = ["STACK_TYPES"]

_POLL_SECONDS = 0.05


class NestedStack(ResourceType):
    """``Ref`` is the stack's id, and ``Outputs.NAME`` an attribute.

    It cleans up at the end of its own update. AWS waits for the end of the update of the outermost stack.
    """

    names = ("AWS::CloudFormation::Stack",)

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        given = {**_request(new), "StackName": at.name(128), "OnFailure": "ROLLBACK"}
        stack_id = at.aws.call("cloudformation", "CreateStack", given)["StackId"]
        at.exists(stack_id)
        return _settled(at, stack_id, "create")

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        try:
            at.aws.call("cloudformation", "UpdateStack", _request(new), StackName=physical_id)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            return Made(physical_id, _outputs(_describe(at, physical_id)))
        return _settled(at, physical_id, "update")

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("cloudformation", "DeleteStack", StackName=physical_id)
        _settled(at, physical_id, "delete")


def _request(properties: dict[str, Any]) -> dict[str, Any]:
    parameters = properties.get("Parameters", {}).items()
    return {
        "TemplateURL": properties["TemplateURL"],
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }


def _settled(at: Context, stack_id: str, verb: str) -> Made:
    """Wait for the end of an operation.

    :raises ResourceError: when it failed; the stack itself has rolled back
    """
    while (status := (found := _describe(at, stack_id))["StackStatus"]).endswith("_IN_PROGRESS"):
        time.sleep(_POLL_SECONDS)
    if status == f"{verb.upper()}_COMPLETE":
        return Made(stack_id, _outputs(found))
    events = at.aws.call("cloudformation", "DescribeStackEvents", StackName=stack_id)["StackEvents"]
    reasons = [row.get("ResourceStatusReason", "") for row in events if "FAILED" in row["ResourceStatus"]]
    raise ResourceError(
        f"Embedded stack {stack_id} was not successfully {verb.removesuffix('e')}ed: {' '.join(reasons[-1:])}"
    )


def _describe(at: Context, stack_id: str) -> dict[str, Any]:
    return dict(at.aws.call("cloudformation", "DescribeStacks", StackName=stack_id)["Stacks"][0])


def _outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {f"Outputs.{row['OutputKey']}": row["OutputValue"] for row in stack.get("Outputs", [])}


STACK_TYPES: tuple[ResourceType, ...] = (NestedStack(),)
