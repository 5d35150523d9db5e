"""The identity of a layer's zip: its build key, in the archive comment.

The metadata of an S3 object can be right while its zip is wrong; the comment is part of the zip's own bytes.
It is the last field of a zip (APPNOTE.TXT, 4.3.16), so the end of the object is enough to read it.

The comment is ASCII and has one form::

    lbdart:2 build_key={64 hex digits}

The 2 is the version of the format. Like all bytes of the zip, the comment depends only on what the zip is
made of; a manifest can change without a change of the layer, so its MD5 is only in the metadata.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from ..archive.end_record import TAIL, read_comment, replace_comment
from ..errors import InvalidError, LbdartError, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

    from .s3 import S3Object

_FORM: Final = re.compile(rb"lbdart:2 build_key=([0-9a-f]{64})")


@dataclass(frozen=True)
class LayerIdentity:
    """The build key of a layer's zip."""

    build_key: str

    @property
    def comment(self) -> bytes:
        """The archive comment."""
        return f"lbdart:2 build_key={self.build_key}".encode()

    @classmethod
    def parse(cls, comment: bytes) -> LayerIdentity | None:
        """Read an archive comment; return None when it has another form."""
        match = _FORM.fullmatch(comment)
        return cls(match[1].decode()) if match else None


def read_tail(s3_client: S3Client, stored: S3Object) -> bytes:
    """Return the last :data:`TAIL` bytes of an object, or all bytes of a smaller one.

    :raises botocore.exceptions.ClientError: when S3 refuses, or the object has changed.
    """
    request: GetObjectRequestTypeDef = {
        "Bucket": stored.path.bucket,
        "Key": stored.path.key,
        "Range": f"bytes=-{TAIL}",
        "IfMatch": stored.etag,
    }
    if stored.version_id:
        request["VersionId"] = stored.version_id
    try:
        answer = s3_client.get_object(**request)
    except s3_client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "InvalidRange":  # the object is empty
            return b""
        raise
    with answer["Body"] as body:
        return body.read(TAIL)


def marked_sha256(path: Path, identity: LayerIdentity) -> str:
    """Return the SHA-256 of what :func:`marked` yields.

    :raises LbdartError: as :func:`marked` does.
    """
    with marked(path, identity) as zip_path, zip_path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def marked(path: Path, identity: LayerIdentity) -> Iterator[Path]:
    """Yield the path of a zip with an identity in its archive comment.

    A zip of this library's builds has the comment already. For any other zip, the path is that of a copy
    with the comment, which is deleted after the block.

    :raises LbdartError: when the file cannot be read, is not a zip, or has another identity.
    """
    try:
        with path.open("rb") as file:
            comment = read_comment(file)
    except OSError as error:
        raise unreadable(
            error,
            f"The layer's zip {path} cannot be read: {error.strerror or error}.",
            "Pack the layer first.",
        ) from error
    if comment is None:
        raise LbdartError(f"{path} does not end like a zip.", "Pack the layer again.")
    actual = LayerIdentity.parse(comment)
    if actual == identity:
        yield path
        return
    if actual is not None:
        raise InvalidError(
            f"{path} has the build key {actual.build_key}, not {identity.build_key}.",
            "Pack the layer again.",
        )
    with TemporaryDirectory(prefix="lbdart-") as folder:
        copy = Path(shutil.copyfile(path, Path(folder, path.name)))
        with copy.open("r+b") as file:
            replace_comment(file, identity.comment)
        yield copy
