"""Stack operations: forward in the order of dependencies, then clean-up, or back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from integ.local_aws.cloudformation.custom_resource import ResourceError
from integ.local_aws.cloudformation.resource_type import Clients, Context, Made, ResourceType
from integ.local_aws.cloudformation.scope import Outside, Scope, as_text
from integ.local_aws.cloudformation.stack import Resource, Stack, now
from integ.local_aws.cloudformation.template import Template, order, same, uses
from integ.local_aws.errors import AwsError

__all__ = ["Deployment", "Engine", "Proposal", "delete_stack", "scope_of"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """What every operation of a region needs.

    ``importers`` names the other stacks that import an export.
    """

    region: str
    account: str
    aws: Clients
    types: Mapping[str, ResourceType]
    outside: Outside
    exporter: Callable[[str], Stack | None]
    importers: Callable[[str], list[str]]

    def type_of(self, name: str) -> ResourceType:
        """The resource type of a name.

        :raises ResourceError: for one that the local AWS does not have
        """
        found = self.types.get(name) or self.types.get(f"{name.partition('::')[0]}::")
        if found is None:
            raise ResourceError(f"The local CloudFormation does not know the resource type {name}.")
        return found


@dataclass(frozen=True)
class Proposal:
    """What a stack shall become."""

    template: Template
    given: dict[str, str]
    parameters: dict[str, Any]
    tags: list[dict[str, str]]
    details: dict[str, Any]


def scope_of(engine: Engine, stack: Stack, template: Template, parameters: Mapping[str, Any]) -> Scope:
    """The scope in which a template of this stack is resolved."""

    def attribute(name: str, wanted: str | None) -> Any:
        resource = stack.resources.get(name)
        if resource is None:
            raise AwsError("ValidationError", f"Template error: unresolved resource dependency [{name}]")
        if wanted is None:
            return resource.physical_id
        if wanted in resource.attributes:
            return resource.attributes[wanted]
        if resource.type.startswith("AWS::") and resource.type != "AWS::CloudFormation::CustomResource":
            text = f"Requested attribute {wanted} does not exist in schema for {resource.type}"
        else:
            text = "CustomResource attribute error: Vendor response doesn't contain "
            text += f"{wanted} attribute in object {name}"
        raise ResourceError(text)

    pseudo = {
        "AWS::AccountId": engine.account,
        "AWS::NotificationARNs": [],
        "AWS::Partition": "aws",
        "AWS::Region": engine.region,
        "AWS::StackId": stack.id,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com",
    }
    return Scope(template, parameters, pseudo, engine.outside, attribute)


class _StepError(Exception):
    """A resource failed; its own event has told why."""

    def __init__(self, logical_id: str) -> None:
        super().__init__(logical_id)
        self.logical_id = logical_id


@dataclass
class Deployment:
    """One create or update of a stack. :meth:`run` leaves the stack in a final status, always."""

    engine: Engine
    stack: Stack
    proposal: Proposal
    creates: bool
    rollback: bool = True
    _before: dict[str, Resource] = field(default_factory=dict)
    _replaced: set[str] = field(default_factory=set)
    #: Resources of AWS that nothing refers to any more, with the policy that decides about them.
    _leftovers: list[tuple[Resource, str]] = field(default_factory=list)

    def run(self) -> None:
        """Deploy the proposal."""
        stack, verb = self.stack, "CREATE" if self.creates else "UPDATE"
        half_made = [r for r in stack.resources.values() if r.status == "CREATE_FAILED"]
        self._before = {n: r for n, r in stack.resources.items() if r not in half_made}
        self._leftovers = [(resource, "DeletionPolicy") for resource in half_made]
        stack.set_status(f"{verb}_IN_PROGRESS", "User Initiated")
        template = self.proposal.template
        scope = scope_of(self.engine, stack, template, self.proposal.parameters)
        try:
            wanted = {n: d for n, d in template.resources.items() if scope.condition(d.get("Condition"))}
            for name in order(wanted):
                self._step(scope, name, wanted[name])
            outputs = self._outputs(scope)
        except _StepError as error:
            text = "create" if self.creates else "update"
            self._back(f"The following resource(s) failed to {text}: [{error.logical_id}]. ")
        except (AwsError, ResourceError) as error:
            self._back(f"{error} ")
        except Exception as error:
            _log.exception("The local CloudFormation failed on stack %s", stack.name)
            self._back(f"Internal Failure: {error!r} ")
        else:
            removed = [(r, "DeletionPolicy") for n, r in self._before.items() if n not in wanted]
            self._commit(scope, outputs)
            self._clean_up(f"{verb}_COMPLETE", [*self._leftovers, *removed])

    # Forward.

    def _step(self, scope: Scope, name: str, definition: dict[str, Any]) -> None:
        old = self._before.get(name)
        text = definition.get("Properties", {})
        # AWS promises nowhere that a resource gets the new value of a weak reference while the text of its
        # properties is the old one, so here it does not.
        is_old_text = old is not None and same(old.definition.get("Properties", {}), text)
        reading = scope.of_resource(old.imported if old and is_old_text else {})
        try:
            properties = reading.resolve(text)
        except (AwsError, ResourceError) as error:
            failed = old.copy() if old else Resource(name, definition["Type"], "", {}, {}, definition)
            self.stack.set_resource(failed, "CREATE_FAILED" if old is None else "UPDATE_FAILED", str(error))
            raise _StepError(name) from error
        if old is None:
            self._create(scope, name, definition, properties, "CREATE")
        elif old.type != definition["Type"]:
            raise AwsError("ValidationError", f"Update of resource type is not permitted: [{name}].")
        elif same(old.properties, properties) and not old.status.endswith("FAILED"):
            self.stack.resources[name] = old.copy(definition=definition)
        elif self.engine.type_of(old.type).replaced_by(old.properties, properties):
            self._replaced.add(name)
            self._create(scope, name, definition, properties, "UPDATE")
            self._leftovers.append((old, "UpdateReplacePolicy"))
        else:
            self._update(scope, old, old.copy(properties=properties, definition=definition))
        self.stack.resources[name].imported = reading.imported
        scope.imported.update(reading.imported)

    def _create(
        self, scope: Scope, name: str, definition: dict[str, Any], properties: dict[str, Any], verb: str
    ) -> None:
        resource = Resource(name, definition["Type"], "", properties, {}, definition)
        self.stack.resources[name] = resource
        self.stack.set_resource(resource, f"{verb}_IN_PROGRESS")

        def exists(physical_id: str) -> None:
            resource.physical_id = physical_id

        with _Reported(self.stack, resource, verb):
            kind = self.engine.type_of(resource.type)
            made = kind.create(_context(self.engine, self.stack, resource, exists), scope.dynamic(properties))
            resource.physical_id, resource.attributes = made.physical_id, made.attributes

    def _update(self, scope: Scope, old: Resource, new: Resource) -> None:
        self.stack.resources[new.logical_id] = new
        made = self._change(scope, old, new)
        if made.physical_id != old.physical_id:
            self._leftovers.append((old, "UpdateReplacePolicy"))

    def _change(self, scope: Scope, old: Resource, new: Resource) -> Made:
        self.stack.set_resource(new, "UPDATE_IN_PROGRESS")
        with _Reported(self.stack, new, "UPDATE"):
            context = _context(self.engine, self.stack, new, lambda _: None)
            before, after = scope.dynamic(old.properties), scope.dynamic(new.properties)
            made = self.engine.type_of(new.type).update(context, old.physical_id, before, after)
            new.physical_id, new.attributes = made.physical_id, made.attributes
        return made

    def _outputs(self, scope: Scope) -> list[dict[str, str]]:
        outputs = []
        for key, output in scope.template.section("Outputs").items():
            if not scope.condition(output.get("Condition")):
                continue
            row = {"OutputKey": key, "OutputValue": as_text(scope.dynamic(scope.resolve(output["Value"])))}
            if "Description" in output:
                row["Description"] = output["Description"]
            if "Export" in output:
                row["ExportName"] = as_text(scope.resolve(output["Export"]["Name"]))
            outputs.append(row)
        self._check_exports({row["ExportName"]: row["OutputValue"] for row in outputs if "ExportName" in row})
        return outputs

    def _check_exports(self, new: dict[str, str]) -> None:
        for name, value in self.stack.exports.items():
            users = ", ".join(self.engine.importers(name))
            if users and new.get(name) != value:
                verb = "updated" if name in new else "deleted"
                raise AwsError(
                    "ValidationError", f"Export {name} cannot be {verb} as it is in use by {users}."
                )
        for name in new:
            if (other := self.engine.exporter(name)) and other is not self.stack:
                raise AwsError(
                    "ValidationError", f"Export with name {name} is already exported by stack {other.name}."
                )

    def _commit(self, scope: Scope, outputs: list[dict[str, str]]) -> None:
        stack, proposal = self.stack, self.proposal
        stack.template, stack.tags, stack.details = proposal.template, proposal.tags, proposal.details
        stack.given, stack.parameters = proposal.given, proposal.parameters
        stack.outputs, stack.imported = outputs, scope.imported
        wanted = {n: d for n, d in proposal.template.resources.items() if scope.condition(d.get("Condition"))}
        stack.resources = {name: stack.resources[name] for name in wanted}

    # Back.

    def _back(self, reason: str) -> None:
        stack = self.stack
        if not self.rollback:
            stack.template, stack.given = self.proposal.template, self.proposal.given
            stack.parameters = self.proposal.parameters
            stack.set_status("CREATE_FAILED" if self.creates else "UPDATE_FAILED", reason.strip())
            return
        if self.creates:
            stack.template, stack.given = self.proposal.template, self.proposal.given
            stack.set_status("ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
            failed = _delete_all(self.engine, stack, creating=True)
            stack.set_status("ROLLBACK_FAILED" if failed else "ROLLBACK_COMPLETE")
            return
        stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", reason.strip())
        self._leftovers = []
        try:
            for name in order({n: r.definition for n, r in self._before.items()}):
                self._restore(self._before[name])
        except _StepError as error:
            stack.set_status(
                "UPDATE_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{error.logical_id}]."
            )
            return
        created = [(r, "DeletionPolicy") for n, r in stack.resources.items() if n not in self._before]
        stack.resources = {name: stack.resources[name] for name in self._before}
        self._clean_up("UPDATE_ROLLBACK_COMPLETE", [*created, *self._leftovers])

    def _restore(self, original: Resource) -> None:
        stack, name = self.stack, original.logical_id
        current = stack.resources[name]
        if current is original:
            return
        restored = original.copy()
        if name in self._replaced:
            self._leftovers.append((current, "Delete"))
            stack.resources[name] = restored
            stack.set_resource(restored, "UPDATE_COMPLETE")
        elif current.status.startswith("UPDATE") and current.properties is not original.properties:
            scope = scope_of(self.engine, stack, self.proposal.template, self.proposal.parameters)
            stack.resources[name] = restored
            restored.physical_id = current.physical_id
            made = self._change(scope, current, restored)
            if made.physical_id != current.physical_id:
                self._leftovers.append((current, "UpdateReplacePolicy"))
        else:
            stack.resources[name] = restored

    # Clean-up.

    def _clean_up(self, status: str, leftovers: Iterable[tuple[Resource, str]]) -> None:
        waste = [(resource, policy) for resource, policy in leftovers if resource.physical_id]
        if waste:
            self.stack.set_status(f"{status}_CLEANUP_IN_PROGRESS")
        by_name = {name: i for i, name in enumerate(order({r.logical_id: r.definition for r, _ in waste}))}
        for resource, policy in sorted(waste, key=lambda pair: -by_name[pair[0].logical_id]):
            _delete(self.engine, self.stack, resource.copy(), policy)
        self.stack.updated = None if self.creates else now()
        self.stack.set_status(status)


class _Reported:
    """Tells a step's end as an event, and turns what went wrong into :class:`_StepError`."""

    def __init__(self, stack: Stack, resource: Resource, verb: str) -> None:
        self._stack, self._resource, self._verb = stack, resource, verb

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            self._stack.set_resource(self._resource, f"{self._verb}_COMPLETE")
            return
        if not isinstance(error, (ResourceError, AwsError, ClientError, BotoCoreError)):
            _log.error("%s failed", self._resource.logical_id, exc_info=error)
        told = isinstance(error, (ResourceError, AwsError))
        text = str(error) if told else f'Resource handler returned message: "{error}"'
        self._stack.set_resource(self._resource, f"{self._verb}_FAILED", text)
        raise _StepError(self._resource.logical_id) from error


def _context(engine: Engine, stack: Stack, resource: Resource, exists: Callable[[str], None]) -> Context:
    return Context(
        aws=engine.aws,
        region=engine.region,
        account=engine.account,
        stack_name=stack.name,
        stack_id=stack.id,
        logical_id=resource.logical_id,
        type=resource.type,
        exists=exists,
    )


def _delete(engine: Engine, stack: Stack, resource: Resource, policy: str, creating: bool = False) -> bool:
    """Delete one resource, or leave it as its policy says; tell whether that went well."""
    kept = {"Retain", "Snapshot"} if creating else {"Retain", "RetainExceptOnCreate", "Snapshot"}
    if resource.definition.get(policy) in kept:
        stack.set_resource(resource, "DELETE_SKIPPED")
        return True
    stack.set_resource(resource, "DELETE_IN_PROGRESS")
    scope = scope_of(engine, stack, Template('{"Resources": {}}'), {})
    try:
        with _Reported(stack, resource, "DELETE"):
            context = _context(engine, stack, resource, lambda _: None)
            properties = scope.dynamic(resource.properties)
            try:
                engine.type_of(resource.type).delete(context, resource.physical_id, properties)
            except ClientError as error:
                if not _is_gone(error):
                    raise
    except _StepError:
        return False
    return True


def _is_gone(error: ClientError) -> bool:
    code = error.response.get("Error", {}).get("Code", "")
    return code.startswith(
        ("NoSuch", "ResourceNotFound", "NotFound", "ParameterNotFound", "RepositoryNotFound")
    )


def _delete_all(
    engine: Engine, stack: Stack, retain: Iterable[str] = (), creating: bool = False
) -> list[str]:
    """Delete every resource, dependents first; what could not be deleted keeps what it depends on."""
    failed: list[str] = []
    needed: set[str] = set()
    definitions = {name: resource.definition for name, resource in stack.resources.items()}
    for name in reversed(order(definitions)):
        resource = stack.resources[name]
        if name in needed:
            needed.update(uses(definitions[name]))
        elif (
            name in retain
            or not resource.physical_id
            or _delete(engine, stack, resource, "DeletionPolicy", creating)
        ):
            del stack.resources[name]
        else:
            failed.append(name)
            needed.update(uses(definitions[name]))
    return failed


def delete_stack(engine: Engine, stack: Stack, retain: Iterable[str] = ()) -> None:
    """Delete a stack, unless another one imports what it exports."""
    stack.set_status("DELETE_IN_PROGRESS", "User Initiated")
    for name in stack.exports:
        if users := ", ".join(engine.importers(name)):
            stack.set_status("DELETE_FAILED", f"Export {name} cannot be deleted as it is in use by {users}.")
            return
    if failed := _delete_all(engine, stack, retain):
        stack.set_status(
            "DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}]."
        )
        return
    stack.deleted, stack.imported, stack.outputs = now(), {}, []
    stack.set_status("DELETE_COMPLETE")
