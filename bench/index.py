"""A package index on the loopback address, for first builds: ``python -m bench.index FOLDER``.

It serves the wheels of a folder as the large public index does: with hashes, and with the metadata of each
wheel as a file of its own (PEP 503, PEP 658). It prints its URL, and runs until its standard input is closed.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from packaging.utils import canonicalize_name


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        name = unquote(self.path).strip("/").rpartition("/")[2]
        if self.path.startswith("/simple/"):
            self._send(_pages(self.folder).get(canonicalize_name(name)), "text/html")
        elif name.endswith(".metadata"):
            self._send(_metadata(self.folder / name.removesuffix(".metadata")), "text/plain")
        else:
            self._send_file(self.folder / name)

    def _send(self, body: bytes | None, kind: str) -> None:
        if body is None:
            self.send_error(404)
            return
        self._start(len(body), kind)
        if self.command == "GET":
            self.wfile.write(body)

    def _send_file(self, path: Path) -> None:
        if not path.is_file():
            self.send_error(404)
            return
        self._start(path.stat().st_size, "application/octet-stream")
        if self.command == "GET":
            with path.open("rb") as file:
                shutil.copyfileobj(file, self.wfile, 1 << 20)

    def _start(self, length: int, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name in the base class)
        """Say nothing."""


@cache
def _pages(folder: Path) -> dict[str, bytes]:
    links = defaultdict(list)
    for path in sorted(folder.glob("*.whl")):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        metadata = hashlib.sha256(_metadata(path)).hexdigest()
        address = f"/files/{path.name}#sha256={sha256}"
        links[canonicalize_name(path.name.partition("-")[0])].append(
            f'<a href="{address}" data-core-metadata="sha256={metadata}">{path.name}</a>'
        )
    return {
        name: f"<!DOCTYPE html><html><body>{''.join(found)}</body></html>".encode()
        for name, found in links.items()
    }


@cache
def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


def collect(lock: Path, store: Path, folder: Path) -> None:
    """Link the wheels of a ``uv.lock`` that a store has into a folder, by their names."""
    folder.mkdir()
    for package in tomllib.loads(lock.read_text())["package"]:
        for wheel in package.get("wheels", ()):
            sha256 = wheel["hash"].removeprefix("sha256:")
            kept = store / "v1" / "wheels" / sha256[:2] / f"{sha256[2:]}.whl"
            if kept.is_file():
                (folder / wheel["url"].rpartition("/")[2]).hardlink_to(kept)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the wheels of a folder from another process for the block, and yield the URL of the index."""
    command = [sys.executable, "-m", "bench.index", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.communicate(timeout=60)  # closes its standard input


def main(folder: str) -> None:
    """Serve until the standard input is closed."""
    handler = type("Handler", (_Handler,), {"folder": Path(folder)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        _pages(Path(folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_port}/simple", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
