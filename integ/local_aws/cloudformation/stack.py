"""The state of stacks: what is deployed, what happened, what is proposed."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from integ.local_aws.cloudformation.template import Template

__all__ = ["ChangeSet", "Resource", "Stack", "now"]


def now() -> datetime:
    """The time as moto's serializers want it: UTC, and not saying so."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass
class Resource:
    """A deployed resource. ``properties`` are resolved, ``attributes`` are what ``Fn::GetAtt`` gives."""

    logical_id: str
    type: str
    physical_id: str
    properties: dict[str, Any]
    attributes: dict[str, Any]
    definition: dict[str, Any]
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    changed: datetime = field(default_factory=now)
    #: What its properties have from other stacks, by how it was asked for.
    imported: dict[tuple[str, ...], str] = field(default_factory=dict)

    def copy(self, **changes: Any) -> Resource:
        """The same resource with other fields."""
        return replace(self, **changes)


@dataclass
class ChangeSet:
    """A proposed deployment."""

    name: str
    id: str
    type: str
    template: Template
    given: dict[str, str]
    parameters: dict[str, Any]
    tags: list[dict[str, str]]
    details: dict[str, Any]
    changes: list[dict[str, Any]]
    status: str = "CREATE_COMPLETE"
    execution_status: str = "AVAILABLE"
    reason: str | None = None
    created: datetime = field(default_factory=now)


@dataclass
class Stack:
    """A stack. ``given`` are the parameters as passed, ``parameters`` their values."""

    name: str
    id: str
    status: str
    template: Template | None = None
    given: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: list[dict[str, str]] = field(default_factory=list)
    imported: dict[tuple[str, ...], str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    created: datetime = field(default_factory=now)
    updated: datetime | None = None
    deleted: datetime | None = None
    token: str | None = None
    #: Set whenever no operation runs.
    settled: threading.Event = field(default_factory=threading.Event)

    @property
    def exports(self) -> dict[str, str]:
        """Export name to value."""
        return {out["ExportName"]: out["OutputValue"] for out in self.outputs if "ExportName" in out}

    def set_status(self, status: str, reason: str | None = None) -> None:
        """Change the stack's own status and tell it as an event."""
        self.status, self.reason = status, reason
        self._tell(Resource(self.name, "AWS::CloudFormation::Stack", self.id, {}, {}, {}, status, reason))

    def set_resource(self, resource: Resource, status: str, reason: str | None = None) -> None:
        """Change a resource's status and tell it as an event."""
        resource.status, resource.reason, resource.changed = status, reason, now()
        self._tell(resource)

    def _tell(self, resource: Resource) -> None:
        # A millisecond apart at least: the cdk CLI orders events by their time.
        timestamp = now()
        if self.events:
            timestamp = max(timestamp, self.events[-1]["Timestamp"] + timedelta(milliseconds=1))
        event = {
            "StackId": self.id,
            "StackName": self.name,
            "EventId": f"{resource.logical_id}-{resource.status}-{uuid.uuid4()}",
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            "Timestamp": timestamp,
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason,
            "ClientRequestToken": self.token,
        }
        self.events.append({key: value for key, value in event.items() if value is not None})
