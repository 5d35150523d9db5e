"""A project's dependencies as a published layer version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jsii
from aws_cdk import Names, RemovalPolicy, Resource, Stack, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk.interfaces.aws_lambda import LayerVersionReference
from constructs import Construct

from ..core.arguments import as_tuple
from ..core.artifacts.layer import LayerArtifact
from ..core.credentials.environment import Given
from ..core.locking.manifest import find_project
from ..core.locking.tool import Options
from ..core.publishing.limits import (
    validate_description,
    validate_keep_versions,
    validate_layer_name,
    validate_license,
)
from ..core.wheels.build_image import BuildContainer
from ..core.wheels.environment import BuildEnvironment
from .error_hook import errors_at
from .function_checks import FunctionChecks, KnownLayer, warn
from .identity import UNKNOWN, Identity
from .layer_parameters import ParameterLayer, arn_carried_by, declare_parameter, stage_of
from .layer_version import Layer, PlainVersion, PublishedVersion
from .props import checked_prefix, runtime_of, target_of, validate_sharing
from .publisher import ArtifactPublisher
from .stand_in import refuse_overrides, stand_for
from .synth_line import built_at
from .tokens import Later


@jsii.implements(lambda_.ILayerVersion)
class LambdaLayerArtifact(Resource):
    """A layer with a project's locked dependencies, built at synth and published when it changes.

    Use it wherever CDK takes an ``ILayerVersion``::

        deps = LambdaLayerArtifact(self, "Deps", tool="uv")
        lambda_.Function(self, "Fn", ..., layers=[deps])
    """

    #: Whether a layer without the project's own code says so, where that may surprise.
    _hints_at_own_code = True

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
        exclude_files: Sequence[str] = (),
        bytecode: bool = False,
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
        removal_policy: RemovalPolicy | None = None,
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
        :param exclude_files: patterns of files to leave out, in the syntax of ``.gitignore``. Paths start
            where the packages do: ``["numpy/**/tests/", "*.pyi"]``. Default: none.
        :param bytecode: whether the layer has the bytecode of its modules, so that a cold start does not
            compile them. A CPython of the runtime's version does that once: this one, one that uv knows, one
            on PATH, or that in the build image of ``build_in_container``. Default: no bytecode.
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
            construct is removed. Default: RETAIN. Of plain assets: DESTROY, which deletes a replaced version,
            too.
        :raises LbdartError: when a prop is invalid, or the layer cannot be built.
        """
        publisher = ArtifactPublisher.of(scope)
        with errors_at(scope, id):
            user_project, user_tool = find_project(project, tool)
            target = target_of(user_project, runtime, architecture)
        # The user's own object, if given: CDK compares more than its name.
        self._runtimes = [runtime or runtime_of(target)]
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
        with errors_at(self):
            key_prefix = checked_prefix(prefix, default=name)
            publisher.reserve_name(name, self)
            _validate(name, description, license, keep_versions)
            artifact = LayerArtifact(
                user_project,
                user_tool,
                target,
                Options(as_tuple(extras), as_tuple(groups)),
                as_tuple(exclude),
                publisher.store,
                credentials,
                BuildContainer.asked(build_in_container),
                environment=BuildEnvironment(build_environment or {}),
                prefer=as_tuple(prefer),
                own_code=own_code,
                keep=as_tuple(keep),
                exclude_files=as_tuple(exclude_files),
                bytecode=bytecode,
            )
            path_zip, zip_sha256 = None, UNKNOWN
            if publisher.staging.wanted:
                path_zip = built_at(self, artifact)
                zip_sha256 = artifact.zip_sha256
            asset = publisher.staging.stage_file(self, "Zip", path_zip, zip_sha256)
        #: The built zip; None when the layer's stack is not deployed.
        self.zip_path = path_zip
        self._layer_name = name
        self._shared_with: list[str] = []
        layer = Layer(self, publisher, artifact, name, description, license, asset, removal_policy)
        self._published: PublishedVersion | PlainVersion
        if publisher.has_plain_assets:
            self._published = PlainVersion(layer, publisher.plain_assets)
        else:
            self._published = PublishedVersion(layer, bucket, key_prefix, keep_versions)
        self._identity = Identity(
            self,
            publisher.staging,
            found=artifact.build_key if layer.is_built else None,
            find=lambda: artifact.build_key,
            unknown=UNKNOWN,
            declare=self._published.identify,
        )
        # A published version is known by its name and build key. A name with tokens has another text in each
        # synthesis.
        known_as = "" if "${" in name else f"{name}:"
        arn.becomes(self._published.reference, lambda: f"{known_as}{self._identity.peek()}")
        report = artifact.report if layer.is_built else None
        if report is not None:
            hints = artifact.own_warnings if self._hints_at_own_code else ()
            warn(self, (*hints, *report.warnings))
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
        stack is deployed (``cdk ls``, ``cdk destroy``), it is zeros.
        """
        return self._identity.get()

    @property
    def layer_name(self) -> str:
        """The layer's name."""
        return self._layer_name

    @property
    def layer_version(self) -> str:
        """The number of the published version (a token)."""
        return self._published.number

    @property
    def manifest_uri(self) -> str:
        """The URI of the version's manifest: ``s3://bucket/prefix/layer/000001/uv.lock`` (a token).

        :raises LbdartError: when the layer is a plain asset, which has none.
        """
        return self._published.manifest_uri

    @property
    def layer_version_arn(self) -> str:
        """The ARN of the published version (a token)."""
        return self._arn

    @property
    def compatible_runtimes(self) -> list[lambda_.Runtime]:
        """The one runtime that the layer is built for."""
        return self._runtimes

    def apply_removal_policy(self, policy: RemovalPolicy) -> None:
        """Set CloudFormation's policy for the resource.

        What is removed with a custom resource, ``removal_policy`` says.

        :param policy: the policy.
        """
        self._published.resource.apply_removal_policy(policy)

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
        permission.apply_removal_policy(self._published.removal_policy)


def _validate(layer_name: str, description: str, license_info: str, keep_versions: int | None) -> None:
    """Refuse values that Lambda would not accept.

    :raises LbdartError: when there is one.
    """
    if "${" not in layer_name or not Token.is_unresolved(layer_name):
        validate_layer_name(layer_name)
    validate_description(description)
    validate_license(license_info)
    validate_keep_versions(keep_versions)
