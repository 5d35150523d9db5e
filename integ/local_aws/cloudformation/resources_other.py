"""The resource types of the other services: what `cdk bootstrap` makes, and what apps around layers use."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from integ.local_aws.cloudformation.resource_type import Context, Made, ResourceType

__all__ = ["OTHER_TYPES"]


class Metadata(ResourceType):
    """CDK's own remark about an app: nothing to do."""

    names = ("AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle")

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        return Made(at.name())

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return Made(physical_id)

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        pass


class Bucket(ResourceType):
    """``Ref`` is the name. Deleting one that is not empty fails, as on AWS."""

    names = ("AWS::S3::Bucket",)
    fixed = frozenset({"BucketName"})

    #: Property to the operation that sets it, and the name that the operation has for it.
    _PARTS: ClassVar[dict[str, tuple[str, str]]] = {
        "VersioningConfiguration": ("PutBucketVersioning", "VersioningConfiguration"),
        "BucketEncryption": ("PutBucketEncryption", "ServerSideEncryptionConfiguration"),
        "PublicAccessBlockConfiguration": ("PutPublicAccessBlock", "PublicAccessBlockConfiguration"),
        "OwnershipControls": ("PutBucketOwnershipControls", "OwnershipControls"),
        "LifecycleConfiguration": ("PutBucketLifecycleConfiguration", "LifecycleConfiguration"),
        "Tags": ("PutBucketTagging", "Tagging"),
    }

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        name = new.get("BucketName") or at.name(63).lower()
        location = {} if at.region == "us-east-1" else {"LocationConstraint": at.region}
        more = {"CreateBucketConfiguration": location} if location else {}
        at.aws.call("s3", "CreateBucket", Bucket=name, **more)
        at.exists(name)
        return self.update(at, name, {}, new)

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        for key, (operation, parameter) in self._PARTS.items():
            if key in new and new[key] != old.get(key):
                at.aws.call("s3", operation, {parameter: self._part(key, new[key])}, Bucket=physical_id)
        domain = f"{physical_id}.s3.amazonaws.com"
        regional = f"{physical_id}.s3.{at.region}.amazonaws.com"
        arn = f"arn:aws:s3:::{physical_id}"
        return Made(physical_id, {"Arn": arn, "DomainName": domain, "RegionalDomainName": regional})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("s3", "DeleteBucket", Bucket=physical_id)

    @staticmethod
    def _part(key: str, value: Any) -> Any:
        if key == "BucketEncryption":
            rules = [
                {**rule, "ApplyServerSideEncryptionByDefault": rule.get("ServerSideEncryptionByDefault", {})}
                for rule in value["ServerSideEncryptionConfiguration"]
            ]
            return {"Rules": rules}
        if key == "LifecycleConfiguration":
            return {"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}
        return {"TagSet": value} if key == "Tags" else value


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    names = {
        "ExpirationInDays": "Days",
        "ExpirationDate": "Date",
        "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
    }
    expiration = {name: rule[key] for key, name in names.items() if key in rule}
    more = {"Expiration": expiration} if expiration else {}
    return {"ID": rule.get("Id", "rule"), **rule, "Filter": {"Prefix": rule.get("Prefix", "")}, **more}


class BucketPolicy(ResourceType):
    """``Ref`` is the bucket."""

    names = ("AWS::S3::BucketPolicy",)
    fixed = frozenset({"Bucket"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        at.aws.call("s3", "PutBucketPolicy", Bucket=new["Bucket"], Policy=new["PolicyDocument"])
        return Made(new["Bucket"])

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return self.create(at, new)

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("s3", "DeleteBucketPolicy", Bucket=physical_id)


class Role(ResourceType):
    """``Ref`` is the name."""

    names = ("AWS::IAM::Role",)
    fixed = frozenset({"RoleName", "Path"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        name = new.get("RoleName") or at.name()
        # Permissions boundaries may name policies that exist on AWS only, and nothing here enforces them.
        given = {key: value for key, value in new.items() if key != "PermissionsBoundary"}
        role = at.aws.call("iam", "CreateRole", given, RoleName=name)["Role"]
        at.exists(name)
        self._sync(at, name, {}, new)
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        trust = new["AssumeRolePolicyDocument"]
        at.aws.call("iam", "UpdateAssumeRolePolicy", RoleName=physical_id, PolicyDocument=trust)
        self._sync(at, physical_id, old, new)
        role = at.aws.call("iam", "GetRole", RoleName=physical_id)["Role"]
        return Made(physical_id, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        self._sync(at, physical_id, old, {})
        at.aws.call("iam", "DeleteRole", RoleName=physical_id)

    @staticmethod
    def _sync(at: Context, name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        before, after = old.get("ManagedPolicyArns", []), new.get("ManagedPolicyArns", [])
        for arn in set(before) - set(after):
            at.aws.call("iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
        for arn in after:
            at.aws.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)
        inline = {policy["PolicyName"]: policy for policy in new.get("Policies", [])}
        for policy in old.get("Policies", []):
            if policy["PolicyName"] not in inline:
                at.aws.call("iam", "DeleteRolePolicy", policy, RoleName=name)
        for policy in inline.values():
            at.aws.call("iam", "PutRolePolicy", policy, RoleName=name)


class Policy(ResourceType):
    """An inline policy of roles, users or groups."""

    names = ("AWS::IAM::Policy",)

    _KINDS: ClassVar[dict[str, str]] = {"Roles": "Role", "Users": "User", "Groups": "Group"}

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        return self.update(at, at.name(), {}, new)

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        for holder in self._holders(old) - (
            self._holders(new) if old.get("PolicyName") == new["PolicyName"] else set()
        ):
            self._call(at, "Delete", holder, old)
        for holder in self._holders(new):
            self._call(at, "Put", holder, new)
        return Made(physical_id)

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        for holder in self._holders(old):
            self._call(at, "Delete", holder, old)

    def _holders(self, properties: dict[str, Any]) -> set[tuple[str, str]]:
        return {(kind, name) for key, kind in self._KINDS.items() for name in properties.get(key, [])}

    @staticmethod
    def _call(at: Context, verb: str, holder: tuple[str, str], properties: dict[str, Any]) -> None:
        kind, name = holder
        at.aws.call("iam", f"{verb}{kind}Policy", properties, **{f"{kind}Name": name})


class ManagedPolicy(ResourceType):
    """``Ref`` is the ARN."""

    names = ("AWS::IAM::ManagedPolicy",)
    fixed = frozenset({"ManagedPolicyName", "Path", "Description"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        name = new.get("ManagedPolicyName") or at.name(128)
        arn = at.aws.call("iam", "CreatePolicy", new, PolicyName=name)["Policy"]["Arn"]
        at.exists(arn)
        for role in new.get("Roles", []):
            at.aws.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)
        return Made(arn, {"PolicyArn": arn})

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        at.aws.call("iam", "CreatePolicyVersion", new, PolicyArn=physical_id, SetAsDefault=True)
        self._delete_old_versions(at, physical_id)
        for role in {*old.get("Roles", [])} - {*new.get("Roles", [])}:
            at.aws.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=physical_id)
        for role in new.get("Roles", []):
            at.aws.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=physical_id)
        return Made(physical_id, {"PolicyArn": physical_id})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        for role in old.get("Roles", []):
            at.aws.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=physical_id)
        at.aws.call("iam", "DeletePolicy", PolicyArn=physical_id)

    @staticmethod
    def _delete_old_versions(at: Context, arn: str) -> None:
        for version in at.aws.call("iam", "ListPolicyVersions", PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                at.aws.call("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=version["VersionId"])


class Parameter(ResourceType):
    """``Ref`` is the name."""

    names = ("AWS::SSM::Parameter",)
    fixed = frozenset({"Name"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        name = new.get("Name") or f"CFN-{at.name()}"
        at.aws.call("ssm", "PutParameter", new, Name=name)
        return Made(name, {"Type": new["Type"], "Value": new["Value"]})

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        given = {key: value for key, value in new.items() if key != "Tags"}
        at.aws.call("ssm", "PutParameter", given, Name=physical_id, Overwrite=True)
        return Made(physical_id, {"Type": new["Type"], "Value": new["Value"]})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("ssm", "DeleteParameter", Name=physical_id)


class LogGroup(ResourceType):
    """``Ref`` is the name."""

    names = ("AWS::Logs::LogGroup",)
    fixed = frozenset({"LogGroupName"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        name = new.get("LogGroupName") or at.name(512)
        at.aws.call("logs", "CreateLogGroup", logGroupName=name)
        at.exists(name)
        return self.update(at, name, {}, new)

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if days := new.get("RetentionInDays"):
            at.aws.call("logs", "PutRetentionPolicy", logGroupName=physical_id, retentionInDays=days)
        elif "RetentionInDays" in old:
            at.aws.call("logs", "DeleteRetentionPolicy", logGroupName=physical_id)
        return Made(physical_id, {"Arn": at.arn("logs", f"log-group:{physical_id}:*")})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("logs", "DeleteLogGroup", logGroupName=physical_id)


class Key(ResourceType):
    """``Ref`` is the key's id."""

    names = ("AWS::KMS::Key",)
    fixed = frozenset({"KeySpec", "KeyUsage", "MultiRegion"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        key = at.aws.call("kms", "CreateKey", {**new, "Tags": []}, Policy=new["KeyPolicy"])["KeyMetadata"]
        return Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        at.aws.call("kms", "PutKeyPolicy", KeyId=physical_id, PolicyName="default", Policy=new["KeyPolicy"])
        return Made(physical_id, {"Arn": at.arn("kms", f"key/{physical_id}"), "KeyId": physical_id})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("kms", "ScheduleKeyDeletion", KeyId=physical_id, PendingWindowInDays=7)


class KeyAlias(ResourceType):
    """``Ref`` is the alias' name."""

    names = ("AWS::KMS::Alias",)
    fixed = frozenset({"AliasName"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        at.aws.call("kms", "CreateAlias", new)
        return Made(new["AliasName"])

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        at.aws.call("kms", "UpdateAlias", new)
        return Made(physical_id)

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("kms", "DeleteAlias", AliasName=physical_id)


class Repository(ResourceType):
    """``Ref`` is the name."""

    names = ("AWS::ECR::Repository",)
    fixed = frozenset({"RepositoryName", "EncryptionConfiguration"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        name = new.get("RepositoryName") or at.name(256).lower()
        mutability = new.get("ImageTagMutability", "MUTABLE")
        at.aws.call("ecr", "CreateRepository", repositoryName=name, imageTagMutability=mutability)
        at.exists(name)
        return self.update(at, name, {}, new)

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        name = physical_id
        if text := new.get("LifecyclePolicy", {}).get("LifecyclePolicyText"):
            at.aws.call("ecr", "PutLifecyclePolicy", repositoryName=name, lifecyclePolicyText=text)
        if policy := new.get("RepositoryPolicyText"):
            at.aws.call("ecr", "SetRepositoryPolicy", repositoryName=name, policyText=policy)
        uri = f"{at.account}.dkr.ecr.{at.region}.amazonaws.com/{name}"
        return Made(name, {"Arn": at.arn("ecr", f"repository/{name}"), "RepositoryUri": uri})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        force = old.get("EmptyOnDelete", False)
        at.aws.call("ecr", "DeleteRepository", repositoryName=physical_id, force=force)


class Secret(ResourceType):
    """``Ref`` is the ARN."""

    names = ("AWS::SecretsManager::Secret",)
    fixed = frozenset({"Name"})

    def create(self, at: Context, new: dict[str, Any]) -> Made:
        name = new.get("Name") or at.name(512)
        text = new.get("SecretString") or secrets.token_urlsafe(24)
        arn = at.aws.call("secretsmanager", "CreateSecret", new, Name=name, SecretString=text)["ARN"]
        return Made(arn, {"Id": arn})

    def update(self, at: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        at.aws.call("secretsmanager", "UpdateSecret", new, SecretId=physical_id)
        return Made(physical_id, {"Id": physical_id})

    def delete(self, at: Context, physical_id: str, old: dict[str, Any]) -> None:
        at.aws.call("secretsmanager", "DeleteSecret", SecretId=physical_id, ForceDeleteWithoutRecovery=True)


OTHER_TYPES: tuple[ResourceType, ...] = (
    *(Metadata(), Bucket(), BucketPolicy(), Role(), Policy(), ManagedPolicy(), Parameter()),
    *(LogGroup(), Key(), KeyAlias(), Repository(), Secret()),
)
