"""One command in the Lambda build image, run by Docker: what compiles is compiled for where it will run.

A container sees the folders that it is given and runs as the user, so that its files are the user's.
What may be secret goes in by its standard input: it is in no argument and on no disk, and ``docker inspect``
and ``docker logs`` do not show it. The input stays open for as long as the build is wanted: its end ends
the container, also when this process was killed.

Sources: *docker container run* (Docker), *AWS SAM build images* (Amazon ECR Public Gallery).
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import uuid
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from ..credentials.masking import as_heard, forms_of, masked, secrets_in
from ..credentials.urls import utf8
from ..credentials.value import Credentials
from ..errors import LbdartError
from ..keys import key_of
from ..process import reason, run
from ..project.target import Target
from .build_image import CONTAINER_ROOT, BuildContainer, platform_of

if TYPE_CHECKING:
    from collections.abc import Callable

_WHEELS: Final = "/var/wheels"
_TIME_LIMIT: Final = 3600.0  # seconds; large extensions take long to compile, under emulation more so
LAST_WORDS: Final = 60  # lines
#: Settings of this machine that hold inside of a container, too; indexes are added to them.
_FORWARDED: Final = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "no_proxy"),
    "PIP_TRUSTED_HOST",
    # Versions that build backends would take from tags, which a copy does not have.
    *("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION"),
)
_INDEX: Final = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
#: Dates that a compiler or an archiver would write down (reproducible-builds.org), as in our zips.
_EPOCH: Final = "315532800"

#: What runs first in a container: it takes the settings from the first line of the input (what the image
#: sets itself stays), starts the command, and ends with it or with the input.
_ENTRY: Final = """\
IFS= read -r settings
eval "$(printf %s "$settings" | base64 -d)"
unset settings
trap 'exit 143' INT TERM
exec 3<&0 </dev/null
{ cat <&3; kill -TERM $$; } >/dev/null 2>&1 &
exec 3<&-
"$@" &
wait $!
"""


@dataclass(frozen=True, slots=True)
class WheelContainer:
    """Builds source trees to wheels in the build image, as a ``Frontend`` does on this machine."""

    container: BuildContainer
    target: Target
    credentials: tuple[Credentials, ...] = ()

    @property
    def image(self) -> str:
        """The image it builds in."""
        return self.container.image_uri(self.target)

    def key(self, source_key: str) -> str:
        """Return the key of the wheel that is made there of a source with a key."""
        return key_of(
            {
                "artifact": "compiled wheel",
                "source": source_key,
                "python": self.target.python_version,
                "architecture": self.target.architecture,
                "image": self.image,
            }
        )

    def build_wheel(self, source: Path, output: Path, *, what: str) -> None:
        """Build the project at ``source`` (a copy, it may be written to) to one wheel in ``output``.

        ``what`` names it in messages. Raises :class:`LbdartError` when it cannot be built, after printing
        what the build said last.
        """
        output.mkdir(parents=True, exist_ok=True)
        Container(
            image=self.image,
            platform=platform_of(self.target),
            mounts=((source, CONTAINER_ROOT), (output, _WHEELS)),
            command=(
                self.target.runtime, "-m", "pip", "wheel", "--no-deps", "--no-input", "--no-cache-dir",
                "--disable-pip-version-check", "--progress-bar=off", f"--wheel-dir={_WHEELS}", CONTAINER_ROOT,
            ),
            network=self.container.network,
            what=f"The build of {what}",
        ).run(self.credentials)  # fmt: skip


def _new_name() -> str:
    return f"lbdart-{uuid.uuid4().hex}"


def _this_user() -> str | None:
    return f"{os.getuid()}:{os.getgid()}" if sys.platform != "win32" else None


@dataclass(frozen=True, slots=True)
class Container:
    """A command in an image; each value is a container of its own.

    ``mounts`` are folders of this machine and where the command finds them; it starts in the first.
    ``what`` names the build in messages. Without ``user``, it runs as the image says.
    """

    image: str
    platform: str
    mounts: tuple[tuple[Path, str], ...]
    command: tuple[str, ...]
    network: str | None = None
    what: str = "The build"
    name: str = field(default_factory=_new_name)
    user: str | None = field(default_factory=_this_user)

    @property
    def run_args(self) -> list[str]:
        """The whole ``docker run`` command; it shows no secret."""
        optional = {"--user": self.user, "--network": self.network}
        return [
            "docker", "run", "--rm", "--interactive", "--log-driver=none",
            f"--name={self.name}",
            f"--platform={self.platform}",
            *(f"{option}={value}" for option, value in optional.items() if value is not None),
            *(_mount(*each) for each in self.mounts),
            f"--workdir={self.mounts[0][1]}",
            "--env=HOME=/tmp", f"--env=SOURCE_DATE_EPOCH={_EPOCH}",
            "--entrypoint=/bin/sh",
            self.image,
            "-c", _ENTRY, "sh", *self.command,
        ]  # fmt: skip

    def run(
        self,
        credentials: Collection[Credentials] = (),
        *,
        on_line: Callable[[str], None] | None = None,
        time_limit: float = _TIME_LIMIT,
    ) -> None:
        """Run it to its end. ``on_line`` gets each line of output; without it, a failure prints the last.

        Raises :class:`LbdartError` when it fails, is interrupted or takes longer than ``time_limit``
        (seconds), and when Docker cannot run it. In the end there is no container any more.
        """
        said: deque[str] = deque(maxlen=LAST_WORDS)

        def hear(line: str) -> None:
            said.append(line)
            if on_line is not None:
                on_line(line)

        container = replace(self, user=None) if self._is_rootless() else self
        settings = _Settings.of(credentials)
        try:
            code = container._run(settings.line(), _masking(settings.secrets(), hear), time_limit)
        except subprocess.TimeoutExpired:
            raise LbdartError(
                f"{self.what} in {self.image} did not end within {time_limit:,.0f} seconds.",
                "See what it waits for by running it by hand in that image.",
            ) from None
        except KeyboardInterrupt:
            raise LbdartError(
                f"{self.what} in {self.image} was interrupted.", "Run it again; nothing of it was kept."
            ) from None
        if code:
            reason = self._start_error(code, "\n".join(said))
            if reason is None and on_line is None:
                print(*said, sep="\n", file=sys.stderr)
            raise reason or LbdartError(
                f"{self.what} in {self.image} failed with exit code {code}: {_telling(said)}.",
                "Correct what it says above; a tool or library that it lacks belongs into an image of "
                "your own, made from that one.",
            )

    def _run(self, first_line: bytes, hear: Callable[[str], None], time_limit: float) -> int:
        # Not in our process group: Ctrl-C is for us, and we end the container.
        process = subprocess.Popen(
            self.run_args,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        output = process.stdout

        def listen() -> None:
            for line in output:
                hear(line.decode(errors="replace").rstrip())

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        ended = False
        try:
            with suppress(BrokenPipeError):  # Docker ended before it read; its exit code tells
                process.stdin.write(first_line)
                process.stdin.flush()
            code = process.wait(time_limit)
            ended = True
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()
            if not ended:
                self._remove(process)
            listener.join(10)
            if not listener.is_alive():  # what it left running may still hold the other end
                output.close()
        return code

    def _remove(self, process: subprocess.Popen[bytes]) -> None:
        """End Docker's client, and the container if it does not end with its input."""
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    ["docker", "rm", "--force", self.name], capture_output=True, timeout=30, check=False
                )
            process.kill()
            process.wait()

    def _is_rootless(self) -> bool:
        """Ask Docker whether root in a container is the user already; raise if it does not answer."""
        if shutil.which("docker") is None:
            raise LbdartError(
                f"{self.what} takes Docker, which is not installed or not on PATH.",
                "Install Docker, or depend on a release that has a wheel for the target.",
            )
        command = ["docker", "info", "--format={{.SecurityOptions}}"]
        asked = run(command, cwd=Path.cwd(), environment=os.environ)
        if asked.returncode:
            raise self._engine_error(asked.stderr) or self._refused(asked.stderr)
        return "name=rootless" in asked.stdout

    def _start_error(self, code: int, said: str) -> LbdartError | None:
        """Return why the command did not even start; None when it did, and failed itself."""
        if code == 125:  # what `docker run` ends with when Docker is at fault
            return self._engine_error(said) or self._refused(said)
        if _FOREIGN.search(said):
            return self._engine_error(said)
        if code in (126, 127) and (missing := _NOT_FOUND.search(said)):
            return LbdartError(
                f"{self.what} needs {missing[1] or missing[2]}, which the image {self.image} does not have.",
                "Name an image that has it and the target's Python, or leave the image out for AWS's.",
            )
        return None

    def _engine_error(self, said: str) -> LbdartError | None:
        for pattern, problem, remedy in _ENGINE_ERRORS:
            if re.search(pattern, said):
                return LbdartError(f"{self.what} {problem.format(self)}.", f"{remedy.format(self)}.")
        return None

    def _refused(self, said: str) -> LbdartError:
        return LbdartError(
            f"{self.what} could not be started: {_telling(said.splitlines())}.",
            "See what `docker info` says.",
        )


#: What is said when the processor, or its emulation, is not that of the image.
_FOREIGN: Final = re.compile(
    r"^exec /bin/sh: exec format error|user process caused: exec format", re.MULTILINE
)
#: What Docker's client says -> what is wrong with the build, and what to do.
_ENGINE_ERRORS: Final = (
    (
        r"permission denied while trying to connect",
        "takes Docker, whose engine this user may not use",
        "Add the user to the group docker, or use Docker without root",
    ),
    (
        r"Cannot connect to the Docker daemon|Is the docker daemon running|error during connect"
        r"|failed to connect to the docker API",
        "takes Docker, whose engine is not running",
        "Start Docker, or set DOCKER_HOST to the address of its engine",
    ),
    (
        rf"(?m:{_FOREIGN.pattern})|does not match the specified platform|no matching manifest for",
        "needs {0.platform}, which {0.image} or this machine's Docker does not run",
        "Name an image for {0.platform}, and build on such a machine or install emulation: "
        "`docker run --privileged --rm tonistiigi/binfmt --install all`",
    ),
    (
        r"Unable to find image|[Nn]o such image|pull access denied|manifest unknown",
        "needs the image {0.image}, which is not here and cannot be pulled",
        "Check its name, the network and `docker login`, or pull it beforehand: "
        "`docker pull --platform {0.platform} {0.image}`",
    ),
)
_NOT_FOUND: Final = re.compile(r'exec: "([^"]+)": |(?:^|: )([\w./-]+): (?:command )?not found', re.MULTILINE)


def _mount(source: Path, target: str) -> str:
    # CSV, as Docker reads it: a path may have a comma or a quotation mark.
    quoted = str(source.resolve()).replace('"', '""')
    return f'--mount=type=bind,"source={quoted}",target={target}'


@dataclass(frozen=True, slots=True)
class _Settings:
    """What a build is told: environment variables, and logins by host for ``netrc``."""

    variables: Mapping[str, str]
    logins: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, credentials: Collection[Credentials]) -> _Settings:
        """Gather proxies and indexes of this machine, and the credentials."""
        variables = {name: os.environ[name] for name in _FORWARDED if os.environ.get(name)}
        for each in credentials:
            variables |= each.uv_environment() | each.poetry_environment()
        named = next((os.environ[name] for name in _INDEX if os.environ.get(name)), "")
        index = re.sub(r"^[\w.-]+=", "", named)  # uv takes an index with its name
        extra = os.environ.get("PIP_EXTRA_INDEX_URL", "").split()
        known = {_address(url) for url in (index, *extra)}
        extra += [each.index_url for each in credentials if _address(each.index_url) not in known]
        # What is on this machine's disk is not in the container.
        indexes = {"PIP_INDEX_URL": [index], "PIP_EXTRA_INDEX_URL": extra}
        logins = {}
        for name, urls in indexes.items():
            served = [urlsplit(url) for url in urls if url.startswith("http")]
            if served:
                # Not in the address: pip hands that to its own processes as an argument.
                bare = [one._replace(netloc=one.netloc.rpartition("@")[2]).geturl() for one in served]
                variables[name] = " ".join(bare)
            for one in served:
                if one.username is not None and one.hostname is not None:
                    logins[one.hostname] = unquote(one.username), unquote(one.password or "")
        logins |= {each.origin[1]: (each.username, each.password) for each in credentials}
        return cls(variables, logins)

    def line(self) -> bytes:
        """Return the line that the container reads first: a shell script in base64.

        ``netrc`` is in the container's memory (``/dev/shm``), and readable by the user alone. Its readers
        take it for UTF-8: a login that is none stays in the variables alone.
        """
        script = [
            f'[ -n "${{{name}-}}" ] || export {name}={shlex.quote(value)}'
            for name, value in self.variables.items()
        ]
        netrc = "".join(
            f"machine {host} login {_netrc_word(user)} password {_netrc_word(password)}\n"
            for host, (user, password) in self.logins.items()
            if as_heard(user + password) == user + password
        )
        if netrc:
            script += [
                "export NETRC=$(mktemp -p /dev/shm 2>/dev/null || mktemp)",
                """trap 'rm -f "$NETRC"' EXIT""",
                f'printf %s {shlex.quote(netrc)} > "$NETRC"',
            ]
        return base64.b64encode(utf8("\n".join(script))) + b"\n"

    def secrets(self) -> set[str]:
        """Return what must not be heard, as it is and as in an address."""
        return secrets_in(self.variables) | forms_of(password for _, password in self.logins.values())


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/').removesuffix('/simple').rstrip('/')}"


def _netrc_word(word: str) -> str:
    # Quotation marks are read by Python 3.11 and later; older ones take them for a part of the word.
    return re.sub(r'([\s"\\])', r"\\\1", word) or '""'


def _masking(secrets: Collection[str], hear: Callable[[str], None]) -> Callable[[str], None]:
    """Let nothing be heard of a secret that a build prints."""
    return lambda line: hear(masked(line, secrets))


def _telling(said: Collection[str]) -> str:
    return reason(line for line in said if "docker run --help" not in line) or "it said nothing"
