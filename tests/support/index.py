"""A package index on the loopback address, and a server that fails as the tests ask."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name, parse_wheel_filename

from .wheels import sha256

Fault = Callable[["_Handler", bytes], None]


def whole(handler: _Handler, body: bytes) -> None:
    """Send the file as it is."""
    handler.send(200, body)


def after(wait: Callable[[], object]) -> Fault:
    """Send the file when ``wait`` returns."""

    def fault(handler: _Handler, body: bytes) -> None:
        wait()
        whole(handler, body)

    return fault


def status(code: int) -> Fault:
    """Send no file but a status."""
    return lambda handler, _: handler.send(code, b"")


def redirect(url: str) -> Fault:
    """Send no file but another address."""
    return lambda handler, _: handler.send(302, b"", location=url)


def cut_off(handler: _Handler, body: bytes) -> None:
    """Promise the file, send half of it and hang up."""
    handler.send(200, body, sent=len(body) // 2)


def ends_early(handler: _Handler, body: bytes) -> None:
    """Send half of the file as if it were all, as a proxy that was cut off does."""
    handler.send(200, body[: len(body) // 2])


def wrong_bytes(handler: _Handler, body: bytes) -> None:
    """Send as many other bytes."""
    handler.send(200, bytes(255 - byte for byte in body))


@dataclass
class Index:
    """Serves the wheels of a folder, at ``/simple/`` as an index and at ``/files/`` each by its name.

    ``faults`` says how the next requests for a file are answered, by file name; then it is whole again.
    """

    folder: Path
    faults: defaultdict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    requested: list[str] = field(default_factory=list)
    serves_json: bool = False
    #: User and password that every request must bring, if any.
    demanded: tuple[str, str] | None = None
    #: What each request brought, also those that were refused.
    authorizations: list[str | None] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"index": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def file_url(self, path: Path) -> str:
        return f"{self.url}/files/{path.name}"

    def page(self, name: str) -> bytes:
        """A project's page of the simple API (PEP 503), or of its JSON form (PEP 691)."""
        files = [
            path for path in sorted(self.folder.iterdir()) if _project_of(path) == canonicalize_name(name)
        ]
        if self.serves_json:
            # Relative addresses, as an index behind another host has them.
            listed = [
                {
                    "filename": path.name,
                    "url": f"../../files/{path.name}",
                    "size": path.stat().st_size,
                    "hashes": {"sha256": sha256(path)},
                }
                for path in files
            ]
            return json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": listed}).encode()
        links = [f'<a href="{self.file_url(path)}#sha256={sha256(path)}">{path.name}</a>' for path in files]
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()


def _project_of(file: Path) -> str:
    if file.suffix == ".whl":
        return parse_wheel_filename(file.name)[0]
    return canonicalize_name(file.name.rpartition("-")[0])


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # with a shorter one a burst of connections waits a second


class _Handler(BaseHTTPRequestHandler):
    index: Index

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.index.authorizations.append(self.headers.get("Authorization"))
        if not self.is_allowed():
            self.send(401, b"")
            return
        kind, _, name = unquote(urlsplit(self.path).path).strip("/").partition("/")
        self.index.requested.append(name)
        if kind == "simple":
            json_type = "application/vnd.pypi.simple.v1+json"
            content_type = json_type if self.index.serves_json else "text/html"
            self.send(200, self.index.page(name), content_type=content_type)
            return
        faults = self.index.faults[name]
        (faults.pop(0) if faults else whole)(self, (self.index.folder / name).read_bytes())

    def is_allowed(self) -> bool:
        if self.index.demanded is None:
            return True
        token = base64.b64encode(":".join(self.index.demanded).encode()).decode()
        return self.headers.get("Authorization") == f"Basic {token}"

    def send(
        self,
        code: int,
        body: bytes,
        *,
        sent: int | None = None,
        content_type: str = "application/zip",
        location: str | None = None,
    ) -> None:
        # A client that gave up is no error of the server's.
        with contextlib.suppress(ConnectionError):
            self.send_response(code)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            if location is not None:
                self.send_header("Location", location)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[:sent])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
