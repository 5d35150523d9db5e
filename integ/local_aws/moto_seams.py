"""Everything that reaches into moto's internals, for exactly the version that pyproject.toml pins.

What is replaced while the local AWS runs is listed in :func:`replaced_models`; the rest only reads.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from unittest import mock
from urllib.parse import parse_qs, unquote, urlparse
from xml.sax.saxutils import escape

from moto import settings
from moto.awslambda import models
from moto.awslambda.exceptions import LambdaClientError
from moto.core.base_backend import BackendDict
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.iam import models as iam_models
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import LimitExceededException
from moto.logs.models import logs_backends
from moto.moto_server.werkzeug_app import (
    BackendRequest,
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeBucket, s3_backends
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from integ.local_aws.errors import AwsError
from integ.local_aws.functions.archives import UNZIPPED_LIMIT, Archive
from integ.local_aws.functions.spec import FunctionSpec

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = [
    "ACCOUNT",
    "BackendRequest",
    "QuietRequestHandler",
    "check_encryption",
    "current_etag",
    "find_function",
    "inline_code_zip",
    "match_operation",
    "moto_application",
    "parse",
    "read_s3_url",
    "replaced_models",
    "serialize",
    "serialize_error",
    "write_log",
]

ACCOUNT = "123456789012"  # moto's own default
INLINE_POLICIES = 10_240  # characters of all of a role, without whitespace


class QuietRequestHandler(MotoRequestHandler):
    """Serves without a log line for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: D102
        pass


def moto_application() -> WSGIApplication:
    """Moto's server, with no state."""
    BackendDict.reset()
    return cast("WSGIApplication", DomainDispatcherApplication(create_backend_app))


# Reading requests and writing responses by botocore's models, as moto does.


def match_operation(service: str, request: BackendRequest) -> tuple[OperationModel, dict[str, Any]] | None:
    """The operation that a request calls, with the parameters in its path; None when it can't be told."""
    try:
        operation, uri_parameters = get_service_router(service).match(request)
    except (HTTPException, NotImplementedError, LookupError, ValueError):
        return None
    return operation, uri_parameters


def parse(
    operation: OperationModel, request: BackendRequest, uri_parameters: dict[str, Any]
) -> dict[str, Any]:
    """The parameters of a call, by the names that boto3 has for them."""
    protocol = determine_request_protocol(operation.service_model, request.content_type)
    return PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": uri_parameters,
        }
    )


def serialize(operation: OperationModel, request: BackendRequest, result: dict[str, Any]) -> Response:
    """The response that botocore reads as ``result``."""
    service = str(operation.service_model.service_name)
    protocol = determine_request_protocol(operation.service_model, request.content_type)
    written = get_serializer_class(service, protocol)(operation_model=operation).serialize(result)
    return Response(written["body"], written["status_code"], dict(written["headers"]))


def serialize_error(operation: OperationModel, error: AwsError) -> Response:
    """The response that botocore raises as ``error``; moto's serializers know moto's own errors only."""
    protocol = str(operation.service_model.protocol)
    if "json" in protocol:
        body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message})
        headers = {"x-amzn-ErrorType": error.code, "Content-Type": "application/json"}
        return Response(body, error.status, headers)
    fault = "Sender" if error.status < 500 else "Receiver"
    code, message = escape(error.code), escape(error.message)
    body = f"<Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    if protocol == "query":
        body = f"<ErrorResponse>{body}<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    return Response(body, error.status, {"Content-Type": "text/xml"})


# Lambda: what moto's models lack.


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)


def _read_content(content: dict[str, Any]) -> Archive:
    """The zip that a function's ``Code`` or a layer's ``Content`` means, as Lambda reads it."""
    if "ZipFile" in content:
        return Archive.read(base64.b64decode(content["ZipFile"]))
    if "S3Bucket" not in content or "S3Key" not in content:
        raise _invalid("Only zip files, inline or in S3, can be used as code in the local AWS.")
    failed = "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}"
    backend = s3_backends[ACCOUNT]["aws"]
    try:
        key = backend.get_object(content["S3Bucket"], content["S3Key"], content.get("S3ObjectVersion"))
    except MissingBucket:
        raise _invalid(failed.format("NoSuchBucket", "The specified bucket does not exist")) from None
    if key is None:
        code, text = ("NoSuchVersion", "version") if content.get("S3ObjectVersion") else ("NoSuchKey", "key")
        raise _invalid(failed.format(code, f"The specified {text} does not exist."))
    return Archive.read(key.value)


def _code_fields(archive: Archive) -> dict[str, Any]:
    return {
        "code_bytes": archive.data,
        "code_size": len(archive.data),
        "code_sha_256": base64.b64encode(hashlib.sha256(archive.data).digest()).decode(),
        "code_digest": archive.digest,
    }


@contextlib.contextmanager
def _as_moto_errors() -> Iterator[None]:
    try:
        yield
    except AwsError as error:
        raise LambdaClientError(error.code, error.message) from error


class CheckedLayerVersion(models.LayerVersion):
    """Moto takes a missing key, a thing that is no zip, any size, and ignores ``S3ObjectVersion``."""

    def __init__(self, spec: dict[str, Any], account_id: str, region: str) -> None:
        with _as_moto_errors():
            self.archive = _read_content(spec["Content"])
            if self.archive.unzipped_size > UNZIPPED_LIMIT:
                raise _invalid(f"Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes")
        super().__init__({**spec, "Content": {"ZipFile": b""}}, account_id, region)
        vars(self).update(_code_fields(self.archive))


class CheckedFunction(models.LambdaFunction):
    """The same for functions; also keeps what its layers contained when they were attached.

    Moto ignores ``LoggingConfig``. It numbers a new version by how many there are, and so gives a number
    twice after one was deleted.
    """

    code_archive: Archive
    layer_archives: tuple[Archive, ...]

    def __init__(self, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
        self._numbers = itertools.count(1)
        super().__init__(account_id, spec, region, version)
        self._set_log_group(spec)

    def set_version(self, version: int) -> None:
        # Moto calls this for a copy of the function, and the copies share the numbers.
        super().set_version(next(self._numbers))

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        self._set_log_group(config_updates)
        return super().update_configuration(config_updates)

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:
        logging = {"LogFormat": "Text", "LogGroup": self.logs_group_name}
        return {**super().get_configuration(on_create), "LoggingConfig": logging}

    def _set_log_group(self, spec: dict[str, Any]) -> None:
        if "LoggingConfig" in spec:
            self.logs_group_name = spec["LoggingConfig"].get("LogGroup", f"/aws/lambda/{self.function_name}")

    def _get_layers_data(self, layers_versions_arns: list[str]) -> list[models.LayerDataType]:
        with _as_moto_errors():
            if len(layers_versions_arns) > 5:
                raise _invalid("Cannot reference more than 5 layers.")
            data = super()._get_layers_data(layers_versions_arns)
            backend = models.lambda_backends[self.account_id][self.region]
            found = (backend.layers_versions_by_arn(arn) for arn in layers_versions_arns)
            layers = tuple(cast("CheckedLayerVersion", version).archive for version in found)
            if hasattr(self, "code_archive"):
                self._check_size(self.code_archive, layers)
        self.layer_archives = layers
        return data

    def _set_function_code(self, updated_spec: dict[str, Any]) -> None:
        with _as_moto_errors():
            archive = _read_content(updated_spec)
            self._check_size(archive, self.layer_archives)
        if updated_spec.get("DryRun"):
            return
        self.code_archive = archive
        vars(self).update(_code_fields(archive))
        # Without the content, which moto would otherwise keep as text beside the bytes.
        self.code = {"S3Key": updated_spec.get("S3Key", f"{self.function_name}-{archive.digest[:12]}")}

    @staticmethod
    def _check_size(code: Archive, layers: Iterable[Archive]) -> None:
        total = code.unzipped_size + sum(layer.unzipped_size for layer in layers)
        if code.unzipped_size > UNZIPPED_LIMIT:
            raise _invalid(f"Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes")
        if total > UNZIPPED_LIMIT:
            raise _invalid(
                "Function code combined with layers exceeds the maximum allowed size of "
                f"{UNZIPPED_LIMIT} bytes. The actual size is {total} bytes."
            )


def _permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    policy["Statement"] = [statement for statement in statements if "Condition" not in statement]
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


def check_encryption(bucket: str, headers: Mapping[str, str]) -> None:
    """Deny a write as the bucket's policy says in conditions on ``s3:x-amz-server-side-encryption``.

    :raises AwsError: when a statement denies it
    """
    found = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
    if found is None or found.policy is None:
        return
    named = {key.lower(): value for key, value in headers.items()}.get("x-amz-server-side-encryption")
    for statement in json.loads(found.policy)["Statement"]:
        wanted = {
            operator: values["s3:x-amz-server-side-encryption"]
            for operator, values in statement.get("Condition", {}).items()
            if "s3:x-amz-server-side-encryption" in values
        }
        if statement["Effect"] == "Deny" and wanted:
            is_missing = wanted.get("Null", "false") == "true" and named is None
            is_another = "StringNotEquals" in wanted and named != wanted["StringNotEquals"]
            if is_missing or is_another:
                raise AwsError("AccessDenied", "Access Denied with an explicit deny", status=403)


def _put_role_policy(role: iam_models.Role, policy_name: str, policy_json: str) -> None:
    """Keep an inline policy, unless all of the role's are too long ("IAM and AWS STS quotas")."""
    policies = {**role.policies, policy_name: policy_json}
    size = sum(len("".join(policy.split())) for policy in policies.values())
    if size > INLINE_POLICIES:
        message = f"Maximum policy size of {INLINE_POLICIES} bytes exceeded for role {role.name}"
        raise LimitExceededException(message)
    role.policies[policy_name] = policy_json


@contextlib.contextmanager
def replaced_models() -> Iterator[None]:
    """Put the checked models into moto, and take them out again."""
    with (
        # moto.awslambda.models builds every layer version and function by these module names.
        mock.patch.object(models, "LayerVersion", CheckedLayerVersion),
        mock.patch.object(models, "LambdaFunction", CheckedFunction),
        # Moto ignores the conditions of a bucket policy, so a policy that wants TLS would deny everything.
        mock.patch.object(FakeBucket, "get_permission", _permission),
        mock.patch.object(iam_models.Role, "put_policy", _put_role_policy),
        # A documented setting: without it roles can't have AWS' own managed policies attached.
        mock.patch.dict(os.environ, {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}),
        mock.patch.object(settings, "PRETTIFY_RESPONSES", False),
    ):
        yield


def inline_code_zip(text: str) -> bytes:
    """The zip that CloudFormation makes of inline code: ``index.py`` beside AWS' ``cfnresponse.py``."""
    return models.LambdaFunction._create_zipfile_from_plaintext_code(text)


def find_function(region: str, name_or_arn: str, qualifier: str | None) -> tuple[FunctionSpec, int]:
    """The function to run, and how often an asynchronous event of it is retried.

    :raises AwsError: when there is no such function, or it can't run here
    """
    try:
        function = models.lambda_backends[ACCOUNT][region].get_function(name_or_arn, qualifier)
    except LambdaClientError as error:
        raise AwsError(error.error_type, error.message, error.code or 400) from None
    assert isinstance(function, CheckedFunction)
    runtime = function.run_time or ""
    if not runtime.startswith("python"):
        raise _invalid(
            f"The local AWS runs Python functions only: {function.function_name} is for {runtime!r}."
        )
    retries = [config.config.get("MaximumRetryAttempts", 2) for config in function.event_invoke_config]
    spec = FunctionSpec(
        name=function.function_name,
        arn=function.function_arn,
        version=str(function.version),
        runtime=runtime,
        handler=function.handler or "",
        timeout=int(function.timeout),
        memory=int(function.memory_size),
        variables=tuple(sorted((str(name), str(value)) for name, value in function.environment_vars.items())),
        code=function.code_archive,
        layers=function.layer_archives,
        log_group=function.logs_group_name,
    )
    return spec, (retries or [2])[-1]


def write_log(spec: FunctionSpec, stream: str, text: str) -> None:
    """Put what an invocation wrote into CloudWatch Logs, where the cdk CLI looks after a failure."""
    backend = logs_backends[ACCOUNT][spec.arn.split(":")[3]]
    group = spec.log_group
    if group == f"/aws/lambda/{spec.name}":
        backend.ensure_log_group(group)
    elif group not in backend.groups:
        return  # Lambda makes it with the permissions of the function's role, which CDK's do not have
    if stream not in backend.groups[group].streams:
        backend.create_log_stream(group, stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in text.splitlines()]
    backend.put_log_events(group, stream, events)


# S3: for CopySourceIfMatch, which moto ignores.


def current_etag(bucket: str, key: str, version: str | None) -> str | None:
    """The ETag of an object, without quotes; None when there is none."""
    try:
        found = s3_backends[ACCOUNT]["aws"].get_object(bucket, key, version)
    except MissingBucket:
        return None
    return None if found is None else found.etag.strip('"')


def read_s3_url(url: str) -> str:
    """The text of an object by its URL, with the bucket in the path or in the host name."""
    parts = urlparse(url)
    host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
    virtual = re.match(r"(.+?)\.(s3[.-]|localhost$)", host)
    bucket, _, key = (virtual[1], "", path) if virtual else path.partition("/")
    version = parse_qs(parts.query).get("versionId", [None])[0]
    try:
        found = s3_backends[ACCOUNT]["aws"].get_object(bucket, key, version)
    except MissingBucket:
        found = None
    if found is None:
        raise AwsError("ValidationError", f"S3 error: there is no object {key} in the bucket {bucket}")
    return found.value.decode()
