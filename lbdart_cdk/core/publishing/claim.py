"""Lets one publisher work on a layer at a time, with a claim that expires.

``PublishLayerVersion`` never removes duplicates, and CloudFormation may deliver one event twice at the same
moment: both deliveries could see that a build key is not published, and both publish it. So a publisher first
claims the layer, with an object in S3 that only one of them can write (S3 User Guide, "Conditional writes"):

- When there is no claim, or the claim is free, the publisher writes it under the condition that nobody else
  wrote it meanwhile (``If-None-Match: *`` or ``If-Match: <etag seen>``).
- A claim expires ``lease_seconds`` after it was written, by the clock of S3 alone (``Date`` minus
  ``Last-Modified`` in one answer). So nobody waits longer than that for a dead publisher.
- Before each ``PublishLayerVersion`` the holder renews its claim, again with ``If-Match``. A publisher that
  was idle for a whole lease and lost the claim notices it there, and publishes nothing.
- The claim names the layer, and another layer cannot take it: two layers in one folder would mix their
  histories, since both have a version 1.
- The claim also notes which builds were sent to Lambda last, each with the newest version that there was
  before. A publisher that died before it stored a version's records, or whose records were lost, knows its
  own version by that: another app may publish the same build under the same name.
- When the publisher is done or fails, it marks the claim as free. It does not delete the claim, so it needs
  no permission to delete.

Two cases are not covered: a publisher that stops for a whole lease after it renewed the claim and before it
sends the request, and a request that Lambda carries out after the sender gave up (the lease exceeds the read
timeout of the request). The claim lies beside the layer's history, so two deployments of one layer *name* to
two buckets or prefixes do not see each other's claims.
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
from .records import refuse_other_layer
from .s3 import S3Object, S3Path, head_object

if TYPE_CHECKING:
    from types import TracebackType

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

__all__ = ["PublishClaim", "sent_builds"]

_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
_POLL_SECONDS = 1.0
_SENT = "sent"
#: The most builds that a claim notes; S3 allows 2 KB of metadata.
_MAX_SENT = 16


def sent_builds(claim: S3Object | None) -> dict[str, int]:
    """Return the builds that were sent to Lambda, each with the newest version that there was before."""
    noted = claim.metadata.get(_SENT, "").split() if claim is not None else ()
    pairs = (entry.partition(":") for entry in noted)
    return {build_key: int(after) for build_key, _, after in pairs if after.isdecimal()}


@dataclass
class PublishClaim:
    """A context manager that keeps other publishers of the layer out.

    :param path: the claim's object in S3.
    :param layer_name: the layer; the history beside the claim is this layer's alone.
    :param lease_seconds: the seconds until the claim expires without :meth:`renew`.
    :param owner: the owner of the object (see :mod:`lbdart_cdk.core.publishing.ownership`).
    :param waits: whether to wait, up to four leases, while another publisher holds the claim.
    :raises LbdartError: on entering, when another publisher still holds the claim, or another layer has it.
    """

    s3_client: S3Client
    path: S3Path
    layer_name: str
    lease_seconds: int
    owner: str = ""
    waits: bool = True
    _etag: str = field(default="", init=False)
    _sent: dict[str, int] = field(default_factory=dict, init=False)

    def __enter__(self) -> Self:
        patience = 4 * self.lease_seconds if self.waits else 0
        give_up = monotonic() + patience
        while not self._take(head_object(self.s3_client, self.path)):
            if monotonic() >= give_up:
                raise LbdartError(
                    "Other deployments have been publishing this layer for "
                    f"{patience} seconds ({self.path}).",
                    "Deploy again when they are done.",
                )
            sleep(_POLL_SECONDS)
        return self

    def sending(self, build_key: str, after: int) -> None:
        """Note, with the next :meth:`renew`, that a build is sent to Lambda.

        :param after: the newest version that there is.
        """
        self._sent.setdefault(build_key, after)

    def forget(self, build_key: str) -> None:
        """Note, with the next write, that there is no version of a build any more."""
        self._sent.pop(build_key, None)

    def renew(self) -> None:
        """Start the lease again.

        :raises LbdartError: when another deployment has taken the claim.
        """
        if not self._write(self.lease_seconds, if_match=self._etag):
            raise LbdartError(
                f"Another deployment started to publish this layer after this one was idle for more than "
                f"{self.lease_seconds} seconds ({self.path}).",
                "Deploy again; a version that the other deployment published is reused.",
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        with suppress(Exception):  # the claim expires anyway, and must not hide the outcome of the block
            self._write(0, if_match=self._etag)
        return False

    def _take(self, held: S3Object | None) -> bool:
        if held is None:
            return self._write(self.lease_seconds)
        refuse_other_layer(self.path, self.layer_name, held.metadata.get("layer_name"))
        if held.age < _lease(held):
            return False
        self._sent = sent_builds(held)
        return self._write(self.lease_seconds, if_match=held.etag)

    def _write(self, lease_seconds: int, if_match: str = "") -> bool:
        """Write the claim under a condition.

        :param if_match: the ETag that the claim must have; when empty, there must be no claim.
        :return: whether the condition held.
        """
        nonce = uuid4().hex
        noted = [f"{build_key}:{after}" for build_key, after in self._sent.items()][-_MAX_SENT:]
        metadata = {
            "nonce": nonce,
            "layer_name": self.layer_name,
            "lease_seconds": str(lease_seconds),
            **({_SENT: " ".join(noted)} if noted else {}),
            **owner_metadata(self.owner),
        }
        request: PutObjectRequestTypeDef = {
            "Bucket": self.path.bucket,
            "Key": self.path.key,
            "Metadata": metadata,
            "Body": json.dumps(metadata).encode(),  # the nonce makes the ETag of each claim unique
        }
        if if_match:
            request["IfMatch"] = if_match
        else:
            request["IfNoneMatch"] = "*"
        try:
            written = self.s3_client.put_object(**request)
        except self.s3_client.exceptions.ClientError as error:
            code = error_code(error)
            if code not in _LOST:
                raise
            # botocore repeats a request whose answer got lost; the first request may have written the claim.
            is_there = code == "PreconditionFailed"
            current = head_object(self.s3_client, self.path, is_listed=is_there)
            if current is None or current.metadata.get("nonce") != nonce:
                return False
            self._etag = current.etag
        else:
            self._etag = written["ETag"]
        return True


def _lease(held: S3Object) -> int:
    """Return the lease of a claim in seconds, or 0 when the object is not a claim."""
    seconds = held.metadata.get("lease_seconds", "")
    return int(seconds) if seconds.isdecimal() else 0
