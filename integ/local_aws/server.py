"""Starts and stops the local AWS."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import boto3
from werkzeug.serving import make_server

from integ.local_aws import moto_seams
from integ.local_aws.calls import Calls, Faults
from integ.local_aws.cloud_control import cloud_control
from integ.local_aws.cloudformation.custom_resource import CustomResource, Mailbox
from integ.local_aws.cloudformation.resource_type import Clients, ResourceType
from integ.local_aws.cloudformation.resources_lambda import LAMBDA_TYPES
from integ.local_aws.cloudformation.resources_other import OTHER_TYPES
from integ.local_aws.cloudformation.resources_stack import STACK_TYPES
from integ.local_aws.cloudformation.service import CloudFormation
from integ.local_aws.front import Front
from integ.local_aws.functions.executor import Executor
from integ.local_aws.functions.spec import Result
from integ.local_aws.lambda_api import LambdaInvoke

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["LocalAws"]

REGION = "us-east-1"
_CLOUDFORMATION_KEY = "ASIACLOUDFORMATION00"


class LocalAws:
    """An AWS account on this machine, for as long as the ``with`` block runs.

    Moto's state belongs to the process, so there is one at a time; each start begins with an empty account.

    :param retry_seconds: the pause before an asynchronous Lambda event is tried again
    :param service_timeout_cap: the longest wait for a custom resource in seconds
    :param settle_seconds: how long a call that starts a stack operation waits for its end
    :param denied_seconds: how long the handler of custom resources repeats calls that are denied

    >>> with LocalAws() as aws:
    ...     aws.client("s3").create_bucket(Bucket="b")
    """

    _running = threading.Lock()

    def __init__(
        self,
        *,
        retry_seconds: float = 0.01,
        service_timeout_cap: float = 120.0,
        settle_seconds: float = 10.0,
        denied_seconds: float = 60.0,
    ) -> None:
        self._retry_seconds = retry_seconds
        self._denied_seconds = denied_seconds
        self._service_timeout_cap = service_timeout_cap
        self._settle_seconds = settle_seconds
        self._clients: dict[str, Any] = {}
        self._exits = contextlib.ExitStack()
        #: Every API call so far.
        self.calls = Calls()
        #: Failures to come.
        self.faults = Faults()
        #: What functions have for ``/tmp``, while it runs.
        self.temporary: Path

    def __enter__(self) -> LocalAws:
        if not self._running.acquire(blocking=False):
            raise RuntimeError("A local AWS runs in this process already: stop it first.")
        self._exits.callback(self._running.release)
        try:
            self._start()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    @property
    def endpoint_url(self) -> str:
        """The one URL of all services."""
        return f"http://127.0.0.1:{self._port}"

    def environment(self) -> dict[str, str]:
        """Variables that point a child process (boto3, the cdk CLI) at this AWS and away from any other."""
        return {
            **self._common_environment(),
            # Template URLs have the host names of buckets, which need a name and not an address.
            "AWS_ENDPOINT_URL_S3_FOR_CLOUDFORMATION": f"http://localhost:{self._port}",
            "AWS_ACCESS_KEY_ID": "AKIALOCALAWSCLIENT00",
            "NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"))),
            "CDK_DEFAULT_ACCOUNT": moto_seams.ACCOUNT,
            "CDK_DEFAULT_REGION": REGION,
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_DISABLE_VERSION_CHECK": "true",
            "CDK_HOME": str(self._directory / "cdk"),
        }

    def client(self, service: str) -> Any:
        """A boto3 client of this AWS."""
        if service not in self._clients:
            self._clients[service] = boto3.client(  # type: ignore[call-overload]
                service,
                endpoint_url=self.endpoint_url,
                region_name=REGION,
                aws_access_key_id="AKIALOCALAWSCLIENT00",
                aws_secret_access_key="local",
            )
            self._exits.callback(self._clients[service].close)
        return self._clients[service]

    def logs(self, function_name: str) -> str:
        """What a function wrote to stdout and stderr so far, with Lambda's START and END lines."""
        return self._executor.logs(function_name)

    def _start(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="local-aws-"))
        self._exits.callback(shutil.rmtree, directory, ignore_errors=True)
        for name in ("config", "credentials"):
            (directory / name).touch()
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self._directory = directory
        self._exits.enter_context(moto_seams.replaced_models())
        moto = moto_seams.moto_application()
        server = make_server(
            "127.0.0.1", 0, self._serve, threaded=True, request_handler=moto_seams.QuietRequestHandler
        )
        self._port: int = server.server_port
        self._exits.callback(server.server_close)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="local-aws", daemon=True)
        thread.start()
        self._exits.callback(thread.join)
        self._exits.callback(server.shutdown)
        stopping = threading.Event()
        mailbox = Mailbox()
        variables = {
            **self._common_environment(),
            "TMPDIR": str(self.temporary),
            "LBDART_DENIED_SECONDS": str(self._denied_seconds),
        }
        self._executor = Executor(
            directory / "functions", variables, self._retry_seconds, moto_seams.write_log
        )
        self._exits.callback(self._executor.stop)
        custom = CustomResource(
            start=self._start_event,
            mailbox=mailbox,
            url=lambda token: f"{self.endpoint_url}{Front.MAILBOX}{token}",
            cap=self._service_timeout_cap,
            stopping=stopping,
        )
        types: dict[str, ResourceType] = {
            name: kind for kind in (*LAMBDA_TYPES, *OTHER_TYPES, *STACK_TYPES, custom) for name in kind.names
        }
        stacks = CloudFormation(self._stack_clients, types, self._settle_seconds)
        self._exits.callback(stacks.stop, 5.0)
        self._exits.callback(stopping.set)
        self._front = Front(
            moto,
            handlers={
                "cloudformation": stacks,
                "cloudcontrol": cloud_control,
                ("lambda", "Invoke"): LambdaInvoke(self._executor),
            },
            mailbox=mailbox.post,
            caller=self._caller,
            calls=self.calls,
            faults=self.faults,
        )

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # The server knows its port before the front, which needs the port, can be made.
        return self._front(environ, start_response)

    def _common_environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self._directory / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self._directory / "credentials"),
        }

    def _stack_clients(self, region: str) -> Clients:
        return Clients(
            endpoint_url=self.endpoint_url,
            region_name=region,
            aws_access_key_id=_CLOUDFORMATION_KEY,
            aws_secret_access_key="local",
        )

    def _start_event(self, function_arn: str, payload: bytes) -> Future[Result]:
        region = function_arn.split(":")[3]
        spec, retries = moto_seams.find_function(region, function_arn, None)
        return self._executor.invoke_event(spec, payload, retries)

    def _caller(self, access_key: str) -> str:
        if access_key == _CLOUDFORMATION_KEY:
            return "cloudformation"
        function = self._executor.function_of(access_key)
        return f"function:{function}" if function else "client"
