"""A manifest as upload and publication need it."""

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
    """MD5 in hexadecimal; an identity, not a protection."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class LayerManifest:
    """A manifest as upload and publication need it.

    :param name: its file name in S3.
    :param md5: MD5 of the content, 32 hex digits; an identity, not a protection.
    :param content: the bytes themselves, or where S3 has them.
    """

    name: str
    md5: str
    content: bytes | S3Path | S3Member

    def __str__(self) -> str:
        """What messages call it: where S3 has it, else its name."""
        return self.name if isinstance(self.content, bytes) else str(self.content)

    def checked(self, s3_client: S3Client) -> bytes | S3Path:
        """The content for S3: bytes that have the MD5, or an object to copy.

        :raises LbdartError: if the bytes are others.
        """
        content = self.content
        if isinstance(content, S3Path):
            return content
        content = content if isinstance(content, bytes) else content.read(s3_client)
        found = md5_of(content)
        if found != self.md5:
            raise LbdartError(
                f"The manifest {self} has the MD5 {found}, and not {self.md5}.",
                "Build the layer again; the file changed after its MD5 was taken.",
            )
        return content
