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
- Who creates the claim is the folder's first publisher: nobody published from here since it looked. It need
  not look again, and it renews the claim only if that is older than some seconds.
- The claim names the layer, and another layer cannot take it: two layers in one folder would mix their
  histories, since both have a version 1.
- The claim also notes which builds were sent to Lambda last, each with the newest version that there was
  before. A publisher that died before it stored a version's records, or whose records were lost, knows its
  own version by that: another app may publish the same build under the same name.
- When the publisher is done or fails, it marks the claim as free. It does not delete the claim, so it needs
  no permission to delete.

Three cases are not covered: a publisher that stops for a whole lease after it renewed the claim and before
it sends the request; a request that Lambda carries out after the sender gave up (the lease exceeds the read
timeout of the request); and a folder's first publisher that dies before it stored the records, while another
app published the same bytes under the same name in the seconds since the first listed the versions: the
other's version may be taken for its own. The claim lies beside the layer's history, so two deployments of
one layer *name* to two buckets or prefixes do not see each other's claims.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, Literal, Self
from uuid import uuid4

from ..errors import LbdartError
from .aws_errors import CONDITION_FAILED, error_code
from .ownership import owner_metadata
from .records import refuse_other_layer
from .s3 import S3Object, S3Path, answered_at, head_object

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

__all__ = ["FRESH_SECONDS", "PublishClaim", "sent_builds"]

#: The age, in seconds, up to which a claim need not be renewed before a build is sent.
FRESH_SECONDS: Final = 5

_LOST = CONDITION_FAILED | {"NoSuchKey"}
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
    :param expects_none: whether there should be no claim, so that the claim is written without a look at it.
    :raises LbdartError: on entering, when another publisher still holds the claim, or another layer has it.
    """

    s3_client: S3Client
    path: S3Path
    layer_name: str
    lease_seconds: int
    owner: str = ""
    waits: bool = True
    expects_none: bool = False
    is_first: bool = field(default=False, init=False)
    """Whether nobody has ever had the claim before."""
    _etag: str = field(default="", init=False)
    _sent: dict[str, int] = field(default_factory=dict, init=False)
    _written: tuple[float, datetime, dict[str, int]] | None = field(default=None, init=False)
    _last_answer: datetime | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self.s3_client.meta.events.register("after-call.s3", self._note_answer)
        try:
            self._enter()
        except BaseException:
            self._forget_answers()
            raise
        return self

    def _enter(self) -> None:
        self.is_first = self.expects_none and self._write(self.lease_seconds)
        if self.is_first:
            return
        self._sent.clear()
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

    def assure(self) -> None:
        """Start the lease again, unless this is the first claim, has just begun, and notes all builds.

        It has just begun if the last answer of S3 came at most :data:`FRESH_SECONDS` after the answer to the
        claim, by the clock of S3, which does not stop with this process, and if no more seconds have passed
        here since the claim was sent.

        :raises LbdartError: as :meth:`renew` does.
        """
        if self.is_first and self._written is not None and self._last_answer is not None:
            sent_at, answered, noted = self._written
            age = max(monotonic() - sent_at, (self._last_answer - answered).total_seconds())
            if age <= FRESH_SECONDS and noted == self._sent:
                return
        self.renew()

    def _forget_answers(self) -> None:
        self.s3_client.meta.events.unregister("after-call.s3", self._note_answer)

    def _note_answer(self, parsed: dict[str, Any], **_: object) -> None:
        self._last_answer = answered_at(parsed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        with suppress(Exception):  # the claim expires anyway, and must not hide the outcome of the block
            self._write(0, if_match=self._etag)
        self._forget_answers()
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
        sent_at, noted_builds = monotonic(), dict(self._sent)
        try:
            written = self.s3_client.put_object(**request)
        except self.s3_client.exceptions.ClientError as error:
            code = error_code(error)
            if code not in _LOST:
                raise
            # botocore repeats a request whose answer got lost; the first request may have written the claim.
            self._written = None
            is_there = code == "PreconditionFailed"
            current = head_object(self.s3_client, self.path, is_listed=is_there)
            if current is None or current.metadata.get("nonce") != nonce:
                return False
            self._etag = current.etag
        else:
            self._etag = written["ETag"]
            self._written = (sent_at, answered_at(written), noted_builds)
        return True


def _lease(held: S3Object) -> int:
    """Return the lease of a claim in seconds, or 0 when the object is not a claim."""
    seconds = held.metadata.get("lease_seconds", "")
    return int(seconds) if seconds.isdecimal() else 0
