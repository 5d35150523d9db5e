"""What a resource type must know, and how it calls AWS."""

from __future__ import annotations

import json
import random
import string
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import boto3
from botocore import xform_name
from botocore.model import ListShape, MapShape, Shape, StructureShape

from integ.local_aws.cloudformation.scope import as_text

__all__ = ["Clients", "Context", "Made", "ResourceType"]


class Clients:
    """boto3 clients of one region, made once, and calls with CloudFormation's properties as parameters."""

    def __init__(self, **session: Any) -> None:
        self._settings = session
        self._session = boto3.Session(region_name=session["region_name"])
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """The client of a service."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(service, **self._settings)  # type: ignore[call-overload]
            return self._clients[service]

    def call(
        self, service: str, operation: str, properties: Mapping[str, Any] | None = None, /, **more: Any
    ) -> dict[str, Any]:
        """Call with those properties that the operation knows, each as the type that it wants.

        CloudFormation takes ``"30"`` for 30, a list of ``Key``/``Value`` for a map of tags, and a document
        for its JSON text; the APIs don't.
        """
        client = self.client(service)
        shape = client.meta.service_model.operation_model(operation).input_shape
        result = getattr(client, xform_name(operation))(**_shaped(shape, {**(properties or {}), **more}))
        return dict(result)


def _shaped(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        members = shape.members
        return {key: _shaped(members[key], member) for key, member in value.items() if key in members}
    if isinstance(shape, ListShape):
        return [_shaped(shape.member, member) for member in (value if isinstance(value, list) else [value])]
    if isinstance(shape, MapShape):
        pairs = {tag["Key"]: tag["Value"] for tag in value} if isinstance(value, list) else value
        return {key: _shaped(shape.value, member) for key, member in pairs.items()}
    return _scalar(shape.type_name, value)


def _scalar(kind: str, value: Any) -> Any:
    if kind in {"integer", "long"}:
        return int(value)
    if kind == "boolean":
        return as_text(value) == "true"
    if kind == "string":
        return json.dumps(value) if isinstance(value, (dict, list)) else as_text(value)
    return value


@dataclass(frozen=True)
class Made:
    """What creating or updating gave: the value of ``Ref``, and those of ``Fn::GetAtt``."""

    physical_id: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """The resource at hand.

    ``exists`` is told the physical id as soon as there is something that a rollback must delete.
    """

    aws: Clients
    region: str
    account: str
    stack_name: str
    stack_id: str
    logical_id: str
    type: str
    exists: Callable[[str], None]

    def name(self, limit: int = 64) -> str:
        """A fresh name of CloudFormation's form."""
        suffix = "".join(random.choices(string.ascii_uppercase + string.digits, k=12))
        return f"{f'{self.stack_name}-{self.logical_id}'[: limit - 13]}-{suffix}"

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


class ResourceType:
    """One type of resource; an instance serves all resources of the type."""

    #: The type's names; one ending in ``::`` stands for everything below it.
    names: ClassVar[tuple[str, ...]]
    #: Properties that can't be changed in place; None where nothing can.
    fixed: ClassVar[frozenset[str] | None] = frozenset()

    def replaced_by(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether going from old to new properties needs a new physical resource."""
        changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
        return bool(changed) if self.fixed is None else bool(changed & self.fixed)

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        """Make the resource."""
        raise NotImplementedError

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        """Change the resource; another physical id in the answer makes the old one be deleted later."""
        raise NotImplementedError

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        """Delete the resource; one that is gone already is fine."""
        raise NotImplementedError
