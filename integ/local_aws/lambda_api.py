"""Lambda's ``Invoke``, the one operation of Lambda that moto does not answer."""

from __future__ import annotations

import base64

from werkzeug.wrappers import Response

from integ.local_aws import moto_seams
from integ.local_aws.calls import Call
from integ.local_aws.functions.executor import Executor

__all__ = ["LambdaInvoke"]


class LambdaInvoke:
    """Answers ``Invoke`` by running the function's process."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def __call__(self, call: Call, region: str) -> Response:
        """Invoke as the ``InvocationType`` says."""
        parameters = call.parameters
        spec, retries = moto_seams.find_function(
            region, parameters["FunctionName"], parameters.get("Qualifier")
        )
        payload = parameters.get("Payload") or b"{}"
        headers = {"X-Amz-Executed-Version": spec.version, "Content-Type": "application/json"}
        kind = parameters.get("InvocationType", "RequestResponse")
        if kind == "DryRun":
            return Response(status=204, headers=headers)
        if kind == "Event":
            self._executor.invoke_event(spec, payload, retries)
            return Response(status=202, headers=headers)
        result = self._executor.invoke(spec, payload)
        if result.error:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if parameters.get("LogType") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(result.log.encode()[-4096:]).decode()
        return Response(result.payload, 200, headers)
