"""Stores the records of a layer version, with the build, the version and the owner in their metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .aws_errors import CONDITION_FAILED, calling_aws, error_code
from .layouts import S3MetadataKeyEnum
from .ownership import joint_owner, owner_metadata
from .records import S3Member, recorded_layer, refuse_other_layer
from .s3 import S3Path, head_object, write_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_s3 import S3Client

    from .layouts import LayerS3Layout
    from .logger import T_PRINTER
    from .manifest import LayerManifest
    from .s3 import S3Object

__all__ = ["RETURNED_TO", "LayerDeployment", "VersionRecords"]

#: The metadata key on the manifest of a version that a deployment went back to.
RETURNED_TO: Final = "returned_to"


@dataclass(frozen=True)
class LayerDeployment:
    """A layer version and its manifest in S3."""

    layer_name: str
    layer_version: int
    layer_version_arn: str
    s3path_manifest: S3Path


@dataclass(frozen=True, kw_only=True)
class VersionRecords:
    """The records that a version of one build has: the manifest, and the SBOM unless it is None.

    :param owner: see :mod:`.ownership`.
    """

    s3_client: S3Client
    layout: LayerS3Layout
    layer_name: str
    build_key: str
    manifest: LayerManifest
    sbom: bytes | S3Member | None
    owner: str

    def deployment(self, number: int, arn: str) -> LayerDeployment:
        """Return a version with the path of its manifest."""
        s3path_manifest = self.layout.get_s3path_layer_manifest(number, self.manifest.name)
        return LayerDeployment(self.layer_name, number, arn, s3path_manifest)

    def contents(self, deployment: LayerDeployment) -> dict[S3Path, Callable[[], bytes | S3Path]]:
        """Return the paths of the records of a version, each with a function that reads the content.

        The manifest is the first one, and the last one that is stored.
        """
        contents: dict[S3Path, Callable[[], bytes | S3Path]] = {
            deployment.s3path_manifest: lambda: self.manifest.checked(self.s3_client)
        }
        if (sbom := self.sbom) is not None:
            path = self.layout.get_s3path_layer_sbom(deployment.layer_version)
            contents[path] = lambda: sbom.read(self.s3_client) if isinstance(sbom, S3Member) else sbom
        return contents

    def check(self) -> None:
        """Read the records that are to be stored.

        :raises LbdartError: when S3 refuses, or the manifest is another one.
        """
        self.manifest.checked(self.s3_client)
        if isinstance(self.sbom, S3Member):
            self.sbom.read(self.s3_client)

    def are_stored(self, deployment: LayerDeployment, read: Mapping[S3Path, S3Object]) -> bool:
        """Tell whether the records are stored and their metadata, with the owner, are up to date.

        The manifest tells: :meth:`store` writes it last.

        :param read: the records that were read already.
        :raises LbdartError: when S3 refuses.
        """
        path = deployment.s3path_manifest
        with calling_aws(f"look at {path}"):
            stored = read.get(path) or head_object(self.s3_client, path)
        return stored is not None and stored.metadata == self._metadata(deployment, stored)

    def store(self, deployment: LayerDeployment, log: T_PRINTER, *, is_new: bool = False) -> None:
        """Store the records unless they are stored already.

        :param is_new: whether the version was just published, so that there should be none.
        :raises LbdartError: when S3 refuses, or the folder is another layer's.
        """
        for path, read in reversed(self.contents(deployment).items()):
            with calling_aws(f"store {path}"):
                if not (is_new and self._create(path, read(), deployment, log)):
                    self._store(path, read, deployment, log)

    def _create(
        self, path: S3Path, content: bytes | S3Path, deployment: LayerDeployment, log: T_PRINTER
    ) -> bool:
        """Store a record if there is none; S3 decides that, so it need not be asked before."""
        if isinstance(content, S3Path):
            return False
        try:
            metadata = self._metadata(deployment, None)
            write_object(self.s3_client, path, content, metadata, only_if_absent=True)
        except self.s3_client.exceptions.ClientError as error:
            if error_code(error) not in CONDITION_FAILED:
                raise
            return False
        log(f"Storing {path}.")
        return True

    def _store(
        self,
        path: S3Path,
        read: Callable[[], bytes | S3Path],
        deployment: LayerDeployment,
        log: T_PRINTER,
    ) -> None:
        stored = head_object(self.s3_client, path)
        refuse_other_layer(path, self.layer_name, recorded_layer(stored.metadata) if stored else None)
        of_version = self._version_metadata(deployment)
        metadata = self._metadata(deployment, stored)
        if stored is None or not of_version.items() <= stored.metadata.items():
            log(f"Storing {path}.")
            write_object(self.s3_client, path, read(), metadata)
        elif stored.metadata != metadata:
            # The content is right; only the owner in the metadata changes.
            write_object(self.s3_client, path, path, metadata)

    def note_return(self, deployment: LayerDeployment) -> None:
        """Note in the manifest's metadata that a deployment went back to a version.

        :raises botocore.exceptions.ClientError: when S3 refuses.
        """
        path = deployment.s3path_manifest
        stored = head_object(self.s3_client, path)
        write_object(self.s3_client, path, path, {**self._metadata(deployment, stored), RETURNED_TO: "yes"})

    def _version_metadata(self, deployment: LayerDeployment) -> dict[str, str]:
        return {
            S3MetadataKeyEnum.manifest_md5: self.manifest.md5,
            S3MetadataKeyEnum.build_key: self.build_key,
            S3MetadataKeyEnum.layer_version_arn: deployment.layer_version_arn,
        }

    def _metadata(self, deployment: LayerDeployment, stored: S3Object | None) -> dict[str, str]:
        """Return the metadata for a record.

        :param stored: the record in S3, or None when it does not exist.
        """
        current = stored.metadata.items() if stored else ()
        return {
            **self._version_metadata(deployment),
            **{key: value for key, value in current if key == RETURNED_TO},
            **owner_metadata(joint_owner(stored, self.owner)),
        }
