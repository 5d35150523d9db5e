"""Checks the uploaded zip before it is published: that it is there, and of which build it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..archive.end_record import comment_of
from ..errors import InvalidError, LbdartError, MissingError
from .aws_errors import calling_aws
from .identity import LayerIdentity, read_tail
from .layouts import S3MetadataKeyEnum
from .s3 import head_object, sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from .layouts import LayerS3Layout
    from .manifest import LayerManifest
    from .s3 import S3Object

__all__ = ["ExpectedZip", "uploaded_zip"]


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


@dataclass(frozen=True)
class ExpectedZip:
    """What the uploaded zip must be.

    :param zip_sha256: the SHA-256 of the zip; when empty, it is not compared.
    :param accepts_unnamed: whether it may be a zip of another publisher, which has no build key.
    """

    manifest: LayerManifest
    build_key: str
    zip_sha256: str
    accepts_unnamed: bool

    def check(self, s3_client: S3Client, stored: S3Object) -> None:
        """Check an uploaded zip; of its bytes only the end is read, unless S3 does not tell their SHA-256.

        :raises LbdartError: when it is another, or reading it is not allowed.
        """
        with calling_aws(f"read {stored.path}"):
            if self.zip_sha256 and (actual := sha256_of(s3_client, stored)) != self.zip_sha256:
                raise InvalidError(
                    f"{stored.path} has the SHA-256 {actual}, not {self.zip_sha256}: "
                    "it is not what was built.",
                    "Find out who can write there; upload the layer again, then publish.",
                )
            comment = comment_of(read_tail(s3_client, stored))
        if comment is None:
            raise LbdartError(
                f"{stored.path} does not end like a zip, so it is not a zip or is not complete.",
                "Build and upload the layer again, then publish.",
            )
        build_key, md5 = S3MetadataKeyEnum.build_key, S3MetadataKeyEnum.manifest_md5
        identity = LayerIdentity.parse(comment)
        is_unnamed = identity is None and build_key not in stored.metadata
        if is_unnamed and self.accepts_unnamed:
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
