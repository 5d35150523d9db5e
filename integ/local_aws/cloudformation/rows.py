"""What the API tells about stacks, in the shapes that botocore has for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from integ.local_aws.cloudformation.engine import Engine, Proposal, scope_of
from integ.local_aws.cloudformation.resource_type import ResourceType
from integ.local_aws.cloudformation.stack import ChangeSet, Resource, Stack
from integ.local_aws.cloudformation.template import Template, same

__all__ = ["change_set", "changes", "parameters", "resources", "stack"]


def parameters(
    template: Template, given: Mapping[str, str], values: Mapping[str, Any]
) -> list[dict[str, str]]:
    """Template parameters: as given, and as they were read where that differs."""
    rows = []
    declared = template.section("Parameters")
    for name, value in values.items():
        text = ",".join(value) if isinstance(value, list) else str(value)
        row = {"ParameterKey": name, "ParameterValue": str(given.get(name, declared[name].get("Default")))}
        rows.append(row | ({"ResolvedValue": text} if text != row["ParameterValue"] else {}))
    return rows


def stack(of: Stack) -> dict[str, Any]:
    """A stack."""
    description = of.template.body.get("Description") if of.template else None
    row = {
        "StackName": of.name,
        "StackId": of.id,
        "StackStatus": of.status,
        "StackStatusReason": of.reason,
        "Description": description,
        "TemplateDescription": description,
        "CreationTime": of.created,
        "LastUpdatedTime": of.updated,
        "DeletionTime": of.deleted,
        "Parameters": parameters(of.template, of.given, of.parameters) if of.template else [],
        "Outputs": of.outputs,
        "Tags": of.tags,
        "Capabilities": of.details.get("Capabilities", []),
        "RoleARN": of.details.get("RoleARN"),
        "EnableTerminationProtection": bool(of.details.get("EnableTerminationProtection")),
        "DisableRollback": False,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        "NotificationARNs": [],
    }
    return {key: value for key, value in row.items() if value is not None}


def resources(of: Stack) -> list[dict[str, Any]]:
    """The resources of a stack."""
    return [_resource(of, resource) for resource in list(of.resources.values())]


def _resource(of: Stack, resource: Resource) -> dict[str, Any]:
    row = {
        "StackName": of.name,
        "StackId": of.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "Timestamp": resource.changed,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }
    return {key: value for key, value in row.items() if value is not None}


def change_set(of: Stack, found: ChangeSet) -> dict[str, Any]:
    """A change set, without its changes."""
    row = {
        "ChangeSetName": found.name,
        "ChangeSetId": found.id,
        "StackName": of.name,
        "StackId": of.id,
        "CreationTime": found.created,
        "Status": found.status,
        "ExecutionStatus": found.execution_status,
        "StatusReason": found.reason,
    }
    return {key: value for key, value in row.items() if value is not None}


def changes(engine: Engine, of: Stack, proposal: Proposal) -> list[dict[str, Any]]:
    """The changes as far as the templates tell them; what a ``Ref`` will be worth is not known yet."""
    scope = scope_of(engine, of, proposal.template, proposal.parameters)
    new = {n: d for n, d in proposal.template.resources.items() if scope.condition(d.get("Condition"))}
    old = {name: resource.definition for name, resource in of.resources.items()}
    rows = []
    for name in [*new, *(name for name in old if name not in new)]:
        if name in new and name in old and same(new[name], old[name]):
            continue
        definition = new.get(name) or old[name]
        row: dict[str, Any] = {"LogicalResourceId": name, "ResourceType": definition["Type"]}
        if name in of.resources:
            row["PhysicalResourceId"] = of.resources[name].physical_id
        row["Action"] = "Add" if name not in old else "Modify" if name in new else "Remove"
        if row["Action"] == "Modify":
            kind = engine.types.get(definition["Type"])
            before, after = (side[name].get("Properties", {}) for side in (old, new))
            row["Replacement"] = "True" if kind and kind.replaced_by(before, after) else "False"
            row["Scope"], row["Details"] = ["Properties"], list(_details(kind, before, after))
        rows.append({"Type": "Resource", "ResourceChange": row})
    return rows


def _details(
    kind: ResourceType | None, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """One row for each property that the templates give another value."""
    for name in sorted({*before, *after}):
        old, new = ({name: side[name]} if name in side else {} for side in (before, after))
        if not same(old, new):
            recreation = "Always" if kind and kind.replaced_by(old, new) else "Never"
            target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
            yield {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}
