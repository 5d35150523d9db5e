"""Run a command in the Lambda build image with Docker, so that code is compiled for Lambda.

A container sees only the mounted folders and runs as the user, who then owns the files that it writes.
Secrets go in by standard input: they are in no argument and on no disk, and ``docker inspect`` and
``docker logs`` do not show them. The input stays open during the build. When it closes, the container ends,
even if this process was killed.

Sources: *docker container run* (Docker), *AWS SAM build images* (Amazon ECR Public Gallery).
"""

from __future__ import annotations

import base64
import os
import posixpath
import re
import shlex
import shutil
import subprocess
import sys
import threading
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from ..credentials.masking import as_heard, forms_of, masked, secrets_in
from ..credentials.urls import utf8
from ..credentials.value import Credentials
from ..errors import LbdartError
from ..keys import key_of
from ..process import reason, run
from ..project.target import Target
from .build_image import CONTAINER_ROOT, BuildContainer, platform_of

_WHEELS: Final = "/var/wheels"
_TIME_LIMIT: Final = 3600.0  # seconds; large extensions compile slowly, even more so under emulation
#: How many of the last lines of a failed build are printed.
LAST_WORDS: Final = 60
#: Variables of this machine that a container gets too, beside the indexes.
_FORWARDED: Final = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "no_proxy"),
    "PIP_TRUSTED_HOST",
)
_INDEX: Final = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
#: SOURCE_DATE_EPOCH: the date that builds write into files (reproducible-builds.org), same as in our zips.
_EPOCH: Final = "315532800"

#: Options of ``docker run`` for a container with an input.
_INPUT: Final = ("--interactive", "--env=LBDART_INPUT=1")
#: The shell script that runs first in a container. It starts the command, and ends when the command ends.
#: With an input, it reads the settings from the first line (variables of the image win), and ends when that
#: closes.
_ENTRY: Final = """\
trap 'exit 143' INT TERM
if [ -n "${LBDART_INPUT-}" ]; then
  unset LBDART_INPUT
  IFS= read -r settings
  eval "$(printf %s "$settings" | base64 -d)"
  unset settings
  exec 3<&0 </dev/null
  { cat <&3; kill -TERM $$; } >/dev/null 2>&1 &
  exec 3<&-
fi
"$@" &
wait $!
"""


@dataclass(frozen=True, slots=True)
class WheelContainer:
    """Builds wheels from source trees in the build image, as a ``Frontend`` does on this machine."""

    container: BuildContainer
    target: Target
    credentials: tuple[Credentials, ...] = ()

    @property
    def image(self) -> str:
        """The image that it builds in."""
        return self.container.image_uri(self.target)

    def key(self, source_key: str) -> str:
        """Return the key of the wheel that is built in this image from a source.

        :param source_key: the key of the source.
        """
        return key_of(
            {
                "artifact": "compiled wheel",
                "source": source_key,
                "python": self.target.python_version,
                "architecture": self.target.architecture,
                "image": self.image,
            }
        )

    def build_wheel(
        self,
        source: Path,
        output: Path,
        *,
        what: str,
        project: Path = Path(),
        readable: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Build a project to one wheel in ``output``; when that fails, print the last lines of the build.

        :param source: a copy that holds the project, which the build may write to.
        :param what: names the project in messages.
        :param project: the project's directory, relative to ``source``.
        :param readable: a directory of this machine that the build may read at the same path.
        :param variables: further environment variables that the build sees.
        :raises LbdartError: when it cannot be built.
        """
        output.mkdir(parents=True, exist_ok=True)
        Container(
            image=self.image,
            platform=platform_of(self.target),
            mounts=((source, CONTAINER_ROOT), (output, _WHEELS)),
            command=(
                self.target.runtime, "-m", "pip", "wheel", "--no-deps", "--no-input", "--no-cache-dir",
                "--disable-pip-version-check", "--progress-bar=off", f"--wheel-dir={_WHEELS}",
                posixpath.join(CONTAINER_ROOT, project.as_posix()).removesuffix("/."),
            ),
            network=self.container.network,
            what=f"The build of {what}",
            readable=() if readable is None else (readable,),
            variables=variables or {},
        ).run(self.credentials)  # fmt: skip


def new_name() -> str:
    """Return a name for a container that no other has."""
    return f"lbdart-{uuid.uuid4().hex}"


def _this_user() -> str | None:
    user, group = getattr(os, "getuid", None), getattr(os, "getgid", None)  # Windows has neither
    return f"{user()}:{group()}" if user is not None and group is not None else None


@dataclass(frozen=True, slots=True)
class Container:
    """A command in an image; each instance is a new container.

    :param mounts: pairs of a folder on this machine and its path in the container. The command starts in the
        first one.
    :param what: names the build in messages.
    :param readable: folders of this machine that the command may read, at the same paths.
    :param variables: further environment variables; like secrets, they are in no argument.
    :param user: the user and group ids to run as; None for the image's own user.
    """

    image: str
    platform: str
    mounts: tuple[tuple[Path, str], ...]
    command: tuple[str, ...]
    network: str | None = None
    what: str = "The build"
    readable: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    name: str = field(default_factory=new_name)
    user: str | None = field(default_factory=_this_user)

    @property
    def run_args(self) -> list[str]:
        """The complete ``docker run`` command, without secrets.

        Run by itself, it has no input and so no credentials; :meth:`run` adds them.
        """
        optional = {"--user": self.user, "--network": self.network}
        return [
            "docker", "run", "--rm", "--log-driver=none",
            f"--name={self.name}",
            f"--platform={self.platform}",
            *(f"{option}={value}" for option, value in optional.items() if value is not None),
            *(_mount(source, target) for source, target in self.mounts),
            *(f"{_mount(path, str(path))},readonly" for path in self.readable),
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
        args: Iterable[str] | None = None,
        on_line: Callable[[str], None] | None = None,
        time_limit: float = _TIME_LIMIT,
    ) -> None:
        """Run the command to its end, and remove the container.

        :param args: another ``docker run`` command than ``run_args``. Without our entry point in it, the
            container gets no settings.
        :param on_line: called with each line of output. Without it, a failure prints the last lines.
        :param time_limit: in seconds.
        :raises LbdartError: when the command fails, is interrupted or exceeds the time limit, and when Docker
            cannot run it.
        """
        last_lines: deque[str] = deque(maxlen=LAST_WORDS)

        def take(line: str) -> None:
            last_lines.append(line)
            if on_line is not None:
                on_line(line)

        command = self._command(self.run_args if args is None else args)
        settings = _Settings.of(credentials, self.variables)
        try:
            code = command.run(settings.line(), _with_masked_lines(settings.secrets(), take), time_limit)
        except subprocess.TimeoutExpired:
            raise LbdartError(
                f"{self.what} in {self.image} did not end within {time_limit:,.0f} seconds.",
                "Run it by hand in that image to see what it waits for.",
            ) from None
        except KeyboardInterrupt:
            raise LbdartError(
                f"{self.what} in {self.image} was interrupted.", "Run it again; nothing was kept."
            ) from None
        if code:
            start_error = self._start_error(code, "\n".join(last_lines))
            if start_error is None and on_line is None:
                print(*last_lines, sep="\n", file=sys.stderr)
            raise start_error or LbdartError(
                f"{self.what} in {self.image} failed with exit code {code}: {_reason(last_lines)}.",
                "Correct the error above; if the image lacks a tool or library, add it to an image of your "
                "own that is based on this one.",
            )

    def _command(self, args: Iterable[str]) -> RunCommand:
        """Return the command to run, with a name for the container.

        :raises LbdartError: when its program is not installed, or Docker does not answer.
        """
        command = RunCommand.of(args, self.image, self.name)
        program = command.engine[0]
        if shutil.which(program) is None:
            needed = "Docker" if program == "docker" else program
            raise LbdartError(
                f"{self.what} needs {needed}, which is not installed or not on PATH.",
                "Install Docker, or depend on a release that has a wheel for the target.",
            )
        as_user = f"--user={self.user}"
        return command.without(as_user) if as_user in command.args and self._is_rootless(command) else command

    def _is_rootless(self, command: RunCommand) -> bool:
        """Tell whether Docker is rootless, so that root in a container is the user.

        :raises LbdartError: when Docker does not answer.
        """
        info = [*command.engine, "info", "--format={{.SecurityOptions}}"]
        result = run(info, cwd=Path.cwd(), environment=os.environ)
        if result.returncode:
            raise self._engine_error(result.stderr) or self._unknown_start_error(result.stderr)
        return "name=rootless" in result.stdout

    def _start_error(self, code: int, output: str) -> LbdartError | None:
        """Return the error that kept the command from starting; None when it started and then failed."""
        if code == 125:  # the exit code of `docker run` for errors of Docker itself
            return self._engine_error(output) or self._unknown_start_error(output)
        if _WRONG_PLATFORM.search(output):
            return self._engine_error(output)
        if code in (126, 127) and (missing := _NOT_FOUND.search(output)):
            return LbdartError(
                f"{self.what} needs {missing[1] or missing[2]}, which the image {self.image} does not have.",
                "Name an image that has it and the target's Python, or name none to use AWS's image.",
            )
        return None

    def _engine_error(self, output: str) -> LbdartError | None:
        for pattern, problem, remedy in _ENGINE_ERRORS:
            if re.search(pattern, output):
                return LbdartError(f"{self.what} {problem.format(self)}.", f"{remedy.format(self)}.")
        return None

    def _unknown_start_error(self, output: str) -> LbdartError:
        return LbdartError(
            f"{self.what} could not be started: {_reason(output.splitlines())}.",
            "Run `docker info` to check Docker.",
        )


@dataclass(frozen=True, slots=True)
class RunCommand:
    """A ``docker run`` command: :attr:`Container.run_args`, or what a builder has made of them.

    :param engine: the command up to ``run`` or ``container run``.
    :param options: what follows ``run``.
    :param name: the container's name.
    """

    engine: tuple[str, ...]
    options: tuple[str, ...]
    name: str

    @classmethod
    def of(cls, args: Iterable[str], image: str, name: str) -> RunCommand:
        """Return the command; one that does not name its container gets a name.

        :raises LbdartError: when it is no ``docker run`` command.
        """
        words = tuple(map(str, args))
        start = words.index("run") if "run" in words else 0
        if not start:
            raise LbdartError(
                f"{shlex.join(words)!r} is not a docker run command.",
                "Let docker_run_args start with docker and run.",
            )
        engine, options = words[: start - (words[start - 1] == "container")], words[start + 1 :]
        before_image = options[: options.index(image)] if image in options else options
        for option, following in pairwise((*before_image, "")):
            if option.startswith("--name="):
                return cls(engine, options, option.removeprefix("--name="))
            if option == "--name":
                return cls(engine, options, following)
        return cls(engine, (f"--name={name}", *options), name)

    @property
    def has_input(self) -> bool:
        """Whether the container reads its settings: a script of the user's gets no secrets as its input."""
        return _ENTRY in self.options

    @property
    def args(self) -> list[str]:
        """The arguments to start it with."""
        return [*self.engine, "run", *(_INPUT if self.has_input else ()), *self.options]

    def without(self, option: str) -> RunCommand:
        """Return the command without an option."""
        return replace(self, options=tuple(word for word in self.options if word != option))

    def run(self, first_line: bytes, on_line: Callable[[str], None], time_limit: float) -> int:
        """Run it to its end; return the exit code.

        :param first_line: of the container's input.
        :raises subprocess.TimeoutExpired: when it does not end in time, after the container is removed.
        """
        # A process group of its own: Ctrl-C reaches only this process, which ends the container.
        process = subprocess.Popen(
            self.args,
            stdin=subprocess.PIPE if self.has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        output = process.stdout

        def read() -> None:
            for line in output:
                on_line(line.decode(errors="replace").rstrip())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        ended = False
        try:
            if process.stdin is not None:
                with suppress(BrokenPipeError):  # Docker ended before it read; its exit code shows why
                    process.stdin.write(first_line)
                    process.stdin.flush()
            code = process.wait(time_limit)
            ended = True
        finally:
            if process.stdin is not None:
                with suppress(BrokenPipeError):
                    process.stdin.close()
            if not ended:
                self._remove(process)
            reader.join(10)
            if not reader.is_alive():  # a process that the command left behind may keep the pipe open
                output.close()
        return code

    def _remove(self, process: subprocess.Popen[bytes]) -> None:
        """End Docker's client, and the container if it did not end when its input closed."""
        try:
            process.wait(5 if self.has_input else 0)
        except subprocess.TimeoutExpired:
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    [*self.engine, "rm", "--force", self.name], capture_output=True, timeout=30, check=False
                )
            process.kill()
            process.wait()


#: The output when the image is for another processor than this machine's or its emulation's.
_WRONG_PLATFORM: Final = re.compile(
    r"^exec /bin/sh: exec format error|user process caused: exec format", re.MULTILINE
)
#: Output of Docker's client -> the problem, as the end of a sentence, and the remedy.
_ENGINE_ERRORS: Final = (
    (
        r"permission denied while trying to connect",
        "needs Docker, but this user may not use its engine",
        "Add the user to the group docker, or use rootless Docker",
    ),
    (
        r"Cannot connect to the Docker daemon|Is the docker daemon running|error during connect"
        r"|failed to connect to the docker API",
        "needs Docker, but its engine is not running",
        "Start Docker, or set DOCKER_HOST to the address of its engine",
    ),
    (
        rf"(?m:{_WRONG_PLATFORM.pattern})|does not match the specified platform|no matching manifest for",
        "needs {0.platform}, but {0.image} or this machine's Docker does not support it",
        "Name an image for {0.platform}, and build on a machine of that platform or install emulation: "
        "`docker run --privileged --rm tonistiigi/binfmt --install all`",
    ),
    (
        r"Unable to find image|[Nn]o such image|pull access denied|manifest unknown",
        "needs the image {0.image}, which is not on this machine and cannot be pulled",
        "Check its name, the network and `docker login`, or pull it beforehand: "
        "`docker pull --platform {0.platform} {0.image}`",
    ),
)
_NOT_FOUND: Final = re.compile(r'exec: "([^"]+)": |(?:^|: )([\w./-]+): (?:command )?not found', re.MULTILINE)


def _mount(source: Path, target: str) -> str:
    # Docker reads the option as CSV: quote paths with a comma or a quotation mark.
    quoted = str(source.resolve()).replace('"', '""')
    return f'--mount=type=bind,"source={quoted}",target={target}'


@dataclass(frozen=True, slots=True)
class _Settings:
    """The settings that a container gets.

    :param variables: environment variables.
    :param logins: user name and password by host, for ``netrc``.
    """

    variables: Mapping[str, str]
    logins: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, credentials: Collection[Credentials], further: Mapping[str, str]) -> _Settings:
        """Return the proxies and indexes of this machine, with the credentials."""
        variables = {name: os.environ[name] for name in _FORWARDED if os.environ.get(name)}
        for login in credentials:
            variables |= login.uv_environment() | login.poetry_environment()
        value = next((os.environ[name] for name in _INDEX if os.environ.get(name)), "")
        index = re.sub(r"^[\w.-]+=", "", value)  # uv's variable may have the index's name before the URL
        extra = os.environ.get("PIP_EXTRA_INDEX_URL", "").split()
        known = {_address(url) for url in (index, *extra)}
        extra += [login.index_url for login in credentials if _address(login.index_url) not in known]
        # Skip indexes on this machine's disk: the container cannot see them.
        indexes = {"PIP_INDEX_URL": [index], "PIP_EXTRA_INDEX_URL": extra}
        logins = {}
        for name, urls in indexes.items():
            served = [urlsplit(url) for url in urls if url.startswith("http")]
            if served:
                # Remove logins from URLs: pip passes the URLs as arguments to its own processes.
                bare = [url._replace(netloc=url.netloc.rpartition("@")[2]).geturl() for url in served]
                variables[name] = " ".join(bare)
            for url in served:
                if url.username is not None and url.hostname is not None:
                    logins[url.hostname] = unquote(url.username), unquote(url.password or "")
        logins |= {login.origin[1]: (login.username, login.password) for login in credentials}
        return cls({**variables, **further}, logins)

    def line(self) -> bytes:
        """Return the first line of the container's input: a shell script in base64.

        The script writes ``netrc`` to the container's memory (``/dev/shm``), readable by the user only.
        ``netrc`` is read as UTF-8, so a login that is not valid UTF-8 is only in the variables.
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
        """Return the secrets to mask, also in the form that they have in a URL."""
        return secrets_in(self.variables) | forms_of(password for _, password in self.logins.values())


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/').removesuffix('/simple').rstrip('/')}"


def _netrc_word(word: str) -> str:
    # Not in quotation marks: before Python 3.11, netrc takes them for a part of the word.
    return re.sub(r'([\s"\\])', r"\\\1", word) or '""'


def _with_masked_lines(secrets: Collection[str], on_line: Callable[[str], None]) -> Callable[[str], None]:
    """Return ``on_line`` with the secrets masked in each line."""
    return lambda line: on_line(masked(line, secrets))


def _reason(lines: Collection[str]) -> str:
    return reason(line for line in lines if "docker run --help" not in line) or "it printed nothing"
