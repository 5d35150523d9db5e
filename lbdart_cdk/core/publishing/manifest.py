"""The manifest of a layer and its MD5."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import LbdartError
from .s3 import S3Path

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from .records import S3Member


def md5_of(content: bytes) -> str:
    """Return the MD5 in hexadecimal; it detects changes, but does not protect against forgery."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class LayerManifest:
    """A manifest to upload and publish.

    :param name: the file name in S3.
    :param md5: the MD5 of the content, 32 hex digits.
    :param content: the bytes, or their location in S3.
    """

    name: str
    md5: str
    content: bytes | S3Path | S3Member

    def __str__(self) -> str:
        """Return the name for messages: the location in S3, or the file name."""
        return self.name if isinstance(self.content, bytes) else str(self.content)

    def checked(self, s3_client: S3Client) -> bytes | S3Path:
        """Return the content for S3: bytes that match the MD5, or an object to copy.

        :raises LbdartError: when the bytes do not match the MD5.
        """
        content = self.content
        if isinstance(content, S3Path):
            return content
        content = content if isinstance(content, bytes) else content.read(s3_client)
        md5 = md5_of(content)
        if md5 != self.md5:
            raise LbdartError(
                f"The manifest {self} has the MD5 {md5}, not {self.md5}.",
                "Build the layer again; the file changed after its MD5 was computed.",
            )
        return content
