"""The resource types of Lambda."""

from __future__ import annotations

from typing import Any, ClassVar

from integ.local_aws.cloudformation.custom_resource import ResourceError
from integ.local_aws.cloudformation.resource_type import Context, Made, ResourceType
from integ.local_aws.moto_seams import inline_code_zip

__all__ = ["LAMBDA_TYPES"]


class Function(ResourceType):
    """``Ref`` is the name."""

    names = ("AWS::Lambda::Function",)
    fixed = frozenset({"FunctionName", "PackageType"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        name = new.get("FunctionName") or at.name()
        code = self._code(new["Code"])
        at.aws.call("lambda", "CreateFunction", new, FunctionName=name, Code=code)
        at.exists(name)
        if "ReservedConcurrentExecutions" in new:
            at.aws.call("lambda", "PutFunctionConcurrency", new, FunctionName=name)
        return Made(name, {"Arn": at.arn("lambda", f"function:{name}")})

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
        if "Code" in changed:
            code = self._code(new["Code"])
            at.aws.call("lambda", "UpdateFunctionCode", code, FunctionName=physical_id)
        if settings := changed - {"Code", "Tags"}:
            given = {key: new.get(key, self._DEFAULTS.get(key)) for key in settings}
            given = {key: value for key, value in given.items() if value is not None}
            at.aws.call("lambda", "UpdateFunctionConfiguration", given, FunctionName=physical_id)
        return Made(physical_id, {"Arn": at.arn("lambda", f"function:{physical_id}")})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("lambda", "DeleteFunction", FunctionName=physical_id)

    #: What a property goes back to when it is taken out of the template.
    _DEFAULTS: ClassVar[dict[str, Any]] = {
        "Description": "",
        "Environment": {"Variables": {}},
        "Layers": [],
        "LoggingConfig": {},
        "MemorySize": 128,
        "Timeout": 3,
    }

    @staticmethod
    def _code(code: dict[str, Any]) -> dict[str, Any]:
        return {"ZipFile": inline_code_zip(code["ZipFile"])} if "ZipFile" in code else code


class LayerVersion(ResourceType):
    """Every change publishes another version."""

    names = ("AWS::Lambda::LayerVersion",)
    fixed = None

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        name = new.get("LayerName") or at.name(140)
        arn = at.aws.call("lambda", "PublishLayerVersion", new, LayerName=name)["LayerVersionArn"]
        return Made(arn, {"LayerVersionArn": arn})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        *_, name, version = physical_id.split(":")
        at.aws.call("lambda", "DeleteLayerVersion", LayerName=name, VersionNumber=version)


class LayerVersionPermission(ResourceType):
    """A statement in the policy of one layer version."""

    names = ("AWS::Lambda::LayerVersionPermission",)
    fixed = None

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        sid = at.name()
        layer = self._layer(new)
        at.aws.call("lambda", "AddLayerVersionPermission", new, **layer, StatementId=sid)
        return Made(f"{new['LayerVersionArn']}#{sid}", {"Id": sid})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        sid = physical_id.rpartition("#")[2]
        at.aws.call("lambda", "RemoveLayerVersionPermission", **self._layer(old), StatementId=sid)

    @staticmethod
    def _layer(properties: dict[str, Any]) -> dict[str, str]:
        *_, name, version = properties["LayerVersionArn"].split(":")
        return {"LayerName": name, "VersionNumber": version}


class Permission(ResourceType):
    """A statement in a function's policy."""

    names = ("AWS::Lambda::Permission",)
    fixed = None

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        sid = at.name(100)
        at.aws.call("lambda", "AddPermission", new, StatementId=sid)
        return Made(sid, {"Id": sid})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("lambda", "RemovePermission", FunctionName=old["FunctionName"], StatementId=physical_id)


class Version(ResourceType):
    """A published version; ``Ref`` is its ARN.

    Lambda publishes nothing when nothing has changed since the last version, and CloudFormation refuses that.
    """

    names = ("AWS::Lambda::Version",)
    fixed = None

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        before = at.aws.call("lambda", "ListVersionsByFunction", new)["Versions"]
        made = at.aws.call("lambda", "PublishVersion", new)
        if made["Version"] in [row["Version"] for row in before]:
            raise ResourceError(
                f"A version for this Lambda function exists ( {made['Version']} ). "
                "Modify the function to create a new version."
            )
        arn = at.arn("lambda", f"function:{made['FunctionName']}:{made['Version']}")
        return Made(arn, {"Version": made["Version"], "FunctionArn": arn})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        *_, name, version = physical_id.split(":")
        at.aws.call("lambda", "DeleteFunction", FunctionName=name, Qualifier=version)


class Alias(ResourceType):
    """``Ref`` is the ARN."""

    names = ("AWS::Lambda::Alias",)
    fixed = frozenset({"FunctionName", "Name"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        arn = at.aws.call("lambda", "CreateAlias", new)["AliasArn"]
        return Made(arn, {"AliasArn": arn})

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        at.aws.call("lambda", "UpdateAlias", new)
        return Made(physical_id, {"AliasArn": physical_id})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("lambda", "DeleteAlias", old)


class Url(ResourceType):
    """A function URL, which moto names but does not serve."""

    names = ("AWS::Lambda::Url",)
    fixed = frozenset({"TargetFunctionArn", "Qualifier"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        made = at.aws.call("lambda", "CreateFunctionUrlConfig", new, FunctionName=new["TargetFunctionArn"])
        return Made(
            made["FunctionArn"], {"FunctionUrl": made["FunctionUrl"], "FunctionArn": made["FunctionArn"]}
        )

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        made = at.aws.call("lambda", "UpdateFunctionUrlConfig", new, FunctionName=new["TargetFunctionArn"])
        return Made(physical_id, {"FunctionUrl": made["FunctionUrl"], "FunctionArn": made["FunctionArn"]})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("lambda", "DeleteFunctionUrlConfig", FunctionName=old["TargetFunctionArn"])


class EventInvokeConfig(ResourceType):
    """How often an asynchronous event is retried."""

    names = ("AWS::Lambda::EventInvokeConfig",)
    fixed = frozenset({"FunctionName", "Qualifier"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        at.aws.call("lambda", "PutFunctionEventInvokeConfig", new)
        return Made(at.name())

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        at.aws.call("lambda", "PutFunctionEventInvokeConfig", new)
        return Made(physical_id)

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("lambda", "DeleteFunctionEventInvokeConfig", old)


LAMBDA_TYPES: tuple[ResourceType, ...] = (
    *(Function(), LayerVersion(), LayerVersionPermission(), Permission()),
    *(Version(), Alias(), Url(), EventInvokeConfig()),
)
