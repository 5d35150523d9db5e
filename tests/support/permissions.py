"""What the handler's role may do, as a template says it: one line for each action on each resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aws_cdk import Stack

from tests.support.apps import template_of

#: How the lines name the resources of the stack.
_NAMES: Final = {
    "AWS::S3::Bucket": "{bucket}",
    "AWS::Logs::LogGroup": "{log group}",
    "AWS::KMS::Key": "{key}",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::URLSuffix": "amazonaws.com",
}
#: And the bucket of the bootstrap.
_ASSETS: Final = "cdk-hnb659fds-assets-123456789012-us-east-1"


def handler_permissions(stack: Stack) -> list[str]:
    """Return what the policies of the template allow the handler's role, wherever they stand."""
    template = template_of(stack).to_json()
    resources = template["Resources"]
    (role,) = {
        str(resource["Properties"]["Role"])
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function" and name.startswith("LbdartPublisher")
    }
    found: set[str] = set()
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            if f"'{name}'" not in role:
                continue
            assert "ManagedPolicyArns" not in properties
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        elif "PolicyDocument" in properties and "Roles" in properties:
            assert all(isinstance(each, str) or f"'{each['Ref']}'" in role for each in properties["Roles"])
            documents = [properties["PolicyDocument"]]
        else:
            continue
        for document in documents:
            found.update(line for each in document["Statement"] for line in _lines(each, resources))
    return sorted(found)


def statements_as_lines(stack: Stack, document: dict[str, Any]) -> list[str]:
    """Return the lines of another policy of the stack."""
    resources = template_of(stack).to_json()["Resources"]
    return sorted(line for each in document["Statement"] for line in _lines(each, resources))


def _lines(statement: dict[str, Any], resources: dict[str, Any]) -> Iterator[str]:
    extra = dict(statement)
    assert extra.pop("Effect") == "Allow"
    for action in _listed(extra.pop("Action")):
        for resource in _listed(statement["Resource"]):
            line = f"{action} {text_of(resource, resources)}"
            condition = statement.get("Condition")
            yield f"{line} if {text_of(condition, resources)}" if condition else line
    assert set(extra) <= {"Resource", "Condition", "Sid"}, extra


def text_of(value: Any, resources: dict[str, Any]) -> str:
    """Return a value of the template as text; an attribute of a resource stands for the resource."""
    match value:
        case str():
            whole: str = value
            for name, text in _NAMES.items():
                whole = whole.replace(f"${{{name}}}", text)
            return whole.replace(_ASSETS, "{assets}")
        case {"Fn::Join": [separator, parts]}:
            return text_of(str(separator).join(text_of(part, resources) for part in parts), resources)
        case {"Fn::Sub": text}:
            return text_of(text, resources)
        case {"Fn::GetAtt": [name, _]} | {"Ref": name}:
            return _NAMES[resources[name]["Type"] if name in resources else name]
        case dict():
            return " ".join(f"{name} {text_of(each, resources)}" for name, each in value.items())
        case list():
            return " ".join(text_of(each, resources) for each in value)
    raise AssertionError(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
