"""The front door: tells which operation a request calls, records it, lets it fail, or passes it on."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlparse

from moto.core.model import OperationModel
from werkzeug.wrappers import Response

from integ.local_aws import moto_seams
from integ.local_aws.calls import Call, Calls, Faults
from integ.local_aws.errors import AwsError
from integ.local_aws.moto_seams import BackendRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Front", "Handler"]

#: Answers a call; a dict is written as the operation's output.
Handler = Callable[[Call, str], "dict[str, Any] | Response"]

#: Services that sign their requests with another name than the SDKs have for them.
_SIGNED_AS: Final = {"cloudcontrolapi": "cloudcontrol"}

_CREDENTIAL = re.compile(r"(?P<key>[^/=]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


class Front:
    """The WSGI application of the local AWS.

    :param moto: answers what has no handler of ours
    :param handlers: ours, by service or by (service, operation); called with the call and the region
    :param mailbox: takes the answers of custom resources, PUT below ``/custom-resource-response/``
    :param caller: names who uses an access key, see :class:`Call`
    """

    MAILBOX = "/custom-resource-response/"

    def __init__(
        self,
        moto: WSGIApplication,
        *,
        handlers: Mapping[str | tuple[str, str], Handler],
        mailbox: Callable[[str, bytes], None],
        caller: Callable[[str], str],
        calls: Calls,
        faults: Faults,
    ) -> None:
        self._moto = moto
        self._handlers = handlers
        self._mailbox = mailbox
        self._caller = caller
        self._calls = calls
        self._faults = faults

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = BackendRequest(environ)
        if request.path.startswith(self.MAILBOX):
            self._mailbox(request.path.removeprefix(self.MAILBOX), request.get_data())
            return Response(status=200)(environ, start_response)
        signed = _CREDENTIAL.search(
            request.headers.get("Authorization", "") or request.args.get("X-Amz-Credential", "")
        )
        service = _SIGNED_AS.get(signed["service"], signed["service"]) if signed else ""
        if signed and service != "s3":
            # Read once, ahead of anything that would take it for a form; an S3 object is left on the wire.
            environ["wsgi.input"] = io.BytesIO(request.get_data(cache=True))
        matched = moto_seams.match_operation(service, request) if signed else None
        try:
            if signed is None or matched is None:
                return self._moto(environ, start_response)
            return self._answer(request, signed, service, *matched)(environ, start_response)
        except NotImplementedError as error:
            # Of moto. As a 500 the cdk CLI would try it again for half a minute.
            body = json.dumps({"__type": "NotImplemented", "message": str(error)})
            return Response(body, 501, content_type="application/json")(environ, start_response)

    def _answer(
        self,
        request: BackendRequest,
        signed: re.Match[str],
        service: str,
        operation: OperationModel,
        uri: dict[str, Any],
    ) -> WSGIApplication:
        name = str(operation.name)
        parameters = self._parameters(request, service, operation, uri)
        call = Call(service, name, _without_blobs(parameters), self._caller(signed["key"]))
        self._calls.record(call)
        fault = self._faults.hit(call)
        handler = self._handlers.get((service, name)) or self._handlers.get(service)
        try:
            if fault and fault.when == "before":
                raise fault.error()
            if service == "s3" and name in ("PutObject", "CopyObject", "CreateMultipartUpload"):
                moto_seams.check_encryption(parameters["Bucket"], dict(request.headers))
            if (service, name) == ("s3", "CopyObject"):
                _check_copy_source(request)
            if (service, name) == ("s3", "PutObject"):
                _check_sha256(request)
            if handler:
                given = Call(service, name, parameters, call.caller)
                answered = handler(given, signed["region"])
                response = (
                    answered
                    if isinstance(answered, Response)
                    else moto_seams.serialize(operation, request, answered)
                )
            else:
                response = Response.from_app(self._moto, request.environ, buffered=True)
            if fault:
                raise fault.error()
        except AwsError as error:
            response = moto_seams.serialize_error(operation, error)
        call.status = response.status_code
        return response

    def _parameters(
        self, request: BackendRequest, service: str, operation: OperationModel, uri: dict[str, Any]
    ) -> dict[str, Any]:
        if service == "s3":
            headers = {k: v for k, v in request.headers.items() if k.lower().startswith(("x-amz-", "if-"))}
            return {**uri, **request.args.to_dict(), **headers}
        return moto_seams.parse(operation, request, uri)


def _without_blobs(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, dict):
        return {key: _without_blobs(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_without_blobs(member) for member in value]
    return value


def _check_sha256(request: BackendRequest) -> None:
    """Refuse an object with another SHA-256 than its writer says; moto takes any."""
    wanted = request.headers.get("x-amz-checksum-sha256")
    if wanted is None:
        return
    content = request.get_data(cache=True)
    request.environ["wsgi.input"] = io.BytesIO(content)
    if base64.b64encode(hashlib.sha256(content).digest()).decode() != wanted:
        raise AwsError("BadDigest", "The SHA256 you specified did not match the calculated checksum.")


def _check_copy_source(request: BackendRequest) -> None:
    wanted = request.headers.get("x-amz-copy-source-if-match")
    if wanted is None:
        return
    source = urlparse(request.headers["x-amz-copy-source"])
    bucket, _, key = unquote(source.path).lstrip("/").partition("/")
    version = parse_qs(source.query).get("versionId", [None])[0]
    if moto_seams.current_etag(bucket, key, version) not in (None, wanted.strip('"')):
        raise AwsError(
            "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", status=412
        )
