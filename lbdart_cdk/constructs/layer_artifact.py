"""A project's dependencies as a published layer version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jsii
from aws_cdk import Names, RemovalPolicy, Resource, Stack, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk.interfaces.aws_lambda import LayerVersionReference
from constructs import Construct

from ..core.arguments import as_tuple
from ..core.artifacts.layer import LayerArtifact
from ..core.artifacts.records import pack_records
from ..core.credentials.environment import Given
from ..core.keys import key_of
from ..core.locking.manifest import find_project
from ..core.locking.tool import Options
from ..core.publishing.limits import (
    validate_description,
    validate_keep_versions,
    validate_layer_name,
    validate_license,
)
from ..core.publishing.records import SBOM_NAME
from ..core.store.store import Store
from ..core.wheels.build_image import BuildContainer
from ..core.wheels.environment import BuildEnvironment
from .error_hook import errors_at
from .function_checks import FunctionChecks, KnownLayer, warn
from .grants import Folder
from .identity import UNKNOWN, Identity
from .layer_parameters import ParameterLayer, arn_carried_by, declare_parameter, stage_of
from .props import checked_prefix, target_of, validate_sharing
from .publisher import ArtifactPublisher
from .stand_in import refuse_overrides, stand_for
from .tokens import Later, attribute

#: Not an id that makes it the default child. CDK's flag ``@aws-cdk/aws-lambda:recognizeLayerVersion`` has all
#: properties of the default child in the name of a function's version, and CloudFormation refuses another
#: version of a function when only such a property changed as ``keep_versions``. Without a default child the
#: name has the layer's ARN, and that has what the version is known by.
_RESOURCE_ID: Final = "Published"


@jsii.implements(lambda_.ILayerVersion)
class LambdaLayerArtifact(Resource):
    """A layer with a project's locked dependencies, built at synth and published when it changes.

    Use it wherever CDK takes an ``ILayerVersion``::

        deps = LambdaLayerArtifact(self, "Deps", tool="uv")
        lambda_.Function(self, "Fn", ..., layers=[deps])
    """

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        refuse_overrides(cls, LambdaLayerArtifact, lambda_.ILayerVersion, Resource)

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002  (CDK's name)
        *,
        tool: str | None = None,
        project: str = ".",
        runtime: lambda_.Runtime | None = None,
        architecture: lambda_.Architecture | None = None,
        extras: Sequence[str] = (),
        groups: Sequence[str] = (),
        exclude: Sequence[str] = (),
        keep: Sequence[str] = (),
        prefer: Sequence[str] = (),
        own_code: bool = False,
        build_in_container: bool | BuildContainer = False,
        build_environment: Mapping[str, str] | None = None,
        credentials: Given = None,
        bucket: s3.IBucket | None = None,
        prefix: str | None = None,
        layer_name: str | None = None,
        description: str = "",
        license: str = "",  # noqa: A002  (PublishLayerVersion's name)
        parameter_name: str | None = None,
        keep_versions: int | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        """Declare the layer's publication, and build the layer unless the stack needs no bundling.

        :param tool: the packaging tool: ``"uv"``, ``"poetry"``, ``"pdm"``, ``"pip"`` or ``"pylock"``.
            Default: the tool of the only known manifest in the project.
        :param project: path of the project's directory or manifest, relative to the app's working
            directory. Default: the working directory itself.
        :param runtime: the functions' runtime. Default: the Python of ``.python-version``, else the
            oldest Lambda runtime that ``requires-python`` admits.
        :param architecture: the functions' architecture. Default: x86_64.
        :param extras: the project's extras to include. Default: none.
        :param groups: the project's dependency groups to include. Default: none.
        :param exclude: names of packages to leave out, in addition to the default list. Default: none.
        :param keep: names of packages on the default list to keep as locked, with what they require. Default:
            only those that a package in the layer requires.
        :param prefer: names of packages whose files are taken where two packages bring a file with different
            contents; of two of them, the first one. Default: none, so that two modules of one name are an
            error.
        :param own_code: whether the layer has the project's own code, too: the files that a
            ``LambdaSourceArtifact`` would have. Default: only dependencies.
        :param build_in_container: whether Docker builds packages with compiled code, in the Lambda build
            image; a ``BuildContainer`` names another image. Default: such a package is an error.
        :param build_environment: further environment variables for builds of packages and of local projects.
            Builds see a listed environment only; what is named here is part of the build key. Default: none.
        :param credentials: one ``Credentials``, or several, for private indexes; or a function that returns
            them, called once when something is built. They change no hash and are written to no file.
            Default: the tool's own settings, the environment and netrc.
        :param bucket: the bucket for the layer and its history of manifests; it should be versioned.
            Default: one bucket for each stack: versioned, encrypted, private, retained.
        :param prefix: the key prefix in the bucket. Default: the layer's name.
        :param layer_name: the layer's name, at most 140 characters from ``a-zA-Z0-9-_``. Default: a name
            from the construct's path.
        :param description: the layer version's description, at most 182 characters; the build key is added.
        :param license: the layer version's licence, at most 512 characters.
        :param parameter_name: the name of an SSM parameter that carries the ARN of the current version, for
            other apps. Default: no parameter.
        :param keep_versions: how many published versions to keep. At its end, an update prunes older ones,
            but never the previous version, which a rollback of the stack needs. Default: all.
        :param removal_policy: what happens to the published versions and their history when the
            construct is removed. Default: RETAIN.
        :raises LbdartError: when a prop is invalid, or the layer cannot be built.
        """
        publisher = ArtifactPublisher.of(scope)
        with errors_at(scope, id):
            user_project, user_tool = find_project(project, tool)
            target = target_of(user_project, runtime, architecture)
        manifest = user_project.manifest
        # The user's own object, if given: CDK compares more than its name.
        self._runtimes = [
            runtime
            or lambda_.Runtime(target.runtime, lambda_.RuntimeFamily.PYTHON, supports_inline_code=True)
        ]
        # Of a stack that is not deployed, the key is known only when a deployed stack asks for it.
        arn = Later(is_stable=not publisher.staging.another_is_deployed)
        self._arn = arn.token()
        self._version = lambda_.LayerVersion.from_layer_version_attributes(
            scope, id, layer_version_arn=self._arn, compatible_runtimes=self._runtimes
        )
        stand_for(self, self._version)
        name = layer_name or Names.unique_resource_name(
            self, max_length=140, separator="-", allowed_special_characters="-_"
        )
        artifact_bucket = publisher.artifact_bucket(bucket, removal_policy)
        with errors_at(self):
            key_prefix = checked_prefix(prefix, default=name)
            publisher.reserve(name, artifact_bucket, key_prefix, self)
            _validate(name, description, license, keep_versions)
            options = Options(as_tuple(extras), as_tuple(groups))
            container = BuildContainer.asked(build_in_container)
            artifact = LayerArtifact(
                user_project,
                user_tool,
                target,
                options,
                as_tuple(exclude),
                Store(),
                credentials,
                container,
                environment=BuildEnvironment(build_environment or {}),
                prefer=as_tuple(prefer),
                own_code=own_code,
                keep=as_tuple(keep),
            )
            path_zip, zip_sha256, records = None, UNKNOWN, None
            if publisher.staging.wanted:
                path_zip = artifact.build()
                zip_sha256 = artifact.zip_sha256
                records = pack_records(
                    {manifest.name: user_project.manifest_content, SBOM_NAME: artifact.sbom()}
                )
            zip_asset = publisher.staging.stage_file(self, "Zip", path_zip, zip_sha256)
        self._removal_policy, self._layer_name = removal_policy, name
        self._shared_with: list[str] = []

        build_key = artifact.build_key if path_zip is not None else UNKNOWN
        # The build key covers everything in the SBOM.
        key = key_of(
            {
                "artifact": "records",
                "build_key": build_key,
                "manifest": manifest.name,
                "content": user_project.manifest_sha256,
            }
        )
        records_asset = publisher.staging.stage_zip(self, "Records", records, key)
        self._resource = publisher.custom_resource(
            self,
            "Custom::LbdartLayer",
            {
                "LayerName": name,
                "BuildKey": build_key,
                "ZipSha256": zip_sha256,
                "AssetBucket": zip_asset.bucket_name,
                "AssetKey": zip_asset.object_key,
                "RecordsAssetBucket": records_asset.bucket_name,
                "RecordsAssetKey": records_asset.object_key,
                "ManifestName": manifest.name,
                "ManifestMd5": user_project.manifest_md5,
                "Bucket": artifact_bucket.name,
                "Prefix": key_prefix,
                "Description": description,
                "License": license,
                "CompatibleRuntimes": [target.runtime],
                "CompatibleArchitectures": [target.architecture],
                **({"KeepVersions": str(keep_versions)} if keep_versions is not None else {}),
            },
            removal_policy,
            id=_RESOURCE_ID,
        )
        resource = self._resource
        self._identity = Identity(
            self,
            publisher.staging,
            found=build_key if path_zip is not None else None,
            recall=artifact.known_build_key,
            find=lambda: artifact.build_key,
            unknown=UNKNOWN,
            declare=lambda found: resource.add_property_override("BuildKey", found),
        )
        # A published version is known by its name and build key. A name with tokens has another text in each
        # synthesis.
        known_as = "" if "${" in name else f"{name}:"
        arn.is_attribute(resource, "LayerVersionArn", lambda: f"{known_as}{self._identity.peek()}")
        publisher.grant_reading(zip_asset)
        folder = Folder(artifact_bucket, key_prefix, "layer")
        publisher.grant_keeping(folder)
        publisher.grant_publishing(name)
        if removal_policy == RemovalPolicy.DESTROY or keep_versions is not None:
            publisher.grant_removing(self._resource, folder, name)
        report = artifact.report if path_zip is not None else None
        if report is not None:
            warn(self, report.warnings)
        if report is not None or publisher.staging.another_is_deployed:
            publisher.checks.add_layer(
                KnownLayer(
                    self,
                    publisher.stack,
                    self._arn,
                    lambda: self.build_key,
                    target,
                    report,
                    self._shared_with,
                )
            )
        if parameter_name is not None:
            declare_parameter(self, publisher.stack, parameter_name, name, self._arn)

    @staticmethod
    def from_parameter_name(
        scope: Construct,
        id: str,  # noqa: A002  (CDK's name)
        parameter_name: str,
        *,
        runtime: lambda_.Runtime | None = None,
        lookup: bool = False,
    ) -> lambda_.ILayerVersion:
        """Return the current version of another stack's or app's layer, from its SSM parameter.

        If a stack of the same stage has declared that layer, this is a reference to the layer itself.

        :param parameter_name: the ``parameter_name`` of that layer, in the same account and Region.
        :param runtime: the runtime that functions are checked against. Default: no check.
        :param lookup: whether the cdk command line reads the parameter at synth, and keeps the ARN in
            ``cdk.context.json`` until ``cdk context --reset``. Then the versions and aliases of functions
            follow the layer. The stack needs an account and a Region. Default: CloudFormation reads the
            parameter at each deployment of the stack.
        """
        from aws_cdk import aws_ssm as ssm

        stack = Stack.of(scope)
        arn = arn_carried_by(stack, parameter_name)
        is_read_at_deployment = arn is None and not lookup
        if arn is None:
            read = (
                ssm.StringParameter.value_from_lookup
                if lookup
                else ssm.StringParameter.value_for_string_parameter
            )
            arn = read(scope, parameter_name)
        layer = lambda_.LayerVersion.from_layer_version_attributes(
            scope,
            id,
            layer_version_arn=arn,
            compatible_runtimes=[runtime] if runtime is not None else None,
        )
        if is_read_at_deployment:
            FunctionChecks.of(stage_of(stack)).add_parameter(
                ParameterLayer(layer, stack, parameter_name, arn)
            )
        return layer

    @property
    def build_key(self) -> str:
        """SHA-256 over every input of the layer.

        It is the same whether the layer's stack is deployed or not (``cdk deploy --exclusively``). Where no
        stack is deployed (``cdk ls``, ``cdk destroy``), it is zeros unless the cache knows it.
        """
        return self._identity.get()

    @property
    def layer_name(self) -> str:
        """The layer's name."""
        return self._layer_name

    @property
    def layer_version(self) -> str:
        """The number of the published version (a token)."""
        return attribute(self._resource, "LayerVersion")

    @property
    def manifest_uri(self) -> str:
        """The URI of the version's manifest: ``s3://bucket/prefix/layer/000001/uv.lock`` (a token)."""
        return attribute(self._resource, "ManifestUri")

    @property
    def layer_version_arn(self) -> str:
        """The ARN of the published version (a token)."""
        return self._arn

    @property
    def compatible_runtimes(self) -> list[lambda_.Runtime]:
        """The one runtime that the layer is built for."""
        return self._runtimes

    def apply_removal_policy(self, policy: RemovalPolicy) -> None:
        """Set CloudFormation's policy for the custom resource; what that removes, ``removal_policy`` says.

        :param policy: the policy.
        """
        self._resource.apply_removal_policy(policy)

    @property
    def layer_version_ref(self) -> LayerVersionReference:
        """The reference to the layer version that CDK's generated constructs take."""
        return self._version.layer_version_ref

    def add_permission(self, id: str, *, account_id: str, organization_id: str | None = None) -> None:  # noqa: A002
        """Let another account, or the accounts of an organisation, use the published version.

        In Lambda a permission belongs to one version, so each new version gets its own. With the removal
        policy RETAIN, the permissions of older versions stay with these versions. The permission of the
        current version also stays when the app drops it: revoke it with Lambda's
        RemoveLayerVersionPermission.

        :param id: the permission's id in the construct tree.
        :param account_id: an account's id, 12 digits. ``"*"`` means every account of the organisation, or
            of AWS if there is no organisation.
        :param organization_id: the organisation's id, ``o-...``. Default: none.
        :raises LbdartError: when Lambda would refuse the permission.
        """
        with errors_at(self):
            validate_sharing(account_id, organization_id)
        self._shared_with.append(account_id)
        self._version.add_permission(id, account_id=account_id, organization_id=organization_id)
        # CloudFormation replaces the permission when the version changes, and would remove the old one.
        permission = self.node.find_child(id)
        assert isinstance(permission, lambda_.CfnLayerVersionPermission)
        permission.apply_removal_policy(self._removal_policy)


def _validate(layer_name: str, description: str, license_info: str, keep_versions: int | None) -> None:
    """Refuse values that Lambda would not accept.

    :raises LbdartError: when there is one.
    """
    if "${" not in layer_name or not Token.is_unresolved(layer_name):
        validate_layer_name(layer_name)
    validate_description(description)
    validate_license(license_info)
    validate_keep_versions(keep_versions)
