"""Publishes an uploaded zip as a layer version, once per build key."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil
from time import sleep
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from ..archive.end_record import comment_of
from ..arguments import as_tuple
from ..errors import InvalidError, LbdartError, MissingError
from .aws_errors import calling_aws, is_denial, is_transient
from .claim import PublishClaim, sent_builds
from .identity import LayerIdentity, read_tail
from .layouts import LayerS3Layout, S3MetadataKeyEnum
from .limits import (
    describe,
    described_build_key,
    validate_architectures,
    validate_build_key,
    validate_description,
    validate_keep_versions,
    validate_layer_name,
    validate_license,
    validate_runtimes,
)
from .logger import BaseLogger
from .manifest import md5_of
from .ownership import find_owned, joint_owner, owner_metadata
from .prune import RETURNED_TO, find_superseded, may_go
from .records import S3Member, recorded_layer, refuse_other_layer
from .s3 import S3Path, delete_object_versions, from_base64, head_object, read_object, write_object

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.literals import ArchitectureType, RuntimeType
    from mypy_boto3_lambda.type_defs import LayerVersionContentInputTypeDef, LayerVersionsListItemTypeDef
    from mypy_boto3_s3 import S3Client

    from .layer_upload import UploadedLayer
    from .manifest import LayerManifest
    from .s3 import S3Location, S3Object

__all__ = ["LayerDeployment", "LayerPublisher", "remove_layer_versions", "uploaded_zip"]

#: The seconds that a claim outlives the longest request to publish: those in which its version may appear.
_LEASE_MARGIN: Final = 40

#: What counts for the read timeout of a client that has none: as long as a Lambda function runs.
_NO_TIMEOUT: Final = 900

#: Seconds between attempts to publish. After an attempt that took too long, a version may still appear: the
#: next attempt waits for it through all of these pauses.
_PAUSES: Final = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class LayerDeployment:
    """A layer version and its manifest in S3."""

    layer_name: str
    layer_version: int
    layer_version_arn: str
    s3path_manifest: S3Path


@dataclass(frozen=True)
class _Version:
    """A version in Lambda's list.

    :param build_key: None when this library did not publish the version.
    :param fits: the runtimes and architectures that the version is declared for.
    """

    arn: str
    build_key: str | None
    fits: tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class LayerPublisher(BaseLogger):
    """Publishes a layer version for a build key, or finds the published version.

    :param layer_name: at most 140 characters of ``[a-zA-Z0-9-_]``.
    :param s3dir_lambda: the folder of the layer's objects (:class:`LayerS3Layout`), in the layer's Region.
    :param build_key: the SHA-256 over all inputs of the build, 64 hex digits.
    :param zip_sha256: the SHA-256 of the zip, 64 hex digits. Only a version of these bytes is this build, by
        the checksum that Lambda computed: whoever may publish versions of the layer can copy a build key into
        a description. When empty, the build key alone decides.
    :param manifest: the manifest that the layer was built from; its content is stored beside each version.
    :param sbom: the bill of materials (CycloneDX JSON), stored beside each version too unless None.
    :param description: at most :data:`.limits.MAX_DESCRIPTION` characters. A version keeps the description,
        licence, runtimes and architectures that it was published with.
    :param license: at most 512 characters.
    :param compatible_runtimes: at most 15 of Lambda's names, or a single name.
    :param compatible_architectures: Lambda's names, or a single name.
    :param owner: see :mod:`.ownership`.
    :param lease_seconds: see :mod:`.claim`; longer than ``lambda_client`` waits for an answer. None for the
        client's read timeout and 40 seconds.
    :param keep_versions: the number of versions to keep after :meth:`run`; None keeps all. See :mod:`.prune`.
    :param unnamed_build_key: the build key of a zip of another publisher, which has none. With it, such a
        zip is published, and a layer version that was made of one counts as this build if it is the latest
        and its manifest is the same.
    :param needed_build_key: a build that a rollback would go back to: its version and all later versions
        stay. Nothing is pruned while it is not published.
    :param deployed_build_key: the build of the deployment before this one, whatever its folder was. If one
        version has it, it is this layer's own.
    :raises LbdartError: when Lambda would not accept a value.
    """

    s3_client: S3Client
    lambda_client: LambdaClient
    layer_name: str
    s3dir_lambda: S3Location
    build_key: str
    manifest: LayerManifest
    sbom: bytes | S3Member | None = None
    description: str = ""
    license: str = ""
    compatible_runtimes: str | Collection[str] = ()
    compatible_architectures: str | Collection[str] = ()
    owner: str = ""
    lease_seconds: int | None = None
    keep_versions: int | None = None
    needed_build_key: str = ""
    deployed_build_key: str = ""
    unnamed_build_key: str = ""
    zip_sha256: str = ""

    def __post_init__(self) -> None:
        validate_layer_name(self.layer_name)
        validate_build_key(self.build_key)
        validate_description(self.description)
        validate_license(self.license)
        validate_runtimes(as_tuple(self.compatible_runtimes))
        validate_architectures(as_tuple(self.compatible_architectures))
        validate_keep_versions(self.keep_versions)

    @property
    def layout(self) -> LayerS3Layout:
        """The keys of the layer's objects."""
        return LayerS3Layout(self.s3dir_lambda)

    @property
    def _lease(self) -> int:
        if self.lease_seconds is not None:
            return self.lease_seconds
        read_timeout: float | None = vars(self.lambda_client.meta.config)["read_timeout"]
        return ceil(read_timeout or _NO_TIMEOUT) + _LEASE_MARGIN

    def run(self, upload: Callable[[], UploadedLayer] | None = None) -> LayerDeployment:
        """Publish the build key unless it is published, and store its manifest and SBOM.

        The run may be interrupted anywhere, repeated, and done by several processes at once: a build key gets
        one version.

        :param upload: uploads the zip and manifest (:func:`upload_layer`). It is called only when
            there is a version to publish, and while no other publisher writes. When None, the zip that is
            already in S3 is published.
        :raises LbdartError: when the preflight fails, AWS refuses, or another deployment takes over.
        """
        deployment, read = self._find_published()
        if deployment is None and (unnamed := self._find_unnamed()) is not None:
            return unnamed
        if deployment is None or not self._has_records(deployment, read):
            deployment = self._publish_once(upload)
        self._prune(deployment)
        return deployment

    def find_published(self) -> LayerDeployment | None:
        """Preflight, stage 3: return the version of this build, or None when the layer has changed.

        It has the build key and, when :attr:`zip_sha256` is given, the bytes, and it must have been published
        from this folder. Another app may have published the same build under the
        same name, with its history elsewhere; it could delete its version without knowing of this layer.
        Several versions from this folder are the work of a publisher outside this library. Then the lowest
        is returned, since the others repeat it.

        :raises LbdartError: when AWS refuses to list or describe the versions, or to read the history.
        """
        return self._find_published()[0]

    def _find_published(self) -> tuple[LayerDeployment | None, dict[S3Path, S3Object]]:
        """Return the version with the build key, and the records that were read for that."""
        arns = {
            number: version.arn
            for number, version in self._versions().items()
            if version.build_key == self.build_key and self._has_zip(number)
        }
        read: dict[S3Path, S3Object] = {}
        first = self._first_of_this_folder(arns, read)
        if first is None:
            return None, {}
        self.log(f"Version {first} of layer {self.layer_name} has this build.")
        return self._deployment(first, arns[first]), read

    def _first_of_this_folder(self, arns: Mapping[int, str], read: dict[S3Path, S3Object]) -> int | None:
        """Return the lowest of the versions that has records here, or that was sent from here.

        :param read: gets the records that were read.
        """
        if not arns:
            return None
        with calling_aws(f"look at {self.layout.s3dir_layer}"):
            for number in sorted(arns):
                for path in self._records(self._deployment(number, arns[number])):
                    stored = head_object(self.s3_client, path)
                    if stored:
                        read[path] = stored
                    if stored and stored.metadata.get(S3MetadataKeyEnum.layer_version_arn) == arns[number]:
                        return number
            claim = head_object(self.s3_client, self.layout.s3path_publish_claim)
        if self.deployed_build_key == self.build_key and len(arns) == 1:
            return min(arns)
        after = sent_builds(claim).get(self.build_key)
        unrecorded = [number for number in arns if after is not None and number > after]
        if unrecorded:
            return min(unrecorded)
        self.log(f"Another publisher of layer {self.layer_name} has this build, with its history elsewhere.")
        return None

    def _has_zip(self, number: int) -> bool:
        """Tell whether a version is of the zip, as far as its SHA-256 is known."""
        if not self.zip_sha256:
            return True
        with calling_aws(f"compare version {number} of layer {self.layer_name}"):
            try:
                version = self.lambda_client.get_layer_version(
                    LayerName=self.layer_name, VersionNumber=number
                )
            except self.lambda_client.exceptions.ResourceNotFoundException:  # it was deleted meanwhile
                return False
        if from_base64(version["Content"].get("CodeSha256", "")) == self.zip_sha256:
            return True
        self.log(f"Version {number} of layer {self.layer_name} has this build's key, but other bytes.")
        return False

    def find_unchanged(self) -> LayerDeployment | None:
        """Return the version that :meth:`run` would return without publishing; None when it would publish.

        :raises LbdartError: when AWS refuses to list the versions.
        """
        return self.find_published() or self._find_unnamed()

    def _find_unnamed(self) -> LayerDeployment | None:
        """Return the latest version if it is of another publisher's zip, with the same manifest."""
        versions = self._versions() if self.unnamed_build_key else {}
        latest = max(versions, default=0)
        fits = (
            frozenset(as_tuple(self.compatible_runtimes)),
            frozenset(as_tuple(self.compatible_architectures)),
        )
        if not latest or versions[latest].fits != fits:
            return None
        if versions[latest].build_key not in (None, self.unnamed_build_key):
            return None
        deployment = self._deployment(latest, versions[latest].arn)
        with calling_aws(f"read {deployment.s3path_manifest}"):
            stored = read_object(self.s3_client, deployment.s3path_manifest)
        if stored is None or md5_of(stored) != self.manifest.md5:
            return None
        self.log(f"Version {latest} of layer {self.layer_name} has this manifest.")
        return deployment

    def check_zip_exists(self, zip_version_id: str | None = None) -> S3Object:
        """Preflight, stage 1: check that the zip exists.

        :param zip_version_id: the object version to publish; None for the newest.
        :raises LbdartError: when the zip does not exist or reading it is not allowed.
        """
        return uploaded_zip(self.s3_client, self.layout, zip_version_id)

    def check_zip_agrees(self, stored: S3Object) -> None:
        """Preflight, stage 2: check that the zip has the SHA-256, the manifest's MD5 and the build key.

        The object's metadata has both, and the zip's archive comment the build key
        (:mod:`lbdart_cdk.core.publishing.identity`). Only the end of the zip is read.

        :raises LbdartError: when one of them is another.
        """
        if self.zip_sha256 and stored.sha256 != self.zip_sha256:
            raise InvalidError(
                f"{stored.path} has the SHA-256 {stored.sha256}, not {self.zip_sha256}: "
                "it is not what was built.",
                "Find out who can write there; upload the layer again, then publish.",
            )
        with calling_aws(f"read the end of {stored.path}"):
            comment = comment_of(read_tail(self.s3_client, stored))
        if comment is None:
            raise LbdartError(
                f"{stored.path} does not end like a zip, so it is not a zip or is not complete.",
                "Build and upload the layer again, then publish.",
            )
        build_key, md5 = S3MetadataKeyEnum.build_key, S3MetadataKeyEnum.manifest_md5
        identity = LayerIdentity.parse(comment)
        is_unnamed = identity is None and build_key not in stored.metadata
        if is_unnamed and self.unnamed_build_key:
            self._check_agrees(f"{stored.path}", "in its metadata", stored.metadata, {md5: self.manifest.md5})
            return
        if identity is None:
            raise LbdartError(
                f"The zip at {stored.path} does not name its build in its archive comment.",
                "Upload it with upload_layer, which writes this comment.",
            )
        in_metadata: dict[str, str] = {md5: self.manifest.md5, build_key: self.build_key}
        self._check_agrees(f"{stored.path}", "in its metadata", stored.metadata, in_metadata)
        in_comment: dict[str, str] = {build_key: self.build_key}
        self._check_agrees(
            f"The zip at {stored.path}", "in its archive comment", asdict(identity), in_comment
        )

    def _check_agrees(
        self, what: str, where: str, actual: Mapping[str, str], expected: Mapping[str, str]
    ) -> None:
        for key, value in expected.items():
            if actual.get(key) != value:
                raise InvalidError(
                    f"{what} was built from other inputs than {self.manifest.name}: "
                    f"the {key} {where} is {actual.get(key, 'missing')}, not {value}.",
                    "Build and upload the layer again, then publish.",
                )

    def store_records(self, deployment: LayerDeployment) -> None:
        """Store the manifest and SBOM of a version unless they are stored already.

        :raises LbdartError: when S3 refuses.
        """
        for path, read in self._records(deployment).items():
            with calling_aws(f"store {path}"):
                stored = head_object(self.s3_client, path)
                refuse_other_layer(path, self.layer_name, recorded_layer(stored.metadata) if stored else None)
                if not self._is_record_of(deployment, stored):
                    self.log(f"Storing {path}.")
                    write_object(self.s3_client, path, read(), self._record_metadata(deployment, stored))
                elif stored and stored.metadata != self._record_metadata(deployment, stored):
                    # The content is right; only the owner in the metadata changes.
                    write_object(self.s3_client, path, path, self._record_metadata(deployment, stored))

    def _records(self, deployment: LayerDeployment) -> dict[S3Path, Callable[[], bytes | S3Path]]:
        """Return the paths of the records of a version, each with a function that reads the content."""
        records: dict[S3Path, Callable[[], bytes | S3Path]] = {
            deployment.s3path_manifest: lambda: self.manifest.checked(self.s3_client)
        }
        if (sbom := self.sbom) is not None:
            path = self.layout.get_s3path_layer_sbom(deployment.layer_version)
            records[path] = lambda: sbom.read(self.s3_client) if isinstance(sbom, S3Member) else sbom
        return records

    def _has_records(self, deployment: LayerDeployment, read: Mapping[S3Path, S3Object]) -> bool:
        """Tell whether all records are stored and their metadata, with the owner, are up to date.

        :param read: the records that were read already.
        """
        for path in self._records(deployment):
            with calling_aws(f"look at {path}"):
                stored = read.get(path) or head_object(self.s3_client, path)
            if stored is None or stored.metadata != self._record_metadata(deployment, stored):
                return False
        return True

    def _is_record_of(self, deployment: LayerDeployment, stored: S3Object | None) -> bool:
        return stored is not None and self._version_metadata(deployment).items() <= stored.metadata.items()

    def _version_metadata(self, deployment: LayerDeployment) -> dict[str, str]:
        return {
            S3MetadataKeyEnum.manifest_md5: self.manifest.md5,
            S3MetadataKeyEnum.build_key: self.build_key,
            S3MetadataKeyEnum.layer_version_arn: deployment.layer_version_arn,
        }

    def _record_metadata(self, deployment: LayerDeployment, stored: S3Object | None) -> dict[str, str]:
        """Return the metadata for a record.

        :param stored: the record in S3, or None when it does not exist.
        """
        current = stored.metadata.items() if stored else ()
        return {
            **self._version_metadata(deployment),
            **{key: value for key, value in current if key == RETURNED_TO},
            **owner_metadata(joint_owner(stored, self.owner)),
        }

    def _prune(self, deployment: LayerDeployment) -> None:
        """Delete older versions; the deployment is done already and does not fail when this fails."""
        if self.keep_versions is None:
            return
        try:
            with calling_aws(f"prune layer {self.layer_name}"):
                self._prune_to(deployment, self.keep_versions)
        except LbdartError as error:
            self.log(f"Older versions stay until the next deployment. {error}")

    def _prune_to(self, deployment: LayerDeployment, keep: int) -> None:
        versions = self._versions()
        needed = {deployment.layer_version}
        if self.needed_build_key:
            numbers = [n for n, version in versions.items() if version.build_key == self.needed_build_key]
            if not numbers:
                return
            needed.add(min(numbers))
        ours = {number: version.build_key is not None for number, version in versions.items()}
        if any(is_ours and number > deployment.layer_version for number, is_ours in ours.items()):
            self._note_return(deployment)
        folders = find_superseded(self.s3_client, self.layout, ours, needed=needed, keep=keep)
        if not folders:
            return
        with PublishClaim(
            self.s3_client,
            self.layout.s3path_publish_claim,
            self.layer_name,
            self._lease,
            self.owner,
            waits=False,
        ) as claim:
            for number, objects in folders.items():
                if not may_go(self.s3_client, objects, self.owner, self.layer_name):
                    continue
                claim.renew()
                if number in versions:
                    claim.forget(versions[number].build_key or "")
                    self.lambda_client.delete_layer_version(LayerName=self.layer_name, VersionNumber=number)
                for path, version_ids in objects.items():
                    delete_object_versions(self.s3_client, path, version_ids)
                self.log(f"Deleted version {number} of layer {self.layer_name}.")

    def _note_return(self, deployment: LayerDeployment) -> None:
        path = deployment.s3path_manifest
        stored = head_object(self.s3_client, path)
        metadata = {**self._record_metadata(deployment, stored), RETURNED_TO: "yes"}
        write_object(self.s3_client, path, path, metadata)

    def _publish_once(self, upload: Callable[[], UploadedLayer] | None) -> LayerDeployment:
        with (
            calling_aws(f"claim {self.layout.s3path_publish_claim}"),
            PublishClaim(
                self.s3_client,
                self.layout.s3path_publish_claim,
                self.layer_name,
                self._lease,
                self.owner,
            ) as claim,
        ):
            # The previous holder of the claim may have published the same build key.
            deployment = self.find_published()
            if deployment is None:
                uploaded = upload() if upload else None
                zip_version_id = uploaded.zip_version_id if uploaded else None
                stored = self.check_zip_exists(zip_version_id)
                self.check_zip_agrees(stored)
                deployment = self._publish(claim, stored)
            self.store_records(deployment)
            return deployment

    def _publish(self, claim: PublishClaim, stored: S3Object) -> LayerDeployment:
        """Publish; after a transient error, find out whether the call took effect before the next attempt."""
        claim.sending(self.build_key, after=max(self._versions(), default=0))
        for pause in (*_PAUSES, None):
            claim.renew()
            try:
                return self._send(stored)
            except (BotoCoreError, ClientError) as error:
                if pause is None or not is_transient(error):
                    with calling_aws(f"publish {stored.path} as layer {self.layer_name}"):
                        raise
                self.log(
                    f"Publishing layer {self.layer_name} failed: {error}. It may still have taken effect."
                )
                pauses = _PAUSES if isinstance(error, ReadTimeoutError) else (pause,)
            if published := self._appeared(pauses):
                return published
        raise AssertionError("the last attempt returns or raises")

    def _appeared(self, pauses: Iterable[int]) -> LayerDeployment | None:
        """Return the version with the build key when it appears after one of the pauses."""
        for pause in pauses:
            sleep(pause)
            if published := self.find_published():
                return published
        return None

    def _send(self, stored: S3Object) -> LayerDeployment:
        events = self.lambda_client.meta.events
        events.register(
            "needs-retry.lambda.PublishLayerVersion", _refuse_retry, unique_id="lbdart-never-repeat"
        )
        content: LayerVersionContentInputTypeDef = {"S3Bucket": stored.path.bucket, "S3Key": stored.path.key}
        if stored.version_id:
            content["S3ObjectVersion"] = stored.version_id
        answer = self.lambda_client.publish_layer_version(
            LayerName=self.layer_name,
            Content=content,
            Description=describe(self.description, self.build_key),
            LicenseInfo=self.license,
            CompatibleRuntimes=cast("list[RuntimeType]", list(as_tuple(self.compatible_runtimes))),
            CompatibleArchitectures=cast(
                "list[ArchitectureType]", list(as_tuple(self.compatible_architectures))
            ),
        )
        if self.zip_sha256 and from_base64(answer["Content"].get("CodeSha256", "")) != self.zip_sha256:
            raise InvalidError(
                f"Version {answer['Version']} of layer {self.layer_name} was published with other bytes: "
                f"{stored.path} was replaced meanwhile.",
                "Find out who can write there, use a versioned bucket, delete the version and deploy again.",
            )
        self.log(f"Published version {answer['Version']} of layer {self.layer_name}.")
        return self._deployment(answer["Version"], answer["LayerVersionArn"])

    def _versions(self) -> dict[int, _Version]:
        with calling_aws(f"list the versions of layer {self.layer_name}"):
            return {
                version["Version"]: _Version(
                    version["LayerVersionArn"],
                    described_build_key(version.get("Description", "")),
                    (
                        frozenset(version.get("CompatibleRuntimes", ())),
                        frozenset(version.get("CompatibleArchitectures", ())),
                    ),
                )
                for version in _list_versions(self.lambda_client, self.layer_name)
            }

    def _deployment(self, version: int, arn: str) -> LayerDeployment:
        s3path_manifest = self.layout.get_s3path_layer_manifest(version, self.manifest.name)
        return LayerDeployment(self.layer_name, version, arn, s3path_manifest)


def uploaded_zip(s3_client: S3Client, layout: LayerS3Layout, version_id: str | None = None) -> S3Object:
    """Return the uploaded zip.

    :param version_id: the object version to publish; None for the newest.
    :raises LbdartError: when the zip does not exist or reading it is not allowed.
    """
    path = layout.s3path_temp_layer_zip
    with calling_aws(f"look at {path}"):
        stored = head_object(s3_client, path, version_id, with_sha256=True)
    if stored is None:
        raise MissingError(
            f"There is no zip to publish at {path}, or reading it is not allowed.",
            "Upload the layer first, and allow s3:GetObject and s3:GetObjectVersion there.",
        )
    return stored


def remove_layer_versions(
    s3_client: S3Client, lambda_client: LambdaClient, layer_name: str, s3dir_lambda: S3Location, owner: str
) -> None:
    """Delete the versions that ``owner`` alone owns, and their history below ``{s3dir}/layer/``.

    The versions of other publishers stay. A version is deleted before the manifest that names its owner, so
    that an interrupted removal can be repeated.

    :param owner: see :mod:`.ownership`.
    :raises LbdartError: when AWS refuses.
    """
    folder = LayerS3Layout(s3dir_lambda).s3dir_layer
    with calling_aws(f"remove layer {layer_name} and its history below {folder}"):
        owned = find_owned(s3_client, folder, owner)
        for version in list(_list_versions(lambda_client, layer_name)):
            history = LayerS3Layout(s3dir_lambda).get_s3dir_layer_version(version["Version"])
            if described_build_key(version.get("Description", "")) and any(
                path.key.startswith(history.key) for path in owned
            ):
                lambda_client.delete_layer_version(LayerName=layer_name, VersionNumber=version["Version"])
        for path, version_ids in owned.items():
            delete_object_versions(s3_client, path, version_ids)


def _list_versions(lambda_client: LambdaClient, layer_name: str) -> Iterator[LayerVersionsListItemTypeDef]:
    try:
        for page in lambda_client.get_paginator("list_layer_versions").paginate(LayerName=layer_name):
            yield from page["LayerVersions"]
    except lambda_client.exceptions.ResourceNotFoundException:
        return


def _refuse_retry(*, response: Any, operation: Any, caught_exception: Exception | None, **_: object) -> None:
    """Keep botocore from sending PublishLayerVersion again on its own.

    When an answer got lost, the version may be published, and another call would publish a second one. A
    denied call certainly published nothing, so the client may repeat it. botocore registers its retry
    handlers for the whole service, so it calls them after this one.
    """
    if caught_exception:
        raise caught_exception
    if response[0].status_code >= 300 and not is_denial(response[1]):
        raise ClientError(response[1], operation.name)
