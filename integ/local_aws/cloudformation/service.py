"""CloudFormation's API: what the cdk CLI and boto3 call."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from integ.local_aws import moto_seams
from integ.local_aws.calls import Call
from integ.local_aws.cloudformation import rows
from integ.local_aws.cloudformation.engine import Deployment, Engine, Proposal, delete_stack
from integ.local_aws.cloudformation.resource_type import Clients, ResourceType
from integ.local_aws.cloudformation.scope import Outside
from integ.local_aws.cloudformation.stack import ChangeSet, Stack
from integ.local_aws.cloudformation.template import Template, same
from integ.local_aws.errors import AwsError, validation_error

__all__ = ["CloudFormation"]

NO_UPDATES = "No updates are to be performed."
NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)


@dataclass
class _Region:
    engine: Engine
    stacks: list[Stack] = field(default_factory=list)


class CloudFormation:
    """All stacks of all regions.

    :param clients: makes the clients that resources are made with, for a region
    :param types: the resource types by name
    :param settle_seconds: how long a call waits for the operation that it started; then the operation goes
        on by itself, as always on AWS. Most are done by then, and nobody has to poll.
    """

    def __init__(
        self, clients: Callable[[str], Clients], types: Mapping[str, ResourceType], settle_seconds: float
    ) -> None:
        self._clients = clients
        self._types = types
        self._settle_seconds = settle_seconds
        self._regions: dict[str, _Region] = {}
        self._lock = threading.RLock()
        self._threads: list[threading.Thread] = []

    def __call__(self, call: Call, region: str) -> dict[str, Any]:
        """Answer one API call."""
        answer = _OPERATIONS.get(call.operation)
        if answer is None:
            raise AwsError("InvalidAction", f"The local CloudFormation has no {call.operation}.")
        return answer(self, self._region(region), call.parameters) or {}

    def stop(self, seconds: float) -> None:
        """Wait for running operations to end."""
        for thread in self._threads:
            thread.join(seconds)

    # Stacks.

    def _create_stack(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._find(region, given["StackName"]):
                raise AwsError("AlreadyExistsException", f"Stack [{given['StackName']}] already exists")
            stack = self._new_stack(region, given["StackName"])
            proposal = self._proposal(region, given, stack)
            region.stacks.append(stack)
        rollback = not given.get("DisableRollback") and given.get("OnFailure") != "DO_NOTHING"
        self._deploy(
            region, stack, proposal, creates=True, rollback=rollback, token=given.get("ClientRequestToken")
        )
        return {"StackId": stack.id}

    def _update_stack(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        stack = self._ready(region, given["StackName"])
        proposal = self._proposal(region, given, stack)
        if self._same(stack, proposal):
            raise validation_error(NO_UPDATES)
        rollback = not given.get("DisableRollback")
        self._deploy(
            region, stack, proposal, creates=False, rollback=rollback, token=given.get("ClientRequestToken")
        )
        return {"StackId": stack.id}

    def _delete_stack(self, region: _Region, given: dict[str, Any]) -> None:
        stack = self._find(region, given["StackName"])
        if stack is None or stack.status == "DELETE_COMPLETE":
            return
        if stack.details.get("EnableTerminationProtection"):
            raise validation_error(
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
        self._check_settled(stack)
        retain = given.get("RetainResources", [])
        self._run(stack, lambda: delete_stack(region.engine, stack, retain), given.get("ClientRequestToken"))

    def _protect(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        stack = self._existing(region, given["StackName"])
        stack.details["EnableTerminationProtection"] = given["EnableTerminationProtection"]
        return {"StackId": stack.id}

    # Change sets.

    def _create_change_set(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        kind = given.get("ChangeSetType", "UPDATE")
        with self._lock:
            stack = self._find(region, given["StackName"])
            if stack is None and kind == "UPDATE":
                raise validation_error(f"Stack [{given['StackName']}] does not exist")
            if stack is None:
                stack = self._new_stack(region, given["StackName"])
                region.stacks.append(stack)
                stack.set_status("REVIEW_IN_PROGRESS", "User Initiated")
            elif kind == "CREATE" and stack.status != "REVIEW_IN_PROGRESS":
                raise AwsError("AlreadyExistsException", f"Stack [{stack.name}] already exists")
        proposal = self._proposal(region, given, stack)
        change_set = ChangeSet(
            name=given["ChangeSetName"],
            id=_arn(region, f"changeSet/{given['ChangeSetName']}"),
            type=kind,
            template=proposal.template,
            given=proposal.given,
            parameters=proposal.parameters,
            tags=proposal.tags,
            details=proposal.details,
            changes=rows.changes(region.engine, stack, proposal),
        )
        if kind == "UPDATE" and self._same(stack, proposal):
            change_set.status, change_set.execution_status, change_set.reason = (
                "FAILED",
                "UNAVAILABLE",
                NO_CHANGES,
            )
        stack.change_sets[change_set.name] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def _describe_change_set(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        stack, found = self._change_set(region, given)
        return {
            **rows.change_set(stack, found),
            "Parameters": rows.parameters(found.template, found.given, found.parameters),
            "Tags": found.tags,
            "Capabilities": found.details.get("Capabilities", []),
            "Changes": found.changes,
        }

    def _list_change_sets(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        stack = self._existing(region, given["StackName"])
        return {"Summaries": [rows.change_set(stack, found) for found in stack.change_sets.values()]}

    def _delete_change_set(self, region: _Region, given: dict[str, Any]) -> None:
        try:
            stack, found = self._change_set(region, given)
        except AwsError:
            return
        del stack.change_sets[found.name]

    def _execute_change_set(self, region: _Region, given: dict[str, Any]) -> None:
        stack, found = self._change_set(region, given)
        if found.execution_status != "AVAILABLE":
            text = f"ChangeSet [{found.id}] cannot be executed in its current status of [{found.status}]"
            raise AwsError("InvalidChangeSetStatus", text)
        self._check_settled(stack)
        stack.change_sets.clear()
        proposal = Proposal(found.template, found.given, found.parameters, found.tags, found.details)
        rollback = not given.get("DisableRollback") and found.details.get("OnStackFailure") != "DO_NOTHING"
        creates, token = found.type == "CREATE", given.get("ClientRequestToken")
        self._deploy(region, stack, proposal, creates=creates, rollback=rollback, token=token)

    # Reading.

    def _describe_stacks(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        if name := given.get("StackName"):
            return {"Stacks": [rows.stack(self._existing(region, name))]}
        return {"Stacks": [rows.stack(stack) for stack in region.stacks if stack.status != "DELETE_COMPLETE"]}

    def _list_stacks(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        wanted = given.get("StackStatusFilter")
        return {"StackSummaries": [rows.stack(s) for s in region.stacks if not wanted or s.status in wanted]}

    def _describe_stack_events(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        return {"StackEvents": self._existing(region, given["StackName"]).events[::-1]}

    def _describe_stack_resources(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        if "StackName" not in given:
            wanted = given.get("PhysicalResourceId")
            owner = next(
                (s for s in region.stacks if any(r.physical_id == wanted for r in s.resources.values())), None
            )
            if owner is None:
                raise validation_error(f"Stack for {wanted} does not exist")
            return {"StackResources": rows.resources(owner)}
        listed = rows.resources(self._existing(region, given["StackName"]))
        wanted = given.get("LogicalResourceId")
        return {"StackResources": [row for row in listed if wanted in (None, row["LogicalResourceId"])]}

    def _describe_stack_resource(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        listed = self._describe_stack_resources(region, given)["StackResources"]
        if not listed:
            text = f"Resource {given['LogicalResourceId']} does not exist for stack {given['StackName']}"
            raise validation_error(text)
        return {"StackResourceDetail": {**listed[0], "LastUpdatedTimestamp": listed[0]["Timestamp"]}}

    def _list_stack_resources(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        listed = rows.resources(self._existing(region, given["StackName"]))
        return {
            "StackResourceSummaries": [{**row, "LastUpdatedTimestamp": row["Timestamp"]} for row in listed]
        }

    def _get_template(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        stack = self._existing(region, given["StackName"])
        if name := given.get("ChangeSetName"):
            return {
                "TemplateBody": self._change_set(region, {**given, "ChangeSetName": name})[1].template.text
            }
        text = stack.template.text if stack.template else ""
        return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}

    def _get_template_summary(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        template = self._template(region, given, self._find(region, given.get("StackName", "")))
        parameters = [
            {
                "ParameterKey": name,
                "ParameterType": spec.get("Type", "String"),
                "NoEcho": bool(spec.get("NoEcho")),
                "Description": spec.get("Description", ""),
                **({"DefaultValue": str(spec["Default"])} if "Default" in spec else {}),
            }
            for name, spec in template.section("Parameters").items()
        ]
        types = sorted({definition["Type"] for definition in template.resources.values()})
        description = {"Description": template.body["Description"]} if "Description" in template.body else {}
        iam = ["CAPABILITY_NAMED_IAM"] if any(kind.startswith("AWS::IAM::") for kind in types) else []
        return {"Parameters": parameters, "ResourceTypes": types, "Capabilities": iam, **description}

    def _list_exports(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        listed = [
            {"ExportingStackId": stack.id, "Name": name, "Value": value}
            for stack in region.stacks
            for name, value in stack.exports.items()
        ]
        return {"Exports": listed}

    def _list_imports(self, region: _Region, given: dict[str, Any]) -> dict[str, Any]:
        return {"Imports": region.engine.importers(given["ExportName"])}

    # Inside.

    def _region(self, name: str) -> _Region:
        with self._lock:
            if name not in self._regions:
                aws = self._clients(name)
                engine = Engine(
                    region=name,
                    account=moto_seams.ACCOUNT,
                    aws=aws,
                    types=self._types,
                    outside=Outside(
                        exported=lambda export: self._exported(name, export),
                        stack_output=self._stack_output,
                        ssm=lambda parameter: _read(aws, "ssm", "GetParameter", parameter),
                        secret=lambda secret: _read(aws, "secretsmanager", "GetSecretValue", secret),
                    ),
                    exporter=lambda export: self._exporter(name, export),
                    importers=lambda export: [
                        s.name for s in self._regions[name].stacks if (export,) in s.imported
                    ],
                )
                self._regions[name] = _Region(engine)
            return self._regions[name]

    def _exporter(self, region: str, export: str) -> Stack | None:
        return next((stack for stack in self._region(region).stacks if export in stack.exports), None)

    def _exported(self, region: str, export: str) -> str:
        stack = self._exporter(region, export)
        if stack is None:
            raise validation_error(f"No export named {export} found.")
        return stack.exports[export]

    def _stack_output(self, stack_name: str, output: str, region: str) -> str:
        stack = self._existing(self._region(region), stack_name)
        for row in stack.outputs:
            if row["OutputKey"] == output:
                return row["OutputValue"]
        raise validation_error(f"Stack {stack_name} has no output {output}.")

    def _new_stack(self, region: _Region, name: str) -> Stack:
        stack = Stack(name, _arn(region, f"stack/{name}"), "CREATE_IN_PROGRESS")
        stack.settled.set()
        return stack

    def _find(self, region: _Region, name_or_id: str) -> Stack | None:
        by_id = next((stack for stack in region.stacks if stack.id == name_or_id), None)
        alive = (s for s in region.stacks if s.name == name_or_id and s.status != "DELETE_COMPLETE")
        return by_id or next(alive, None)

    def _existing(self, region: _Region, name_or_id: str) -> Stack:
        stack = self._find(region, name_or_id)
        if stack is None:
            raise validation_error(f"Stack with id {name_or_id} does not exist")
        return stack

    def _ready(self, region: _Region, name: str) -> Stack:
        stack = self._existing(region, name)
        self._check_settled(stack)
        if stack.status in {
            "ROLLBACK_COMPLETE",
            "ROLLBACK_FAILED",
            "DELETE_FAILED",
            "UPDATE_ROLLBACK_FAILED",
        }:
            raise validation_error(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        return stack

    @staticmethod
    def _check_settled(stack: Stack) -> None:
        if not stack.settled.is_set():
            raise validation_error(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def _change_set(self, region: _Region, given: dict[str, Any]) -> tuple[Stack, ChangeSet]:
        name = given["ChangeSetName"]
        wanted = [self._existing(region, given["StackName"])] if "StackName" in given else region.stacks
        for stack in wanted:
            for found in stack.change_sets.values():
                if name in (found.name, found.id):
                    return stack, found
        raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)

    def _template(self, region: _Region, given: dict[str, Any], stack: Stack | None) -> Template:
        if "TemplateBody" in given:
            return Template(given["TemplateBody"])
        if "TemplateURL" in given:
            return Template(moto_seams.read_s3_url(given["TemplateURL"]))
        if stack and stack.template:
            return stack.template
        raise validation_error("Either Template URL or Template Body must be specified.")

    def _proposal(self, region: _Region, given: dict[str, Any], stack: Stack) -> Proposal:
        template = self._template(region, given, stack)
        values = {
            row["ParameterKey"]: stack.given[row["ParameterKey"]]
            if row.get("UsePreviousValue")
            else row["ParameterValue"]
            for row in given.get("Parameters", [])
            if not row.get("UsePreviousValue") or row["ParameterKey"] in stack.given
        }
        parameters = template.parameters(values, region.engine.outside.ssm)
        kept = ("Capabilities", "RoleARN", "EnableTerminationProtection", "OnStackFailure", "Description")
        details = {**stack.details, **{key: given[key] for key in kept if key in given}}
        return Proposal(template, values, parameters, given.get("Tags", stack.tags), details)

    @staticmethod
    def _same(stack: Stack, proposal: Proposal) -> bool:
        if stack.template is None or not same(stack.template.body, proposal.template.body):
            return False
        return same(stack.parameters, proposal.parameters) and same(stack.tags, proposal.tags)

    def _deploy(
        self,
        region: _Region,
        stack: Stack,
        proposal: Proposal,
        *,
        creates: bool,
        rollback: bool,
        token: str | None,
    ) -> None:
        self._run(stack, Deployment(region.engine, stack, proposal, creates, rollback).run, token)

    def _run(self, stack: Stack, operation: Callable[[], None], token: str | None) -> None:
        stack.token = token
        stack.settled.clear()

        def run() -> None:
            try:
                operation()
            finally:
                stack.settled.set()

        thread = threading.Thread(target=run, name=f"stack-{stack.name}", daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()
        stack.settled.wait(self._settle_seconds)


_OPERATIONS: dict[str, Callable[[CloudFormation, _Region, dict[str, Any]], dict[str, Any] | None]] = {
    "CreateChangeSet": CloudFormation._create_change_set,
    "CreateStack": CloudFormation._create_stack,
    "DeleteChangeSet": CloudFormation._delete_change_set,
    "DeleteStack": CloudFormation._delete_stack,
    "DescribeChangeSet": CloudFormation._describe_change_set,
    "DescribeStackEvents": CloudFormation._describe_stack_events,
    "DescribeStackResource": CloudFormation._describe_stack_resource,
    "DescribeStackResources": CloudFormation._describe_stack_resources,
    "DescribeStacks": CloudFormation._describe_stacks,
    "ExecuteChangeSet": CloudFormation._execute_change_set,
    "GetTemplate": CloudFormation._get_template,
    "GetTemplateSummary": CloudFormation._get_template_summary,
    "ListChangeSets": CloudFormation._list_change_sets,
    "ListExports": CloudFormation._list_exports,
    "ListImports": CloudFormation._list_imports,
    "ListStackResources": CloudFormation._list_stack_resources,
    "ListStacks": CloudFormation._list_stacks,
    "UpdateStack": CloudFormation._update_stack,
    "UpdateTerminationProtection": CloudFormation._protect,
    "ValidateTemplate": CloudFormation._get_template_summary,
}


def _arn(region: _Region, resource: str) -> str:
    engine = region.engine
    return f"arn:aws:cloudformation:{engine.region}:{engine.account}:{resource}/{uuid.uuid4()}"


def _read(aws: Clients, service: str, operation: str, name: str) -> str:
    try:
        if service == "ssm":
            return str(aws.call("ssm", operation, Name=name, WithDecryption=True)["Parameter"]["Value"])
        return str(aws.call(service, operation, SecretId=name)["SecretString"])
    except ClientError as error:
        raise validation_error(f"Unable to fetch {name} from {service}: {error}") from None
