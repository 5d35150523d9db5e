"""The records beside each layer version: the manifest and the bill of materials (SBOM).

The custom resource gets both in one small zip, ``records.zip``, whose entries are not compressed. The handler
opens the zip in memory, with a size limit, and writes each file as an object.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..errors import InvalidError, LbdartError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from .s3 import S3Path


#: The name of the CycloneDX document beside a version's manifest.
SBOM_NAME: Final = "sbom.cdx.json"

#: The most bytes of ``records.zip`` and of each file in it; the handler has 256 MB of memory.
MAX_RECORDS: Final = 32 * 1024 * 1024


def recorded_layer(metadata: Mapping[str, str]) -> str | None:
    """Return the name of the layer whose record an object is, by its metadata; None when they do not say.

    The ARN of a layer version is ``arn:partition:lambda:region:account:layer:name:version`` (Lambda API
    reference, PublishLayerVersion).
    """
    parts = metadata.get("layer_version_arn", "").split(":")
    return parts[6] if len(parts) == 8 else None


def refuse_other_layer(where: object, layer_name: str, found: str | None) -> None:
    """Refuse a folder that another layer has.

    :param where: the object that names the other layer.
    :param found: the layer that it names; None when it names none.
    :raises LbdartError: when it is not ``layer_name``.
    """
    if found not in (layer_name, None):
        raise InvalidError(
            f"{where} belongs to the layer {found}, so {layer_name} cannot be published in its folder.",
            "Give each layer a folder of its own, with another s3dir_lambda, or prefix= of the construct.",
        )


@dataclass
class S3SmallZip:
    """A small zip in S3, read once, together with the first of its files."""

    path: S3Path
    _content: bytes | None = field(default=None, init=False, repr=False)

    def read(self, s3_client: S3Client, name: str) -> bytes:
        """Return the bytes of a file in the zip; memory holds at most :data:`MAX_RECORDS`.

        :raises LbdartError: when S3 refuses, the zip is too large or not valid, or the file is missing.
        """
        from .aws_errors import calling_aws  # it imports boto3, which packing does not need

        if self._content is None:
            with calling_aws(f"read {name} in {self.path}"):
                answer = s3_client.get_object(Bucket=self.path.bucket, Key=self.path.key)
                with answer["Body"] as body:
                    self._content = body.read(MAX_RECORDS + 1)
        try:
            if len(self._content) > MAX_RECORDS:
                raise zipfile.BadZipFile(f"it has more than {MAX_RECORDS:,} bytes")
            with zipfile.ZipFile(io.BytesIO(self._content)) as archive:
                info = archive.getinfo(name)
                # Without compression, and with no file larger than the zip, it cannot be a zip bomb.
                if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(self._content):
                    raise zipfile.BadZipFile(f"{name} is not stored without compression")
                return archive.read(info)
        except (zipfile.BadZipFile, EOFError, KeyError, OSError, RuntimeError, ValueError) as error:
            raise LbdartError(
                f"{self.path} is not the staged zip with {name}: {error}.",
                "Synthesise and deploy again.",
            ) from error


@dataclass(frozen=True)
class S3Member:
    """A file of a small zip in S3."""

    archive: S3SmallZip
    name: str

    def __str__(self) -> str:
        return f"{self.name} in {self.archive.path}"

    def read(self, s3_client: S3Client) -> bytes:
        """Return the bytes of the file.

        :raises LbdartError: as :meth:`S3SmallZip.read` does.
        """
        return self.archive.read(s3_client, self.name)
