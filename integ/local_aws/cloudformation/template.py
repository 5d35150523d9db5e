"""Templates: reading them, their parameters, and the order of their resources."""

from __future__ import annotations

import copy
import graphlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from integ.local_aws.errors import validation_error

__all__ = ["SUB_NAME", "Template", "order", "same", "uses"]

#: ``${Name}`` of Fn::Sub; ``${!Name}`` stands for itself.
SUB_NAME = re.compile(r"\$\{(!?)([^}]+)\}")

_SSM_TYPE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")


class Template:
    """A parsed template."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            body = yaml.load(text, Loader=_Loader)  # JSON is YAML
        except yaml.YAMLError as error:
            raise validation_error(f"Template format error: {error}") from None
        if not isinstance(body, dict) or not isinstance(body.get("Resources"), dict):
            raise validation_error("Template format error: At least one Resources member must be defined.")
        self.body: dict[str, Any] = body

    def section(self, name: str) -> dict[str, Any]:
        """A top-level section, empty when it is not there."""
        return dict(self.body.get(name) or {})

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The declared resources."""
        return self.section("Resources")

    def parameters(self, given: Mapping[str, str], ssm: Callable[[str], str]) -> dict[str, Any]:
        """The value of each parameter as ``Ref`` gives it.

        :param ssm: reads an SSM parameter, for the parameter types that name one
        :raises AwsError: for a missing, unknown or refused value
        """
        declared = self.section("Parameters")
        if unknown := sorted(given.keys() - declared.keys()):
            raise validation_error(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        if missing := [n for n, spec in declared.items() if n not in given and "Default" not in spec]:
            raise validation_error(f"Parameters: [{', '.join(missing)}] must have values")
        return {
            name: _value(name, spec, str(given.get(name, spec.get("Default"))), ssm)
            for name, spec in declared.items()
        }


def _value(name: str, spec: Mapping[str, Any], text: str, ssm: Callable[[str], str]) -> Any:
    kind = spec.get("Type", "String")
    if match := _SSM_TYPE.fullmatch(kind):
        kind, text = match[1], ssm(text)
    if "AllowedValues" in spec and text not in map(str, spec["AllowedValues"]):
        raise validation_error(f"Parameter '{name}' must be one of AllowedValues")
    if "AllowedPattern" in spec and not re.fullmatch(spec["AllowedPattern"], text):
        reason = spec.get("ConstraintDescription", f"must match pattern {spec['AllowedPattern']}")
        raise validation_error(f"Parameter {name} failed to satisfy constraint: {reason}")
    return text.split(",") if kind == "CommaDelimitedList" or kind.startswith("List<") else text


def references(node: Any) -> Iterator[str]:
    """The logical ids (and pseudo parameters) that an expression mentions."""
    if isinstance(node, list):
        for member in node:
            yield from references(member)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "Ref":
            yield value
        elif key == "Fn::GetAtt":
            yield value.split(".")[0] if isinstance(value, str) else value[0]
        elif key == "Fn::Sub":
            text = value if isinstance(value, str) else value[0]
            yield from (name.split(".")[0] for literal, name in SUB_NAME.findall(text) if not literal)
            yield from references(value)
        else:
            yield from references(value)


def uses(definition: Mapping[str, Any]) -> list[str]:
    """What a resource depends on, by ``DependsOn`` or by mentioning it."""
    explicit = definition.get("DependsOn", [])
    return [
        *([explicit] if isinstance(explicit, str) else explicit),
        *references(definition.get("Properties", {})),
    ]


def order(resources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Logical ids so that each comes after what it depends on.

    :raises AwsError: for a circle, or a name that is nowhere declared
    """
    graph: dict[str, list[str]] = {}
    for name, resource in resources.items():
        graph[name] = [other for other in uses(resource) if other in resources]
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        raise validation_error(
            f"Circular dependency between resources: {sorted(set(error.args[1]))}"
        ) from None


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms; a date such as a policy's version stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in copy.deepcopy(yaml.SafeLoader.yaml_implicit_resolvers).items()
}


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any = None
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if suffix == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def same(one: Any, other: Any) -> bool:
    """Whether two resolved values are equal as documents."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
