"""The Lambda Runtime API: the HTTP side on which a function's process asks for work and answers."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

__all__ = ["Invocation", "Report", "RuntimeApi"]


@dataclass(frozen=True)
class Invocation:
    """One event on its way into the process."""

    request_id: str
    function_arn: str
    payload: bytes
    deadline_ms: int


@dataclass(frozen=True)
class Report:
    """What the process said or did: the kinds are the Runtime API's calls, and its end."""

    kind: Literal["ready", "response", "error", "init_error", "exit"]
    payload: bytes = b""
    request_id: str = ""
    exit_code: int = 0


class RuntimeApi:
    """The Runtime API of one process, on a port of its own as on Lambda.

    ``reports`` receives everything the process says, in order.
    """

    def __init__(self) -> None:
        self.reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._invocations: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Value for ``AWS_LAMBDA_RUNTIME_API``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def send(self, invocation: Invocation) -> None:
        """Hand an invocation to the process's pending ``next`` call."""
        self._invocations.put(invocation)

    def next(self) -> Invocation | None:
        """Wait for an invocation; None when the API closes."""
        return self._invocations.get()

    def close(self) -> None:
        """Stop serving, and release a process that waits for work."""
        self._invocations.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, api: RuntimeApi) -> None:
        self.api = api
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the process was killed while it talked to us: its end is reported by who watches it


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        api = self.server.api
        api.reports.put(Report("ready"))
        invocation = api.next()
        if invocation is None:
            self.send_response(410)
            self.end_headers()
            return
        self.send_response(200)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": len(invocation.payload),
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": invocation.deadline_ms,
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(invocation.payload)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        *_, request_id, call = self.path.split("/")
        if request_id == "init":
            report = Report("init_error", body)
        else:
            report = Report("response" if call == "response" else "error", body, request_id)
        self.server.api.reports.put(report)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
