"""What is kept beside each layer version: the manifest, and the bill of materials (SBOM).

Both travel to the custom resource in one small zip, ``records.zip``, whose entries are stored: its bytes are
those of its files. The handler opens it in memory, with a limit, and writes each file as an object.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..errors import LbdartError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from .s3 import S3Path


SBOM_NAME: Final = "sbom.cdx.json"
"""Name of the CycloneDX document beside a version's manifest."""

MAX_RECORDS: Final = 32 * 1024 * 1024
"""Bytes of ``records.zip`` and of each file in it; the handler has 256 MB of memory."""


@dataclass
class S3SmallZip:
    """A small zip in S3, read when the first of its files is, and once."""

    path: S3Path
    _content: bytes | None = field(default=None, init=False, repr=False)

    def read(self, s3_client: S3Client, name: str) -> bytes:
        """Return the bytes of a file in it; no more than :data:`MAX_RECORDS` are ever held.

        :raises LbdartError: if S3 refuses, or the zip is too large, is none, or lacks the file.
        """
        from .aws_errors import calling_aws  # boto3: not for who only packs

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
                # Stored and no larger than the zip: nothing in it can unfold.
                if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(self._content):
                    raise zipfile.BadZipFile(f"{name} is not stored in it as it is")
                return archive.read(info)
        except (zipfile.BadZipFile, EOFError, KeyError, OSError, RuntimeError, ValueError) as error:
            raise LbdartError(
                f"{self.path} is not the zip of {name} that was staged: {error}.",
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
        """Return its bytes; raises as :meth:`S3SmallZip.read`."""
        return self.archive.read(s3_client, self.name)
