"""Names the encryption of an object in a write: the default encryption of its bucket.

S3 encrypts each object by its bucket's default, named or not. But many organisations deny writes that do not
name it, with a condition on the header ``x-amz-server-side-encryption`` (S3 User Guide, "Protecting data with
server-side encryption"). Which name is right only the bucket knows: AES256 for a bucket whose default is a
key of KMS would store the object without this key, and nobody would notice. So the bucket is asked.

Whoever may not ask (``s3:GetEncryptionConfiguration``) writes without the header, and gets the default.

The handler asks only when a write without the header is denied, since most buckets deny none. A denied write
had no effect, and is sent again with the header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from .aws_errors import error_code, is_denial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_s3 import S3Client

__all__ = ["REPEATED", "DefaultEncryption", "name_encryption"]

#: The key in botocore's context of a request that is sent again at once, since it names the encryption now.
REPEATED: Final = "lbdart_repeated"

#: The calls that create objects; ``upload_file`` makes the first or the last one.
_WRITES: Final = ("PutObject", "CopyObject", "CreateMultipartUpload")

#: The key of the bucket in botocore's context of a request.
_BUCKET: Final = "lbdart_bucket"

#: The headers of the parameters (S3 API reference, PutObject).
_HEADERS: Final = {
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
}

#: The default of a bucket without a configuration: S3 encrypts every object since January 2023.
_S3_MANAGED: Final = {"ServerSideEncryption": "AES256"}


class DefaultEncryption:
    """Adds the encryption to the writes of a client that do not name one.

    A bucket is asked before the first write, and again after :meth:`begin`.

    :param only_if_denied: whether a bucket is asked only when a write that names none is denied.
    """

    def __init__(self, s3_client: S3Client, *, only_if_denied: bool = False) -> None:
        self._s3_client = s3_client
        self._only_if_denied = only_if_denied
        self._parameters: dict[str, Mapping[str, Any]] = {}
        add: Callable[..., Any] = self._add
        repeat: Callable[..., Any] = self._repeat
        events = s3_client.meta.events
        for operation in _WRITES:
            events.register(
                f"provide-client-params.s3.{operation}", add, unique_id=f"lbdart-encryption-{operation}"
            )
            if only_if_denied:  # before whoever only waits, and repeats the same
                events.register_first(f"needs-retry.s3.{operation}", repeat)

    def begin(self) -> None:
        """Forget the answers: a bucket's default can change."""
        self._parameters.clear()

    def _add(self, *, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        if "ServerSideEncryption" in params:
            return
        bucket = context[_BUCKET] = params["Bucket"]
        if bucket not in self._parameters and not self._only_if_denied:
            self._parameters[bucket] = self._ask(bucket)
        params.update(self._parameters.get(bucket, {}))

    def _repeat(self, *, response: Any, request_dict: dict[str, Any], **_: object) -> float | None:
        """Name the encryption in a denied write; return the seconds after which it is sent again."""
        headers = request_dict["headers"]
        bucket = request_dict["context"].get(_BUCKET)
        is_named = _HEADERS["ServerSideEncryption"] in headers
        if response is None or not is_denial(response[1]) or bucket is None or is_named:
            return None
        named = self._ask(bucket)
        if not named:
            return None
        self._parameters[bucket] = named
        request_dict["context"][REPEATED] = True
        for parameter, value in named.items():
            headers[_HEADERS[parameter]] = "true" if value is True else value
        return 0.0

    def _ask(self, bucket: str) -> Mapping[str, Any]:
        try:
            answer = self._s3_client.get_bucket_encryption(Bucket=bucket)
        except ClientError as error:
            if error_code(error) == "ServerSideEncryptionConfigurationNotFoundError":
                return _S3_MANAGED
            if is_denial(error.response) or error_code(error) == "NoSuchBucket":
                return {}  # what the write needs, its own answer says
            raise
        rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
        default = rule["ApplyServerSideEncryptionByDefault"]
        parameters: dict[str, Any] = {"ServerSideEncryption": default["SSEAlgorithm"]}
        if key := default.get("KMSMasterKeyID"):
            parameters["SSEKMSKeyId"] = key
        if rule.get("BucketKeyEnabled") and default["SSEAlgorithm"] == "aws:kms":
            parameters["BucketKeyEnabled"] = True
        return parameters


def name_encryption(s3_client: S3Client) -> None:
    """Let each write of an S3 client name its bucket's default encryption, unless it names one.

    For buckets whose policy denies writes without ``x-amz-server-side-encryption``.
    """
    DefaultEncryption(s3_client)
