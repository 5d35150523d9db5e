"""One publisher at a time, without a lock that anybody could be left waiting for.

``PublishLayerVersion`` never dedupes, and CloudFormation may deliver one event twice at the same moment:
both deliveries could see that a build key is not published, and both publish it. So whoever is about to
publish first claims the layer, with an object in S3 that only one of them can write (S3 User Guide,
"Conditional writes"):

- There is no claim, or it is free: write it under the condition that nobody else wrote meanwhile
  (``If-None-Match: *`` or ``If-Match: <etag seen>``).
- A claim runs out ``lease_seconds`` after it was written, by the clock of S3 alone (``Date`` less
  ``Last-Modified`` in one answer). A publisher that died is waited for no longer than that.
- Before each ``PublishLayerVersion`` the holder renews its claim, again by ``If-Match``. A publisher that
  slept through its lease and lost the claim finds out there, and publishes nothing.
- Done or failed, it writes the claim free. It never deletes it, so that no permission to delete is needed.

What is left: a publisher that stops for a whole lease between renewing its claim and sending the request, or
Lambda carrying out a request after its sender gave it up (the lease exceeds the read timeout of the request).
The claim lies beside the layer's history: two deployments of one layer *name* into two buckets or prefixes do
not see each other's.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import TYPE_CHECKING, Literal, Self
from uuid import uuid4

from ..errors import LbdartError
from .aws_errors import error_code
from .ownership import owner_metadata
from .s3 import S3Object, S3Path, head_object

if TYPE_CHECKING:
    from types import TracebackType

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

__all__ = ["PublishClaim"]

_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
_POLL_SECONDS = 1.0


@dataclass
class PublishClaim:
    """Context manager: inside it, nobody else publishes the layer.

    :param path: the claim's object.
    :param lease_seconds: how long the claim holds without :meth:`renew`.
    :param owner: whom the object is noted for (see :mod:`lbdart_cdk.core.publishing.ownership`).
    :param waits: False, if it is not worth waiting for.
    :raises LbdartError: on entering, if others hold the claim for four leases, or hold it at all.
    """

    s3_client: S3Client
    path: S3Path
    lease_seconds: int
    owner: str = ""
    waits: bool = True
    _etag: str = field(default="", init=False)

    def __enter__(self) -> Self:
        patience = 4 * self.lease_seconds if self.waits else 0
        give_up = monotonic() + patience
        while not self._take(head_object(self.s3_client, self.path)):
            if monotonic() >= give_up:
                raise LbdartError(
                    "Other deployments have been publishing this layer for "
                    f"{patience} seconds, as {self.path} says.",
                    "Deploy again when they are done.",
                )
            sleep(_POLL_SECONDS)
        return self

    def renew(self) -> None:
        """Start the lease anew.

        :raises LbdartError: if the claim has been lost to another deployment.
        """
        if not self._write(self.lease_seconds, if_match=self._etag):
            raise LbdartError(
                f"Another deployment began to publish this layer after this one had been idle for more than "
                f"{self.lease_seconds} seconds ({self.path}).",
                "Deploy again; what the other one published is found and used.",
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        with suppress(Exception):  # it runs out by itself; the outcome of the work is what counts
            self._write(0, if_match=self._etag)
        return False

    def _take(self, held: S3Object | None) -> bool:
        if held is None:
            return self._write(self.lease_seconds)
        if held.age < _lease(held):
            return False
        return self._write(self.lease_seconds, if_match=held.etag)

    def _write(self, lease_seconds: int, if_match: str = "") -> bool:
        """Write the claim if it still is what ``if_match`` says (absent, if empty); tell whether it was."""
        nonce = uuid4().hex
        metadata = {"nonce": nonce, "lease_seconds": str(lease_seconds), **owner_metadata(self.owner)}
        request: PutObjectRequestTypeDef = {
            "Bucket": self.path.bucket,
            "Key": self.path.key,
            "Metadata": metadata,
            "Body": json.dumps(metadata).encode(),  # the nonce in it makes each claim's ETag its own
        }
        if if_match:
            request["IfMatch"] = if_match
        else:
            request["IfNoneMatch"] = "*"
        try:
            written = self.s3_client.put_object(**request)
        except self.s3_client.exceptions.ClientError as error:
            if error_code(error) not in _LOST:
                raise
            # botocore repeats a request whose answer got lost; the first may have done it.
            now = head_object(self.s3_client, self.path)
            if now is None or now.metadata.get("nonce") != nonce:
                return False
            self._etag = now.etag
        else:
            self._etag = written["ETag"]
        return True


def _lease(held: S3Object) -> int:
    """Seconds that a claim holds; none, if the object is not one that we wrote."""
    written = held.metadata.get("lease_seconds", "")
    return int(written) if written.isdecimal() else 0
