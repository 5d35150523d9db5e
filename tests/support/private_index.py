"""A private index on the loopback address: pypiserver, which demands a user and a password.

``python -m tests.support.private_index FOLDER`` serves a folder; it reads the password from its standard
input, writes its port, and ends with its input. A process of its own, for importing pypiserver changes how
everything after it is imported.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

USER, PASSWORD = "ci@team", "m4rked/p:ss w%rd ö€'\""
#: What must be in nothing: the password in each form that it is sent or written in, and a part of it.
SECRETS = (
    PASSWORD,
    quote(PASSWORD, safe=""),
    "m4rked",
    *(base64.b64encode(f"{fill}m4rked/p:ss".encode()).decode()[4:-4] for fill in ("", "x", "xx")),
)


@dataclass(frozen=True)
class PrivateIndex:
    """Where it answers: 401 to who gives no password, and 403 to who gives a wrong one."""

    folder: Path
    url: str

    @property
    def simple(self) -> str:
        return f"{self.url}/simple/"

    def file_url(self, path: Path) -> str:
        return f"{self.url}/packages/{path.name}"


@contextmanager
def serving(folder: Path) -> Iterator[PrivateIndex]:
    """Serve the packages of a folder to who has the password."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.private_index", folder],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            server.stdin.write(f"{PASSWORD}\n")
            server.stdin.flush()
            yield PrivateIndex(folder, f"http://127.0.0.1:{int(server.stdout.readline())}")
        finally:
            server.kill()


def main(folder: str) -> None:
    import threading
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    import pypiserver  # type: ignore[import-untyped]

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True
        request_queue_size = 64

    class Handler(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    password = sys.stdin.readline().rstrip("\n")
    app = pypiserver.app(
        roots=[folder],
        authenticate=["list", "download"],
        auther=lambda *login: login == (USER, password),
        password_file="none",
        disable_fallback=True,  # else it sends its clients to the public index for what it lacks
    )
    with make_server("127.0.0.1", 0, app, Server, Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()  # until the tests are gone


if __name__ == "__main__":
    main(*sys.argv[1:])
