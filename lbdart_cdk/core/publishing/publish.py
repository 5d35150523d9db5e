"""Publishes an uploaded zip as a layer version, once per build key."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from time import sleep
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from ..arguments import as_tuple
from ..errors import InvalidError
from .aws_errors import calling_aws, is_transient
from .claim import PublishClaim
from .layer_upload import UploadedZip
from .layouts import LayerS3Layout
from .limits import (
    describe,
    validate_architectures,
    validate_build_key,
    validate_description,
    validate_keep_versions,
    validate_layer_name,
    validate_license,
    validate_runtimes,
)
from .logger import BaseLogger
from .preflight import ExpectedZip, uploaded_zip
from .prune import prune
from .published import BuildSearch
from .version_records import LayerDeployment, VersionRecords
from .versions import CompatibleWith, LambdaLayer, code_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

    from .layer_upload import UploadedLayer
    from .manifest import LayerManifest
    from .records import S3Member
    from .s3 import S3Location, S3Object
    from .versions import LayerVersion

__all__ = ["LayerDeployment", "LayerPublisher", "uploaded_zip"]

#: The seconds that a claim outlives the longest request to publish: those in which its version may appear.
_LEASE_MARGIN: Final = 40

#: What counts for the read timeout of a client that has none: as long as a Lambda function runs.
_NO_TIMEOUT: Final = 900

#: Seconds between attempts to publish. After an attempt that took too long, a version may still appear: the
#: next attempt waits for it through all of these pauses.
_PAUSES: Final = (1, 2, 4, 8, 16)


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

    def run(
        self, upload: Callable[[], UploadedLayer | UploadedZip] | None = None, *, is_first: bool = False
    ) -> LayerDeployment:
        """Publish the build key unless it is published, and store its manifest and SBOM.

        The run may be interrupted anywhere, repeated, and done by several processes at once: a build key gets
        one version.

        :param upload: uploads the zip (:func:`upload_layer`). It is called only when
            there is a version to publish, and while no other publisher writes. When None, the zip that is
            already in S3 is published.
        :param is_first: whether nothing should be published from this folder yet. It saves calls if that is
            right, and costs some if it is not.
        :raises LbdartError: when the preflight fails, AWS refuses, or another deployment takes over.
        """
        versions = self._layer.versions()
        deployment, read = self._search.published(versions)
        if deployment is None and (unnamed := self._search.unnamed(versions)) is not None:
            return unnamed
        if deployment is None:
            deployment = self._publish_once(upload, versions, expects_none=is_first)
        elif not self._records.are_stored(deployment, read):
            deployment = self._publish_once(upload, versions, is_published=True)
        if self.keep_versions is not None:
            prune(
                self._layer,
                self._records,
                self._claim(waits=False),
                deployment,
                needed_build_key=self.needed_build_key,
                keep=self.keep_versions,
                log=self.log,
            )
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
        return self._search.published(self._layer.versions())[0]

    def find_unchanged(self) -> LayerDeployment | None:
        """Return the version that :meth:`run` would return without publishing; None when it would publish.

        :raises LbdartError: when AWS refuses to list the versions.
        """
        versions = self._layer.versions()
        return self._search.published(versions)[0] or self._search.unnamed(versions)

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
        expected = ExpectedZip(
            self.manifest, self.build_key, self.zip_sha256, accepts_unnamed=bool(self.unnamed_build_key)
        )
        expected.check(self.s3_client, stored)

    def store_records(self, deployment: LayerDeployment) -> None:
        """Store the manifest and SBOM of a version unless they are stored already.

        :raises LbdartError: when S3 refuses.
        """
        self._records.store(deployment, self.log)

    def _publish_once(
        self,
        upload: Callable[[], UploadedLayer | UploadedZip] | None,
        versions: Mapping[int, LayerVersion],
        *,
        is_published: bool = False,
        expects_none: bool = False,
    ) -> LayerDeployment:
        """Publish while holding the claim, and store the records.

        :param versions: the versions that there were before.
        :param is_published: whether the build was among them.
        :param expects_none: see :class:`.claim.PublishClaim`.
        """
        claim = self._claim(expects_none=expects_none)
        claim.sending(self.build_key, after=max(versions, default=0))
        with calling_aws(f"claim {self.layout.s3path_publish_claim}"), claim:
            zip_in_s3 = None if is_published else self._zip(upload)
            deployment = None
            if not claim.is_first:
                # The previous holder of the claim may have published the same build key.
                versions = self._layer.versions()
                deployment, _ = self._search.published(versions)
            is_new = deployment is None
            if deployment is None:
                zip_in_s3 = zip_in_s3 or self._zip(upload)
                deployment = self._publish(claim, zip_in_s3, after=max(versions, default=0))
            self._records.store(deployment, self.log, is_new=is_new)
            return deployment

    def _zip(self, upload: Callable[[], UploadedLayer | UploadedZip] | None) -> UploadedZip:
        """Return the zip to publish, after the preflight, and after the records were read, too."""
        self._records.check()
        uploaded = upload() if upload else None
        version_id = uploaded.zip_version_id if uploaded else None
        if uploaded and version_id and self.zip_sha256 and uploaded.zip_sha256 == self.zip_sha256:
            # This object version cannot change any more, and S3 computed its SHA-256 when it was written.
            return UploadedZip(uploaded.zip, version_id, uploaded.zip_sha256)
        stored = self.check_zip_exists(version_id)
        self.check_zip_agrees(stored)
        return UploadedZip(stored.path, stored.version_id, stored.sha256 or "")

    def _publish(self, claim: PublishClaim, zip_in_s3: UploadedZip, after: int) -> LayerDeployment:
        """Publish; after a transient error, find out whether the call took effect before the next attempt.

        :param after: the newest version that there is.
        """
        claim.sending(self.build_key, after)
        claim.assure()
        for pause in (*_PAUSES, None):
            try:
                return self._send(zip_in_s3)
            except (BotoCoreError, ClientError) as error:
                if pause is None or not is_transient(error):
                    with calling_aws(f"publish {zip_in_s3.zip} as layer {self.layer_name}"):
                        raise
                self.log(
                    f"Publishing layer {self.layer_name} failed: {error}. It may still have taken effect."
                )
                pauses = _PAUSES if isinstance(error, ReadTimeoutError) else (pause,)
            if published := self._appeared(pauses):
                return published
            claim.renew()
        raise AssertionError("the last attempt returns or raises")

    def _appeared(self, pauses: Iterable[int]) -> LayerDeployment | None:
        """Return the version with the build key when it appears after one of the pauses."""
        for pause in pauses:
            sleep(pause)
            if published := self.find_published():
                return published
        return None

    def _send(self, zip_in_s3: UploadedZip) -> LayerDeployment:
        answer = self._layer.publish(
            zip_in_s3.zip,
            zip_in_s3.zip_version_id,
            description=describe(self.description, self.build_key),
            licence=self.license,
            runtimes=as_tuple(self.compatible_runtimes),
            architectures=as_tuple(self.compatible_architectures),
        )
        if self.zip_sha256 and code_sha256(answer["Content"]) != self.zip_sha256:
            raise InvalidError(
                f"Version {answer['Version']} of layer {self.layer_name} was published with other bytes: "
                f"{zip_in_s3.zip} was replaced meanwhile.",
                "Find out who can write there, use a versioned bucket, delete the version and deploy again.",
            )
        self.log(f"Published version {answer['Version']} of layer {self.layer_name}.")
        return self._records.deployment(answer["Version"], answer["LayerVersionArn"])

    @property
    def _layer(self) -> LambdaLayer:
        return LambdaLayer(self.lambda_client, self.layer_name)

    @property
    def _records(self) -> VersionRecords:
        return VersionRecords(
            s3_client=self.s3_client,
            layout=self.layout,
            layer_name=self.layer_name,
            build_key=self.build_key,
            manifest=self.manifest,
            sbom=self.sbom,
            owner=self.owner,
        )

    @property
    def _search(self) -> BuildSearch:
        return BuildSearch(
            layer=self._layer,
            records=self._records,
            zip_sha256=self.zip_sha256,
            deployed_build_key=self.deployed_build_key,
            unnamed_build_key=self.unnamed_build_key,
            compatible_with=CompatibleWith(
                frozenset(as_tuple(self.compatible_runtimes)),
                frozenset(as_tuple(self.compatible_architectures)),
            ),
            log=self.log,
        )

    def _claim(self, *, waits: bool = True, expects_none: bool = False) -> PublishClaim:
        return PublishClaim(
            self.s3_client,
            self.layout.s3path_publish_claim,
            self.layer_name,
            self._lease,
            self.owner,
            waits=waits,
            expects_none=expects_none,
        )

    @property
    def _lease(self) -> int:
        if self.lease_seconds is not None:
            return self.lease_seconds
        read_timeout: float | None = vars(self.lambda_client.meta.config)["read_timeout"]
        return ceil(read_timeout or _NO_TIMEOUT) + _LEASE_MARGIN
