"""A command in the build image: what Docker is asked for, and what the user is told when it fails."""

from __future__ import annotations

import netrc
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.wheels.build_image import BuildContainer
from lbdart_cdk.core.wheels.container import Container, RunCommand, WheelContainer
from tests.support.docker import HERE, FakeDocker

PASSWORD = "m4rked/p:'s w%rd"
TEAM = Credentials("team", "https://packages.example.com/team/simple/", "ci@team", PASSWORD)
Say = Callable[..., list[str]]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    return FakeDocker(tmp_path / "bin", monkeypatch)


@pytest.fixture
def container(tmp_path: Path) -> Container:
    mounts = ((tmp_path, "/var/task"),)
    return Container("image:1", "linux/amd64", mounts, ("/bin/sh", "-c", "echo done"), what="The build of x")


def shell(mount: Path, script: str) -> Container:
    return Container("image:1", "linux/amd64", ((mount, "/var/task"),), ("/bin/sh", "-c", script))


@pytest.mark.parametrize(
    ("target", "image"),
    [
        (Target((3, 13)), "public.ecr.aws/sam/build-python3.13:latest-x86_64"),
        (Target((3, 9), "arm64"), "public.ecr.aws/sam/build-python3.9:latest-arm64"),
    ],
)
def test_the_image_is_that_of_the_target(target: Target, image: str) -> None:
    assert BuildContainer().image_uri(target) == image
    assert WheelContainer(BuildContainer(), target).image == image


def test_the_image_can_be_another_pinned_by_its_digest() -> None:
    pinned = f"registry.example.com:5000/team/build@sha256:{'0' * 64}"
    assert BuildContainer(pinned).image_uri(Target((3, 13))) == pinned


@pytest.mark.parametrize("image", ["", "-v=/:/host", "two words", "image;ls"])
def test_what_is_no_name_of_an_image(image: str) -> None:
    with pytest.raises(LbdartError, match="is not the name of a container image"):
        BuildContainer(image)


@pytest.mark.parametrize(
    ("asked", "container"),
    [(False, None), (True, BuildContainer()), (BuildContainer("image:1"), BuildContainer("image:1"))],
)
def test_permission_is_a_flag_or_a_container(
    asked: bool | BuildContainer, container: BuildContainer | None
) -> None:
    assert BuildContainer.asked(asked) == container


def test_what_counts_as_an_input_is_what_is_not_the_default() -> None:
    target = Target((3, 13))
    default = BuildContainer().image_uri(target)
    assert BuildContainer(default, network="host").inputs(target) == {}
    assert BuildContainer("image:1").inputs(target) == {"build_image": "image:1"}
    assert BuildContainer(every_source=True).inputs(target) == {"every_source": True}


class TestRunArguments:
    """The ``docker run`` command."""

    def test_it_names_platform_user_and_mounts(self, container: Container, tmp_path: Path) -> None:
        arguments = container.run_args
        assert arguments[:3] == ["docker", "run", "--rm"]
        assert "--platform=linux/amd64" in arguments
        assert f"--user={os.getuid()}:{os.getgid()}" in arguments
        assert f'--mount=type=bind,"source={tmp_path}",target=/var/task' in arguments
        assert "--workdir=/var/task" in arguments
        assert not any(argument.startswith("--network") for argument in arguments)
        assert arguments[arguments.index("image:1") - 1] == "--entrypoint=/bin/sh"
        assert arguments[-3:] == ["/bin/sh", "-c", "echo done"]

    def test_a_platform_and_a_network(self, tmp_path: Path) -> None:
        arm = Container("image:1", "linux/arm64", ((tmp_path, "/var/task"),), ("true",), "host").run_args
        assert {"--platform=linux/arm64", "--network=host"} < set(arm)

    def test_a_path_with_a_comma_and_a_quotation_mark(self, tmp_path: Path) -> None:
        mount = Container("i", "p", ((tmp_path / 'a,"b', "/x"),), ("true",)).run_args
        assert f'--mount=type=bind,"source={tmp_path}/a,""b",target=/x' in mount

    def test_no_two_containers_have_a_name(self, tmp_path: Path) -> None:
        names = {
            argument
            for _ in range(50)
            for argument in shell(tmp_path, "true").run_args
            if re.fullmatch(r"--name=lbdart-[0-9a-f]{32}", argument)
        }
        assert len(names) == 50


class TestRun:
    """The command itself, its output and its settings."""

    def heard(self, container: Container, *credentials: Credentials) -> list[str]:
        lines: list[str] = []
        container.run(credentials, on_line=lines.append)
        return lines

    def test_what_it_says_is_heard(self, docker: FakeDocker, tmp_path: Path) -> None:
        docker.answers()
        assert self.heard(shell(tmp_path, "echo one; echo two >&2; cat")) == ["one", "two"]

    def test_nothing_is_printed_when_nobody_listens(
        self, docker: FakeDocker, container: Container, capfd: pytest.CaptureFixture[str]
    ) -> None:
        docker.answers()
        container.run()
        assert capfd.readouterr() == ("", "")

    def test_credentials_are_in_the_environment_and_masked_in_what_is_heard(
        self, docker: FakeDocker, tmp_path: Path
    ) -> None:
        docker.answers()
        script = (
            'printf %s "$UV_INDEX_TEAM_PASSWORD" > uv; cp -p "$NETRC" netrc; echo "$NETRC" > where; '
            'echo "I say $POETRY_HTTP_BASIC_TEAM_PASSWORD and $PIP_EXTRA_INDEX_URL"'
        )
        lines = self.heard(shell(tmp_path, f"cd {tmp_path}; {script}"), TEAM)
        assert (tmp_path / "uv").read_text() == PASSWORD
        login = netrc.netrc(tmp_path / "netrc").authenticators("packages.example.com")
        assert login == ("ci@team", "", PASSWORD)
        assert (tmp_path / "netrc").stat().st_mode & 0o777 == 0o600
        assert not Path((tmp_path / "where").read_text().strip()).exists()
        assert lines == ["I say **** and https://packages.example.com/team/simple/"]

    def test_a_login_without_a_user_or_a_password_hides_no_other(
        self, docker: FakeDocker, tmp_path: Path
    ) -> None:
        docker.answers()
        token = Credentials("third", "https://third.example/simple", "tok3n", "")
        key = Credentials("fourth", "https://fourth.example/simple", "", "k3y")
        self.heard(shell(tmp_path, f'cp "$NETRC" {tmp_path}/netrc'), token, key, TEAM)
        logins = netrc.netrc(tmp_path / "netrc")
        assert logins.authenticators("third.example") == ("tok3n", "", "")
        assert logins.authenticators("fourth.example") == ("", "", "k3y")
        assert logins.authenticators("packages.example.com") == ("ci@team", "", PASSWORD)

    def test_a_password_that_is_not_utf_8_is_in_its_variable_alone(
        self, docker: FakeDocker, tmp_path: Path
    ) -> None:
        """For what reads ``netrc`` would fail for all of it."""
        docker.answers()
        latin = Credentials("latin", "https://latin.example/simple", "ci", os.fsdecode(b"p\xe4ss"))
        script = 'echo "$UV_INDEX_LATIN_PASSWORD" | tee uv; cp "$NETRC" netrc'
        assert self.heard(shell(tmp_path, f"cd {tmp_path}; {script}"), latin, TEAM) == ["****"]
        assert (tmp_path / "uv").read_bytes() == b"p\xe4ss\n"
        assert netrc.netrc(tmp_path / "netrc").hosts.keys() == {"packages.example.com"}

    def test_credentials_are_in_no_argument(self, tmp_path: Path) -> None:
        assert "m4rked" not in str(shell(tmp_path, "true").run_args)

    def test_an_index_of_the_machine_holds_there_and_its_login_is_in_no_address(
        self, docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """For pip hands addresses to its own processes as arguments."""
        docker.answers(run=f"unset PIP_INDEX_URL PIP_EXTRA_INDEX_URL; {HERE}")
        monkeypatch.setenv("PIP_INDEX_URL", TEAM.index_url)
        extra = "file:///srv/simple https://me:s%40cret@pypi.example.org/simple"
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", extra)
        script = 'echo "$PIP_INDEX_URL"; echo "$PIP_EXTRA_INDEX_URL"; grep -c . "$NETRC"'
        assert self.heard(shell(tmp_path, f'cp "$NETRC" {tmp_path}/netrc; {script}'), TEAM)[:3] == [
            TEAM.index_url,
            "https://pypi.example.org/simple",
            "2",
        ]
        logins = netrc.netrc(tmp_path / "netrc")
        assert logins.authenticators("pypi.example.org") == ("me", "", "s@cret")
        assert logins.authenticators("packages.example.com") == ("ci@team", "", PASSWORD)

    def test_what_the_image_sets_itself_stays(
        self, docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        docker.answers(run='HTTPS_PROXY=http://of-the-image.example:1 exec /bin/sh "$@"')
        monkeypatch.setenv("HTTPS_PROXY", "http://of-the-host.example:1")
        monkeypatch.setenv("NO_PROXY", "example.net")
        assert self.heard(shell(tmp_path, 'echo "$HTTPS_PROXY $NO_PROXY"')) == [
            "http://of-the-image.example:1 example.net"
        ]

    def test_with_a_rootless_engine_root_is_the_user(self, docker: FakeDocker, tmp_path: Path) -> None:
        as_user = 'case "$all" in *--user=*) echo user;; *) echo root;; esac; cat >/dev/null <&0 & wait'
        for info, who in (("echo '[name=seccomp name=rootless]'", "root"), ("echo '[]'", "user")):
            docker.answers(info=info, run=as_user)
            assert self.heard(shell(tmp_path, "true")) == [who]


CANNOT_CONNECT = "docker: Cannot connect to the Docker daemon at unix:///run/docker.sock. Is it running?"
NO_PERMISSION = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///run/docker.sock"
)
NOT_HERE = "Unable to find image 'image:1' locally\\ndocker: Error response from daemon: manifest unknown."
OTHER_PLATFORM = (
    "docker: Error response from daemon: image with reference image:1 was found but does not match the "
    "specified platform: wanted linux/arm64, actual: linux/amd64."
)
NO_PYTHON = (
    'docker: Error response from daemon: failed to create task: exec: "/bin/sh": stat /bin/sh: no such file'
)


#: How pip shows a build backend that fails.
OF_PIP = """\
  error: subprocess-exited-with-error
  x Building wheel for x (pyproject.toml) did not run successfully.
    exit code: 1
    > [6 lines of output]
      Traceback (most recent call last):
        File "<string>", line 1, in <module>
          raise RuntimeError("There is no library")
      RuntimeError: There is no library
      [end of output]
  note: This error originates from a subprocess, and is likely not a problem with pip.
ERROR: Failed to build one or more wheels"""


def says(text: str, code: int) -> str:
    return f"printf '%b\\n' {shlex.quote(text)} >&2; exit {code}"


@pytest.mark.parametrize(
    ("answers", "problem", "remedy"),
    [
        (
            {"info": says(CANNOT_CONNECT, 1)},
            "The build of x needs Docker, but its engine is not running.", "Start Docker",
        ),
        (
            {"info": says(NO_PERMISSION, 1)},
            "The build of x needs Docker, but this user may not use its engine.", "Add the user to the group",
        ),
        (
            {"info": says("something else is wrong", 1)},
            "The build of x could not be started: something else is wrong.",
            "Run `docker info` to check Docker.",
        ),
        (
            {"run": says(NOT_HERE, 125)},
            "The build of x needs the image image:1, which is not on this machine and cannot be pulled.",
            "Check its name",
        ),
        (
            {"run": says(OTHER_PLATFORM, 125)},
            "The build of x needs linux/amd64, but image:1 or this machine's Docker does not support it.",
            "Name an image for linux/amd64, .*binfmt",
        ),
        (
            {"run": says("exec /bin/sh: exec format error", 1)},
            "The build of x needs linux/amd64, but image:1 or this machine's Docker does not support it.",
            "Name an image for linux/amd64, .*binfmt",
        ),
        (
            {"run": says("docker: Error response from daemon: no space left.", 125)},
            "The build of x could not be started: docker: Error response from daemon: no space left.",
            "Run `docker info` to check Docker.",
        ),
        (
            {"run": says("sh: 9: python3.13: not found", 127)},
            "The build of x needs python3.13, which the image image:1 does not have.", "Name an image",
        ),
        (
            {"run": says(NO_PYTHON, 127)},
            "The build of x needs /bin/sh, which the image image:1 does not have.", "Name an image",
        ),
        (
            {"run": says("a.c:1:10: fatal error: nope.h: No such file\\nerror: exit status 1", 1)},
            "The build of x in image:1 failed with exit code 1: a.c:1:10: fatal error: nope.h: No such file.",
            "Correct the error above",
        ),
        (
            {"run": says(OF_PIP, 1)},
            "The build of x in image:1 failed with exit code 1: RuntimeError: There is no library.",
            "Correct the error above",
        ),
        (
            {"run": "exit 3"},
            "The build of x in image:1 failed with exit code 3: it printed nothing.",
            "Correct the error above",
        ),
    ],
)  # fmt: skip
def test_each_failure_has_its_message(
    docker: FakeDocker, container: Container, answers: dict[str, str], problem: str, remedy: str
) -> None:
    docker.answers(**answers)
    with pytest.raises(LbdartError) as caught:
        container.run()
    assert caught.value.problem == problem
    assert re.match(remedy, caught.value.remedy)


def test_a_machine_without_docker(docker: FakeDocker, container: Container) -> None:
    docker.is_missing()
    with pytest.raises(LbdartError, match="needs Docker, which is not installed or not on PATH"):
        container.run()


def test_a_failure_prints_what_was_said_last_without_the_password(
    docker: FakeDocker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.answers()
    with pytest.raises(LbdartError) as caught:
        shell(tmp_path, 'echo first; echo "error: $UV_INDEX_TEAM_PASSWORD"; exit 1').run([TEAM])
    assert capsys.readouterr().err == "first\nerror: ****\n"
    assert "m4rked" not in str(caught.value)


def test_a_build_that_does_not_end(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answers()
    with pytest.raises(LbdartError, match="did not end within 1 seconds"):
        shell(tmp_path, "exec sleep 5 >/dev/null 2>&1").run(time_limit=0.6)


def test_the_end_of_the_input_is_the_end_of_the_container(docker: FakeDocker, tmp_path: Path) -> None:
    """So that a build ends which nobody waits for any more, since its process was killed."""
    docker.answers()
    container = shell(tmp_path, "exec sleep 5")
    command = RunCommand.of(container.run_args, container.image, container.name)
    with subprocess.Popen(command.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdin is not None
        client.stdin.write(b"\n")
        client.stdin.close()
        assert client.wait(60) == 143


PROGRAM = """
import signal
import sys
from pathlib import Path
from lbdart_cdk.core.wheels.container import Container
from lbdart_cdk.core.errors import LbdartError
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it runs behind
command = ("/bin/sh", "-c", "echo up; exec sleep 5 >/dev/null 2>&1")
try:
    Container("image:1", "linux/amd64", ((Path.cwd(), "/x"),), command).run(
        on_line=lambda line: print(line, flush=True)
    )
except LbdartError as error:
    sys.exit(str(error))
"""


def test_ctrl_c_ends_the_build_with_a_message(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answers()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        watchdog = threading.Timer(60, program.kill)
        watchdog.start()
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        program.send_signal(signal.SIGINT)
        _, said = program.communicate()
        watchdog.cancel()
    assert said == "The build in image:1 was interrupted.\nRun it again; nothing was kept.\n"
    assert program.returncode == 1
