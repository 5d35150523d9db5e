"""Finds the version of a layer that has a build already.

A version has a build by the key in its description, by Lambda's own checksum of its zip, and by its records
in the layer's folder. Why all three: :class:`.publish.LayerPublisher`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .aws_errors import calling_aws
from .claim import sent_builds
from .layouts import S3MetadataKeyEnum
from .manifest import md5_of
from .s3 import head_object, read_object

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from .logger import T_PRINTER
    from .s3 import S3Object, S3Path
    from .version_records import LayerDeployment, VersionRecords
    from .versions import CompatibleWith, LambdaLayer, LayerVersion

__all__ = ["BuildSearch"]


@dataclass(frozen=True, kw_only=True)
class BuildSearch:
    """Looks for the build that the records are of.

    :param zip_sha256: the SHA-256 of the build's zip; when empty, the build key alone decides.
    :param deployed_build_key: see :class:`.publish.LayerPublisher`, as for ``unnamed_build_key``.
    :param compatible_with: what the version of a zip without a build key must be declared for.
    :param log: gets a line for what was found.
    """

    layer: LambdaLayer
    records: VersionRecords
    zip_sha256: str
    deployed_build_key: str
    unnamed_build_key: str
    compatible_with: CompatibleWith
    log: T_PRINTER

    def published(
        self, listed: Mapping[int, LayerVersion]
    ) -> tuple[LayerDeployment | None, dict[S3Path, S3Object]]:
        """Return the version of the build from this folder, and the records that were read for that.

        :param listed: the versions of the layer.
        :raises LbdartError: when AWS refuses.
        """
        versions = {
            version.number: version
            for version in listed.values()
            if version.build_key == self.records.build_key and self._has_zip(version)
        }
        if not versions:
            return None, {}
        first, read = self._first_of_this_folder(versions.values())
        if first is None:
            self.log(
                f"Another publisher of layer {self.layer.name} has this build, with its history elsewhere."
            )
            return None, {}
        self.log(f"Version {first} of layer {self.layer.name} has this build.")
        return self.records.deployment(first, versions[first].arn), read

    def unnamed(self, listed: Mapping[int, LayerVersion]) -> LayerDeployment | None:
        """Return the latest version if it is of another publisher's zip, with the same manifest.

        :param listed: the versions of the layer.
        :raises LbdartError: when AWS refuses.
        """
        if not (self.unnamed_build_key and listed):
            return None
        latest = listed[max(listed)]
        if latest.compatible_with != self.compatible_with:
            return None
        if latest.build_key not in (None, self.unnamed_build_key):
            return None
        deployment = self.records.deployment(latest.number, latest.arn)
        with calling_aws(f"read {deployment.s3path_manifest}"):
            stored = read_object(self.records.s3_client, deployment.s3path_manifest)
        if stored is None or md5_of(stored) != self.records.manifest.md5:
            return None
        self.log(f"Version {latest.number} of layer {self.layer.name} has this manifest.")
        return deployment

    def _has_zip(self, version: LayerVersion) -> bool:
        """Tell whether a version is of the zip, as far as its SHA-256 is known."""
        if not self.zip_sha256:
            return True
        sha256 = self.layer.code_sha256(version.number)
        if sha256 is not None and sha256 != self.zip_sha256:
            self.log(
                f"Version {version.number} of layer {self.layer.name} has this build's key, but other bytes."
            )
        return sha256 == self.zip_sha256  # None: it was deleted meanwhile

    def _first_of_this_folder(
        self, versions: Collection[LayerVersion]
    ) -> tuple[int | None, dict[S3Path, S3Object]]:
        """Return the lowest of the versions that has records here, or that was sent from here.

        The records that were read for that are returned too.
        """
        s3_client, layout = self.records.s3_client, self.records.layout
        read: dict[S3Path, S3Object] = {}
        with calling_aws(f"look at {layout.s3dir_layer}"):
            for version in sorted(versions, key=lambda version: version.number):
                for path in self.records.contents(self.records.deployment(version.number, version.arn)):
                    if (stored := head_object(s3_client, path)) is None:
                        continue
                    read[path] = stored
                    if stored.metadata.get(S3MetadataKeyEnum.layer_version_arn) == version.arn:
                        return version.number, read
            claim = head_object(s3_client, layout.s3path_publish_claim)
        if self.deployed_build_key == self.records.build_key and len(versions) == 1:
            return min(version.number for version in versions), read
        sent_after = sent_builds(claim).get(self.records.build_key)
        return _first_after(sent_after, (version.number for version in versions)), read


def _first_after(before: int | None, numbers: Iterable[int]) -> int | None:
    """Return the lowest of the versions that came after one; None when there is none, or nobody knows."""
    return min((number for number in numbers if before is not None and number > before), default=None)
