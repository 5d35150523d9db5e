"""An engine with a folder and a socket of its own, and an image that stands in for AWS's build image.

A Debian with Python and a compiler, under the image's name: what is tested is the real ``docker run``, not
Amazon Linux. Its containers have the host's network or none, so that nothing of the host's is set up.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: Debian 12 has this Python.
IMAGE: Final = "public.ecr.aws/sam/build-python3.11:latest-x86_64"
_SUITE: Final = "bookworm"
_IN_IMAGE: Final = "python3,python3-pip,python3-venv,python3-dev,gcc,libc6-dev,git"
_PACKAGES: Final = ("docker.io", "debootstrap", "docker-registry")
_CACHE: Final = Path(__file__).parents[2] / ".cache" / "docker"


class NotPossibleError(Exception):
    """Why there can be no engine here, in a few words."""


def docker(*arguments: str | Path, timeout: float = 60) -> str:
    """Run the client; return what it prints."""
    command = ["docker", *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotPossibleError(str(error)) from error
    if done.returncode:
        raise NotPossibleError(f"docker {arguments[0]}: {done.stderr.strip().splitlines()[:1]}")
    return done.stdout.strip()


@contextmanager
def engine() -> Iterator[str]:
    """Run an engine that has the image, also by a digest; give its address, as for ``DOCKER_HOST``.

    Stops all that it started.

    :raises NotPossibleError: when this machine has not what the engine takes.
    """
    _install()
    with tempfile.TemporaryDirectory(prefix="docker-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        address = f"unix://{folder}/docker.sock"
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = address
        try:
            with _running(
                [
                    "dockerd", "--iptables=false", "--bridge=none", f"--host={address}",
                    f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid",
                ],
                folder / "dockerd.log",
            ):  # fmt: skip
                _wait(lambda: docker("info"), folder / "dockerd.log")
                docker("import", "--platform=linux/amd64", _root_file_system(folder), IMAGE, timeout=180)
                _push(folder)
                yield address
        finally:
            # The network's namespace, which an engine that has stopped leaves mounted.
            left = folder / "exec" / "netns" / "default"
            subprocess.run(["umount", left], capture_output=True, timeout=30, check=False)
            if before is None:
                del os.environ["DOCKER_HOST"]
            else:
                os.environ["DOCKER_HOST"] = before


def _install() -> None:
    if os.geteuid() != 0:
        raise NotPossibleError("an engine takes root")
    # Where Debian puts what root runs; not every shell looks there.
    os.environ["PATH"] += os.pathsep + os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))
    if all(map(shutil.which, ("docker", "dockerd", "debootstrap", "docker-registry"))):
        return
    if shutil.which("apt-get") is None:
        raise NotPossibleError("there is no apt-get to install an engine with")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], 120, environment)
    _run(["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *_PACKAGES], 300, environment)


def _root_file_system(folder: Path) -> Path:
    """Return the image's files as a tar; made once and kept in the checkout's cache."""
    kept = _CACHE / f"{_SUITE},{_IN_IMAGE}.tar"
    if not kept.is_file():
        root, made = folder / "root", folder / kept.name
        _run(["debootstrap", "--variant=minbase", f"--include={_IN_IMAGE}", _SUITE, str(root)], 600)
        shutil.rmtree(root / "var" / "cache" / "apt")
        _run(["tar", "-C", str(root), "-cf", str(made), "."], 120)
        shutil.rmtree(root)
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        shutil.move(made, partial)
        partial.replace(kept)
    return kept


def _push(folder: Path) -> None:
    """Give the image a digest, which it only gets from a registry."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    settings = folder / "registry.yml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
        f"http: {{addr: '{place}'}}\n"
    )
    log = folder / "registry.log"
    with _running(["docker-registry", "serve", str(settings)], log):
        host, _, port = place.partition(":")
        _wait(lambda: socket.create_connection((host, int(port)), timeout=5).close(), log)
        docker("tag", IMAGE, f"{place}/build")
        docker("push", "--quiet", f"{place}/build", timeout=300)


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as file:
        # Not in our process group: Ctrl-C is for us, and we stop it when all that needs it has ended.
        try:
            process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        except OSError as error:
            raise NotPossibleError(str(error)) from error
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(answers: object, log: Path) -> None:
    assert callable(answers)
    deadline = time.monotonic() + 60
    while True:
        try:
            answers()
        except (NotPossibleError, OSError) as error:
            if time.monotonic() > deadline:
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise NotPossibleError(f"it did not start: {''.join(last)}") from error
            time.sleep(0.2)
        else:
            return


def _run(command: list[str], timeout: float, environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotPossibleError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise NotPossibleError(f"{command[0]} failed: {''.join(said)}")
