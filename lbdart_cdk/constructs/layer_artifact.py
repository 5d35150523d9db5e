"""A project's dependencies as a published layer version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jsii
from aws_cdk import Names, RemovalPolicy, Resource, Token
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
from .error_hook import errors_at
from .function_checks import KnownLayer, warn
from .native_construct import Later, attribute, refuse_overrides, stand_for
from .props import checked_prefix, target_of, validate_sharing
from .publisher import ArtifactPublisher
from .staging import NOT_BUILT


@jsii.implements(lambda_.ILayerVersion)
class LambdaLayerArtifact(Resource):
    """A layer with a project's locked dependencies, built at synth and published when it changed.

    It is accepted wherever an ``ILayerVersion`` is::

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
        build_in_container: bool | BuildContainer = False,
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
        """Build the layer, unless the stack needs no bundling, and declare its publication.

        :param tool: the packaging tool: ``"uv"``, ``"poetry"``, ``"pdm"``, ``"pip"`` or ``"pylock"``.
            Default: told by the manifest that is there.
        :param project: path of the project's directory or manifest, relative to the app's working
            directory. Default: that directory.
        :param runtime: the functions' runtime. Default: the Python of ``.python-version``, else the
            oldest Lambda runtime that ``requires-python`` admits.
        :param architecture: the functions' architecture. Default: x86_64.
        :param extras: the project's extras to include. Default: none.
        :param groups: the project's dependency groups to include. Default: none.
        :param exclude: names of packages to leave out, in addition to what Lambda brings itself.
        :param build_in_container: whether what compiles is built in the Lambda build image, with Docker;
            a ``BuildContainer`` names another image. Default: it is an error.
        :param credentials: for the private indexes that packages come from, or a function that returns
            them, called once when something is built; they change no hash and get into no file. Default:
            what the tool's own settings, the environment and netrc say.
        :param bucket: where the layer and its history of manifests are kept; it should be versioned.
            Default: one bucket for the stack: versioned, encrypted, private, retained.
        :param prefix: key prefix in the bucket. Default: the layer's name.
        :param layer_name: name of the layer, at most 140 of ``a-zA-Z0-9-_``. Default: from the path of
            the construct.
        :param description: of the layer version, at most 182 characters; the build key is added.
        :param license: of the layer version, at most 512 characters.
        :param parameter_name: name of an SSM parameter that carries the ARN of the current version, for
            other apps. Default: none.
        :param keep_versions: how many published versions to keep; an update prunes older ones when it is
            done, but never the version before it, which a rollback of the stack needs. Default: all.
        :param removal_policy: what happens to the published versions and their history when the
            construct is removed. Default: RETAIN.

        Raises :class:`LbdartError` for what the user can put right.
        """
        publisher = ArtifactPublisher.of(scope)
        with errors_at(scope, id):
            found, chosen = find_project(project, tool)
            target = target_of(found, runtime, architecture)
        # The user's own, if given: CDK compares more of it than the name.
        self._runtimes = [
            runtime
            or lambda_.Runtime(target.runtime, lambda_.RuntimeFamily.PYTHON, supports_inline_code=True)
        ]
        arn = Later()
        self._arn = arn.token()
        self._version = lambda_.LayerVersion.from_layer_version_attributes(
            scope, id, layer_version_arn=self._arn, compatible_runtimes=self._runtimes
        )
        stand_for(self, self._version)
        name = layer_name or Names.unique_resource_name(
            self, max_length=140, separator="-", allowed_special_characters="-_"
        )
        kept_in = publisher.artifact_bucket(bucket)
        with errors_at(self):
            folder = checked_prefix(prefix, default=name)
            publisher.reserve("layer_name", name, self)
            publisher.reserve("bucket and prefix", f"{kept_in.name}/{folder}", self)
            if "${" not in name or not Token.is_unresolved(name):
                validate_layer_name(name)
            validate_description(description)
            validate_license(license)
            validate_keep_versions(keep_versions)
            options = Options(as_tuple(extras), as_tuple(groups))
            container = BuildContainer.asked(build_in_container)
            artifact = LayerArtifact(
                found, chosen, target, options, as_tuple(exclude), Store(), credentials, container
            )
            built, records = None, None
            if publisher.staging.wanted:
                built = artifact.build()
                records = pack_records(
                    {found.manifest.name: found.manifest_content, SBOM_NAME: artifact.sbom()}
                )
        self._removal_policy = removal_policy
        self._build_key = artifact.build_key if built is not None else NOT_BUILT
        self._layer_name = name

        zip_asset = publisher.staging.stage_file(self, "Zip", built, self._build_key)
        # The build key stands for the manifest's content and for all that the SBOM says.
        key = key_of({"artifact": "records", "build_key": self._build_key, "manifest": found.manifest.name})
        records_asset = publisher.staging.stage_zip(self, "Records", records, key)
        self._resource = publisher.custom_resource(
            self,
            "Custom::LbdartLayer",
            {
                "LayerName": name,
                "BuildKey": self._build_key,
                "ManifestName": found.manifest.name,
                "ManifestMd5": found.manifest_md5,
                "AssetBucket": zip_asset.bucket_name,
                "AssetKey": zip_asset.object_key,
                "RecordsAssetBucket": records_asset.bucket_name,
                "RecordsAssetKey": records_asset.object_key,
                "Bucket": kept_in.name,
                "Prefix": folder,
                "Description": description,
                "License": license,
                "CompatibleRuntimes": [target.runtime],
                "CompatibleArchitectures": [target.architecture],
                **({"KeepVersions": str(keep_versions)} if keep_versions is not None else {}),
            },
            removal_policy,
        )
        arn.is_attribute(self._resource, "LayerVersionArn")
        publisher.grant_reading(zip_asset)
        publisher.grant_keeping(kept_in, f"{folder}/layer")
        publisher.grant_publishing(name)
        if removal_policy == RemovalPolicy.DESTROY or keep_versions is not None:
            publisher.grant_removing(self, self._resource, kept_in, f"{folder}/layer", name)
        report = artifact.report if built is not None else None
        if report is not None:
            warn(self, report.warnings)
            publisher.checks.add_layer(
                KnownLayer(self, publisher.stack, self._arn, self._build_key, target, report)
            )
        if parameter_name is not None:
            from aws_cdk import aws_ssm as ssm  # loaded by those who use it

            ssm.StringParameter(
                self,
                "Parameter",
                parameter_name=parameter_name,
                # CDK cannot tell from a token.
                simple_name="/" not in parameter_name,
                description=f"The current version of the layer {name}",
                string_value=self.layer_version_arn,
            )

    @staticmethod
    def from_parameter_name(
        scope: Construct,
        id: str,  # noqa: A002  (CDK's name)
        parameter_name: str,
        *,
        runtime: lambda_.Runtime | None = None,
    ) -> lambda_.ILayerVersion:
        """Return the current version of a layer of another stack or app, by its SSM parameter.

        :param parameter_name: the ``parameter_name`` that the layer was given, in the same account and
            Region. CloudFormation reads it whenever the stack is deployed.
        :param runtime: what functions are checked against. Default: they are not checked.
        """
        from aws_cdk import aws_ssm as ssm

        return lambda_.LayerVersion.from_layer_version_attributes(
            scope,
            id,
            layer_version_arn=ssm.StringParameter.value_for_string_parameter(scope, parameter_name),
            compatible_runtimes=[runtime] if runtime is not None else None,
        )

    @property
    def build_key(self) -> str:
        """SHA-256 over every input of the layer; zeros when the stack needs no bundling."""
        return self._build_key

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
        """Where the version's manifest is kept: ``s3://bucket/prefix/layer/000001/uv.lock`` (a token)."""
        return attribute(self._resource, "ManifestUri")

    @property
    def layer_version_arn(self) -> str:
        """The ARN of the published version (a token)."""
        return self._arn

    @property
    def compatible_runtimes(self) -> list[lambda_.Runtime]:
        """The one runtime the layer is built for."""
        return self._runtimes

    @property
    def layer_version_ref(self) -> LayerVersionReference:
        """What CDK's generated constructs take for the layer version."""
        return self._version.layer_version_ref

    def add_permission(self, id: str, *, account_id: str, organization_id: str | None = None) -> None:  # noqa: A002
        """Let another account, or the accounts of an organisation, use the published version.

        A permission is Lambda's for one version, so each new version gets one of its own. With the removal
        policy RETAIN those of older versions stay as the versions do, and so does that of the current one
        when it is taken out of the app: revoke it with Lambda's RemoveLayerVersionPermission.

        :param id: of the permission in the construct tree.
        :param account_id: an account's id, 12 digits; ``"*"`` for every account, of the organisation if one
            is given, else of AWS.
        :param organization_id: the organisation, ``o-...``. Default: none.

        Raises :class:`LbdartError` for what Lambda would refuse.
        """
        with errors_at(self):
            validate_sharing(account_id, organization_id)
        self._version.add_permission(id, account_id=account_id, organization_id=organization_id)
        # CloudFormation replaces the permission when the version changes, and would remove the old one.
        permission = self.node.find_child(id)
        assert isinstance(permission, lambda_.CfnLayerVersionPermission)
        permission.apply_removal_policy(self._removal_policy)
