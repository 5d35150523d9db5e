"""The intrinsic functions: what an expression of a template is worth."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from integ.local_aws.cloudformation.template import SUB_NAME, Template
from integ.local_aws.errors import AwsError, validation_error

__all__ = ["Outside", "Scope", "as_text"]

_NO_VALUE = object()
_DYNAMIC = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")


@dataclass(frozen=True)
class Outside:
    """What expressions can ask for beyond their own stack.

    ``exported`` takes an export's name, ``stack_output`` a stack, an output and a region, ``ssm`` a
    parameter's name, ``secret`` a secret's id.
    """

    exported: Callable[[str], str]
    stack_output: Callable[[str, str, str], str]
    ssm: Callable[[str], str]
    secret: Callable[[str], str]


@dataclass
class Scope:
    """Resolves the expressions of one template.

    :param attributes: gives a resource's attribute; the attribute None is its ``Ref``
    """

    template: Template
    parameters: Mapping[str, Any]
    pseudo: Mapping[str, Any]
    outside: Outside
    attributes: Callable[[str, str | None], Any]
    #: What weak references are worth without reading them again, by how they are asked for.
    known: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    #: What came from other stacks, by how it was asked for.
    imported: dict[tuple[str, ...], str] = field(default_factory=dict)
    _conditions: dict[str, bool] = field(default_factory=dict)

    def resolve(self, node: Any) -> Any:
        """The value of an expression; ``{{resolve:...}}`` stays as it is."""
        if isinstance(node, list):
            return [value for member in node if (value := self.resolve(member)) is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name == "Ref":
                return self._ref(argument)
            if (
                name == "Condition"
                and isinstance(argument, str)
                and argument in self.template.section("Conditions")
            ):
                return self.condition(argument)
            if name.startswith("Fn::"):
                function = _FUNCTIONS.get(name)
                if function is None:
                    raise validation_error(f"Template error: the local CloudFormation has no {name}")
                return function(self, argument)
        return {
            key: value for key, member in node.items() if (value := self.resolve(member)) is not _NO_VALUE
        }

    def condition(self, name: str | None) -> bool:
        """Whether a condition of the template holds; no condition always does."""
        if name is None:
            return True
        if name not in self._conditions:
            expression = self.template.section("Conditions").get(name)
            if expression is None:
                raise validation_error(f"Template error: unresolved condition {name}")
            self._conditions[name] = bool(self.resolve(expression))
        return self._conditions[name]

    def dynamic(self, node: Any) -> Any:
        """The same value with every ``{{resolve:...}}`` looked up."""
        if isinstance(node, list):
            return [self.dynamic(member) for member in node]
        if isinstance(node, dict):
            return {key: self.dynamic(member) for key, member in node.items()}
        return _DYNAMIC.sub(self._look_up, node) if isinstance(node, str) else node

    def of_resource(self, known: Mapping[tuple[str, ...], str]) -> Scope:
        """The same scope for one resource, with what it read from other stacks before."""
        return replace(self, known=known, imported={})

    def _look_up(self, match: re.Match[str]) -> str:
        if match[1] != "secretsmanager":
            return self.outside.ssm(match[2])
        identifier, *rest = re.split(r":(?=SecretString)", match[2])
        secret = self.outside.secret(identifier)
        member = rest[0].split(":")[1] if rest and rest[0].count(":") else ""
        return str(json.loads(secret)[member]) if member else secret

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        return self.attributes(name, None)

    def _get_att(self, argument: Any) -> Any:
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        return self.attributes(name, self.resolve(attribute))

    def _sub(self, argument: Any) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument

        def value(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return f"${{{name}}}"
            if name in variables:
                return as_text(self.resolve(variables[name]))
            return as_text(self._get_att(name) if "." in name else self._ref(name))

        return SUB_NAME.sub(value, text)

    def _join(self, argument: Any) -> str:
        delimiter, members = argument
        values = self.resolve(members)
        return str(delimiter).join(
            as_text(value) for value in (values if isinstance(values, list) else [values])
        )

    def _select(self, argument: Any) -> Any:
        index, members = (self.resolve(member) for member in argument)
        try:
            return members[int(index)]
        except IndexError:
            raise validation_error(
                f"Template error: Fn::Select cannot select nonexistent value at index {index}"
            ) from None

    def _if(self, argument: Any) -> Any:
        name, then, otherwise = argument
        return self.resolve(then if self.condition(name) else otherwise)

    def _find_in_map(self, argument: Any) -> Any:
        name, first, second = (self.resolve(member) for member in argument[:3])
        try:
            return self.template.section("Mappings")[name][first][second]
        except KeyError:
            if len(argument) > 3:
                return self.resolve(argument[3]["DefaultValue"])
            raise validation_error(
                f"Template error: Unable to get mapping for {name}::{first}::{second}"
            ) from None

    def _import(self, argument: Any) -> str:
        name = as_text(self.resolve(argument))
        self.imported[name,] = value = self.outside.exported(name)
        return value

    def _stack_output(self, argument: Any) -> str:
        wanted = self.resolve(argument)
        key = (wanted["StackName"], wanted["OutputName"], wanted.get("Region", self.pseudo["AWS::Region"]))
        value = self.known.get(key) or self.outside.stack_output(*key)
        self.imported[key] = value
        return value


def as_text(value: Any) -> str:
    """A scalar as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        raise AwsError("ValidationError", f"Template error: a string is needed, not {value!r}")
    return str(value)


_FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Fn::And": lambda scope, argument: all(scope.resolve(member) for member in argument),
    "Fn::Base64": lambda scope, argument: base64.b64encode(
        as_text(scope.resolve(argument)).encode()
    ).decode(),
    "Fn::Equals": lambda scope, argument: (
        as_text(scope.resolve(argument[0])) == as_text(scope.resolve(argument[1]))
    ),
    "Fn::FindInMap": Scope._find_in_map,
    "Fn::GetAZs": lambda scope, argument: [f"{scope.pseudo['AWS::Region']}{letter}" for letter in "abc"],
    "Fn::GetAtt": Scope._get_att,
    "Fn::GetStackOutput": Scope._stack_output,
    "Fn::If": Scope._if,
    "Fn::ImportValue": Scope._import,
    "Fn::Join": Scope._join,
    "Fn::Not": lambda scope, argument: not scope.resolve(argument[0]),
    "Fn::Or": lambda scope, argument: any(scope.resolve(member) for member in argument),
    "Fn::Select": Scope._select,
    "Fn::Split": lambda scope, argument: as_text(scope.resolve(argument[1])).split(argument[0]),
    "Fn::Sub": Scope._sub,
}
