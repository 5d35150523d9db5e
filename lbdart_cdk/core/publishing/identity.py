"""A layer's zip says itself what it was built for, in its archive comment.

Metadata lie beside an object and can be right over a wrong zip; the comment is part of the zip's own bytes.
It is the last thing in a zip (APPNOTE.TXT, 4.3.16), so the end of the object tells it, however large it is.

The comment is ASCII and has one form::

    lbdart:1 build_key={64 hex digits} manifest_md5={32 hex digits}

The number is the format's. The comment depends on the inputs of the build alone, as all other bytes do.
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from ..archive.end_record import TAIL, read_comment, replace_comment
from ..errors import LbdartError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

    from .s3 import S3Object

_FORM: Final = re.compile(rb"lbdart:1 build_key=([0-9a-f]{64}) manifest_md5=([0-9a-f]{32})")


@dataclass(frozen=True)
class LayerIdentity:
    """What a layer's zip was built for."""

    build_key: str
    manifest_md5: str

    @property
    def comment(self) -> bytes:
        """The archive comment."""
        return f"lbdart:1 build_key={self.build_key} manifest_md5={self.manifest_md5}".encode()

    @classmethod
    def parse(cls, comment: bytes) -> LayerIdentity | None:
        """Read an archive comment; None if it is not one of ours."""
        match = _FORM.fullmatch(comment)
        return cls(match[1].decode(), match[2].decode()) if match else None


def read_tail(s3_client: S3Client, stored: S3Object) -> bytes:
    """The last bytes of an object, :data:`TAIL` at most, and of no other version than ``stored``.

    :raises botocore.exceptions.ClientError: if S3 refuses, or the object is another one by now.
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
        if error.response["Error"]["Code"] == "InvalidRange":  # of an empty object there is no part
            return b""
        raise
    with answer["Body"] as body:
        return body.read(TAIL)


@contextmanager
def marked(path: Path, identity: LayerIdentity) -> Iterator[Path]:
    """Give a zip that names its build: the file itself if it does, else a copy, gone after the block.

    The zips of our own builds name it; those of other origin get the comment here, on their way.

    :raises LbdartError: if the file cannot be read, is no zip, or names another build.
    """
    try:
        with path.open("rb") as file:
            comment = read_comment(file)
    except OSError as error:
        raise LbdartError(
            f"The layer's zip {path} cannot be read: {error.strerror or error}.", "Pack the layer first."
        ) from error
    if comment is None:
        raise LbdartError(f"{path} does not end as a zip does.", "Pack the layer again.")
    named = LayerIdentity.parse(comment)
    if named == identity:
        yield path
        return
    if named is not None:
        raise LbdartError(
            f"{path} was built for {named.build_key} from a manifest with the MD5 {named.manifest_md5}, and "
            f"not for {identity.build_key} and {identity.manifest_md5}.",
            "Pack the layer again.",
        )
    with TemporaryDirectory(prefix="lbdart-") as folder:
        copy = Path(shutil.copyfile(path, Path(folder, path.name)))
        with copy.open("r+b") as file:
            replace_comment(file, identity.comment)
        yield copy
