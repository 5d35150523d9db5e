"""The builder by a script in a container: its command, its steps, and what is seen before anything starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lbdart_cdk.core.api import (
    BaseLambdaLayerContainerBuilder,
    BaseLambdaLayerLocalBuilder,
    Credentials,
    LbdartError,
    create_layer_zip_file,
)
from lbdart_cdk.tools import UvLambdaLayerContainerBuilder
from tests.support.docker import FakeDocker
from tests.support.wheels import names_in

PASSWORD = "m4rked/p:ss w%rd"
TEAM = Credentials("team", "https://packages.example.com/simple", "ci@team", PASSWORD)
OTHER = Credentials("other", "https://other.example.com/simple", "ci", PASSWORD)
LAYER = "build/lambda/layer"
FILE = "build/lambda/private-repository-credentials.json"
MADE = f"touch {LAYER}/artifacts/python/made.py"


#: Run a container's command here, in the project that is mounted at ``/var/task``.
IN_PROJECT = """
cd "$(printf '%s\\n' "$all" | sed -n 's|^--mount=type=bind,"source=\\(.*\\)",target=/var/task$|\\1|p')"
for word in "$@"; do
  case "$word" in /var/task/*) word="$PWD/${word#/var/task/}" ;; esac
  shift
  set -- "$@" "$word"
done
exec /bin/sh "$@"
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    fake = FakeDocker(tmp_path / "bin", monkeypatch).answers(run=IN_PROJECT)
    (tmp_path / "bin" / "python3.13").symlink_to(sys.executable)
    return fake


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project."""
    root = tmp_path / "orders"
    root.mkdir()
    (root / "pyproject.toml").touch()
    return root


def builder(
    root: Path,
    text: str = "",
    script: str | Path = "build.sh",
    kind: type[BaseLambdaLayerContainerBuilder] = BaseLambdaLayerContainerBuilder,
    **more: Any,
) -> BaseLambdaLayerContainerBuilder:
    (root / script).parent.mkdir(parents=True, exist_ok=True)
    (root / script).write_text(text)
    return kind(
        path_pyproject_toml=root / "pyproject.toml",
        path_script=root / script,
        **{"py_ver_major": 3, "py_ver_minor": 13, "is_arm": True, **more},
    )


def secrets_in(root: Path) -> list[str]:
    return [str(path) for path in root.rglob("*") if path.is_file() and b"m4rked" in path.read_bytes()]


class TestCommand:
    def test_it_runs_the_copy_of_the_script_in_the_image_of_the_target(self, root: Path) -> None:
        found = builder(root)
        assert found.image_uri == "public.ecr.aws/sam/build-python3.13:latest-arm64"
        assert found.image_tag == "latest-arm64"
        assert found.platform == "linux/arm64"
        arguments = found.docker_run_args
        assert {"--platform=linux/arm64", found.image_uri} < set(arguments)
        assert f'--mount=type=bind,"source={root}",target=/var/task' in arguments
        assert arguments[-2:] == ["/bin/bash", f"/var/task/{LAYER}/build_lambda_layer_in_container.sh"]

    def test_a_python_script_is_run_by_the_python_of_the_target(self, root: Path) -> None:
        found = builder(root, script="build.py")
        path = f"/var/task/{LAYER}/build_lambda_layer_in_container.py"
        assert found.docker_run_args[-3:] == ["python3.13", "-u", path]
        assert found.path_layout.path_build_lambda_layer_in_container_script_in_container == path

    def test_each_builder_has_a_container_of_its_own(self, root: Path) -> None:
        one, other = builder(root), builder(root)
        assert f"--name={one.container_name}" in one.docker_run_args
        assert one.docker_run_args == one.docker_run_args
        assert one.container_name != other.container_name

    def test_another_image_pinned_by_its_digest(self, root: Path) -> None:
        pinned = f"registry.example.com/build@sha256:{'0' * 64}"
        assert pinned in builder(root, image=pinned).docker_run_args

    def test_another_tag_of_the_image(self, root: Path) -> None:
        class Pinned(UvLambdaLayerContainerBuilder):  # type: ignore[misc]
            @property
            def image_tag(self) -> str:
                return "1.140.0-arm64"

        found = builder(root, kind=Pinned)
        assert found.image_uri == "public.ecr.aws/sam/build-python3.13:1.140.0-arm64"
        assert isinstance(found, Pinned)
        assert found.build_container is not None
        assert found.build_container.image == found.image_uri

    def test_a_python_that_lambda_does_not_have(self, root: Path) -> None:
        with pytest.raises(LbdartError, match=r"Lambda has no runtime python3\.7"):
            _ = builder(root, py_ver_minor=7).docker_run_args


class TestPreflight:
    @pytest.mark.parametrize(
        ("script", "problem"),
        [
            ("nowhere.sh", "There is no build script .*/nowhere.sh"),
            ("folder.sh", "There is no build script .*/folder.sh"),
            (f"{LAYER}/build.sh", f"is in .*/{LAYER}, which each build deletes"),
            (f"{LAYER}/deep/link.sh", f"is in .*/{LAYER}, which each build deletes"),
            ("to_layer.sh", f"is in .*/{LAYER}, which each build deletes"),
            ("plain", "is neither a Python nor a shell script"),
        ],
    )
    @pytest.mark.parametrize("step", ["run", "step_2_prepare_environment"])
    def test_a_script_that_cannot_be_run_is_told_first(
        self, root: Path, step: str, script: str, problem: str
    ) -> None:
        (root / LAYER / "deep").mkdir(parents=True)
        (root / "folder.sh").mkdir()
        for name in (f"{LAYER}/build.sh", "plain", "outside.sh"):
            (root / name).touch()
        (root / LAYER / "deep" / "link.sh").symlink_to(root / "outside.sh")
        (root / "to_layer.sh").symlink_to(root / LAYER / "build.sh")
        with pytest.raises(LbdartError, match=problem):
            getattr(replace(builder(root), path_script=root / script), step)()
        assert (root / LAYER / "build.sh").exists()
        assert (root / LAYER / "deep" / "link.sh").exists()

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ({"path_script": None}, r"There is no build script\."),
            ({"path_script": "build.sh"}, r"path_script is 'build\.sh', not a pathlib\.Path"),
            ({"py_ver_major": "3"}, r"py_ver_major is '3', which is not an integer"),
            ({"py_ver_minor": "13"}, r"py_ver_minor is '13', which is not an integer"),
        ],
    )
    def test_what_is_of_another_type_is_told(self, root: Path, given: dict[str, Any], problem: str) -> None:
        with pytest.raises(LbdartError, match=problem):
            replace(builder(root), **given).run()


PYTHON_SCRIPT = """
import json, pathlib, stat
path = pathlib.Path("build/lambda/private-repository-credentials.json")
print(oct(stat.S_IMODE(path.stat().st_mode)), json.loads(path.read_text())["username"])
pathlib.Path("build/lambda/layer/artifacts/python/made.py").write_text("MADE = True")
"""


class TestBuild:
    @pytest.mark.parametrize("script", ["build.py", '../site packages/it\'s, "one".py', "../by first line"])
    def test_a_script_reads_the_credentials_and_its_files_become_the_layer(
        self, docker: FakeDocker, root: Path, script: str
    ) -> None:
        lines: list[str] = []
        text = f"#!/usr/bin/env python3\n{PYTHON_SCRIPT}"
        build = builder(root, text, script, credentials=[TEAM], printer=lines.append)
        build.run()
        assert lines[-1] == "0o600 ci@team"
        assert names_in(create_layer_zip_file(build.path_layout)) == ["python/made.py"]
        assert (root / LAYER / "build_lambda_layer_in_container.py").read_text() == text
        assert secrets_in(root) == []

    def test_a_shell_script_finds_its_credentials_in_the_environment_too(
        self, docker: FakeDocker, root: Path
    ) -> None:
        lines: list[str] = []
        text = f'{MADE}\necho "$UV_INDEX_TEAM_USERNAME $UV_INDEX_TEAM_PASSWORD"; cat {FILE}'
        builder(root, text, credentials=TEAM, printer=lines.append).run()
        assert "ci@team ****" in lines
        assert '    "password": "****"' in lines

    def test_several_credentials_are_in_the_environment_alone(self, docker: FakeDocker, root: Path) -> None:
        lines: list[str] = []
        text = f'{MADE}\necho "$UV_INDEX_TEAM_USERNAME $UV_INDEX_OTHER_USERNAME"; test ! -e {FILE}'
        builder(root, text, credentials=[TEAM, OTHER], printer=lines.append).run()
        assert lines[-1] == "ci@team ci"

    def test_without_credentials_there_is_no_file(self, docker: FakeDocker, root: Path) -> None:
        builder(root, f"{MADE}; test ! -e {FILE}").run()

    def test_the_options_of_the_first_line_hold(self, docker: FakeDocker, root: Path) -> None:
        with pytest.raises(LbdartError, match="failed with exit code 1"):
            builder(root, f"#!/bin/bash -e\n{MADE}\nfalse\ntrue").run()


class TestCredentialsAreGone:
    """The file, and what is like it, after each kind of end."""

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("exit 7", "failed with exit code 7"),
            ("exec sleep 5 >/dev/null 2>&1", "did not end within"),
            ("true", "The build left nothing"),
            (f"cp {FILE} {LAYER}/; cp {FILE} {LAYER}/artifacts/python; exit 1", "failed with exit code 1"),
        ],
    )
    def test_after_a_failure(self, docker: FakeDocker, root: Path, text: str, problem: str) -> None:
        with pytest.raises(LbdartError, match=problem):
            builder(root, f"test -e {FILE}\n{text}", credentials=TEAM, time_limit=1.0).run()
        assert secrets_in(root) == []

    def test_after_an_error_of_docker(self, docker: FakeDocker, root: Path) -> None:
        docker.answers(info="echo nothing here >&2; exit 1")
        with pytest.raises(LbdartError, match="could not be started"):
            builder(root, credentials=TEAM).run()
        assert secrets_in(root) == []

    def test_after_ctrl_c(self, docker: FakeDocker, root: Path) -> None:
        text = f"test -e {FILE} && echo up; exec sleep 5 >/dev/null 2>&1"
        with program(builder(root, text), "builder.run()") as running:
            watchdog = threading.Timer(60, running.kill)
            watchdog.start()
            assert running.stdout is not None
            while running.stdout.readline() not in ("up\n", ""):
                pass
            assert (root / FILE).exists()
            running.send_signal(signal.SIGINT)
            _, said = running.communicate()
            watchdog.cancel()
        assert "was interrupted" in said
        assert secrets_in(root) == []

    def test_after_a_third_step_of_another_kind(self, root: Path) -> None:
        class Failing(BaseLambdaLayerContainerBuilder):
            def step_3_execute_build(self) -> None:
                assert (root / FILE).exists()
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            builder(root, kind=Failing, credentials=TEAM).run()
        assert secrets_in(root) == []

    def test_after_steps_one_by_one_that_came_to_no_end(self, root: Path) -> None:
        steps = "builder.step_2_prepare_environment(); print(builder.path_layout); raise SystemExit(1)"
        with program(builder(root), steps) as running:
            said, _ = running.communicate()
        assert "LayerPathLayout" in said
        assert secrets_in(root) == []
        assert (root / LAYER).exists()

    @pytest.mark.parametrize("name", [FILE, "build/lambda/.private-repository-credentials.json.x"])
    def test_what_a_killed_build_left_is_removed_by_the_next_of_any_kind(
        self, docker: FakeDocker, root: Path, name: str
    ) -> None:
        class Local(BaseLambdaLayerLocalBuilder):
            def step_3_execute_build(self) -> None:
                (self.path_layout.dir_python / "made.py").touch()

        builds: list[BaseLambdaLayerLocalBuilder | BaseLambdaLayerContainerBuilder] = [
            builder(root, f"{MADE}; test ! -e {name}"),
            Local(root / "pyproject.toml", skip_prompt=True),
        ]
        for build in builds:
            TEAM.dump(root / name)
            build.run()
            assert secrets_in(root) == []

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            (f"{MADE}; mkdir {LAYER}/artifacts/python/all; cp build/lambda/*.json $_", "python/all/"),
            (f"cp {FILE} .; python3.13 -m zipfile -c {LAYER}/wheels/a.whl *.json; rm *.json", "wheels/a.whl"),
        ],
    )
    def test_a_layer_with_the_file_in_it_is_refused(
        self, docker: FakeDocker, root: Path, text: str, found: str
    ) -> None:
        with pytest.raises(LbdartError, match=f"put the credentials into the layer: .*{found}.*is deleted"):
            builder(root, text, credentials=TEAM).run()
        assert secrets_in(root) == []

    def test_a_tools_builder_writes_no_file(self, root: Path) -> None:
        build = UvLambdaLayerContainerBuilder(
            path_pyproject_toml=root / "pyproject.toml", py_ver_major=3, py_ver_minor=13, credentials=TEAM
        )
        build.step_2_prepare_environment()
        assert secrets_in(root) == []


PROGRAM = """
import signal
import sys
from pathlib import Path
from lbdart_cdk.core.api import BaseLambdaLayerContainerBuilder, Credentials, LbdartError
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it runs behind
builder = BaseLambdaLayerContainerBuilder(
    path_pyproject_toml=Path("pyproject.toml"),
    path_script=Path(sys.argv[1]),
    py_ver_major=3,
    py_ver_minor=13,
    credentials=Credentials("team", "https://packages.example.com/simple", "ci", "m4rked"),
    printer=lambda line: print(line, flush=True),
)
try:
    {}
except LbdartError as error:
    sys.exit(str(error))
"""


def program(build: BaseLambdaLayerContainerBuilder, steps: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{}", steps), str(build.path_script)],
        cwd=build.path_layout.dir_project_root,
        env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


class TestArgumentsOfASubclass:
    """``docker_run_args`` as a subclass changes or replaces them."""

    def test_more_options_and_more_arguments(self, docker: FakeDocker, root: Path) -> None:
        class More(BaseLambdaLayerContainerBuilder):
            @property
            def docker_run_args(self) -> list[str]:
                first, second, *rest = super().docker_run_args
                return [first, second, "--env=LEVEL=9", *rest, "--fast"]

        lines: list[str] = []
        text = f'{MADE}; echo "$LEVEL $1 $UV_INDEX_TEAM_USERNAME"'
        builder(root, text, kind=More, credentials=TEAM, printer=lines.append).run()
        assert lines[-1] == "9 --fast ci@team"

    def test_a_command_of_its_own_gets_no_secrets_as_input(
        self, tmp_path: Path, root: Path, own_docker: Callable[[str], None]
    ) -> None:
        """A script that reads its input, such as ``cat``, would print them."""
        own_docker(f'printf "%s\\n" "$@" > {tmp_path}/args; cd {root}; {MADE}; echo "input: $(cat)"')
        lines: list[str] = []
        build = builder(root, script="build.py", kind=Own, credentials=TEAM, printer=lines.append)
        build.run()
        assert lines[-1] == "input:"
        assert (tmp_path / "args").read_text().split() == build.docker_run_args[1:]

    @pytest.mark.parametrize("named", ["--name lambda_layer_builder", "--name=lambda_layer_builder", ""])
    def test_the_container_that_is_named_is_the_one_that_is_removed(
        self, tmp_path: Path, root: Path, own_docker: Callable[[str], None], named: str
    ) -> None:
        class Named(Own):
            @property
            def docker_run_args(self) -> list[str]:
                return ["docker", "container", "run", *named.split(), self.image_uri, "x", "--name", "y"]

        own_docker(f'[ "$1" != rm ] || echo "$@" > {tmp_path}/removed; exec sleep 5 >/dev/null 2>&1')
        build = builder(root, kind=Named, time_limit=0.5)
        with pytest.raises(LbdartError, match="did not end within"):
            build.run()
        name = "lambda_layer_builder" if named else build.container_name
        assert (tmp_path / "removed").read_text() == f"rm --force {name}\n"

    def test_what_is_no_docker_run_command(self, root: Path) -> None:
        class Wrong(Own):
            @property
            def docker_run_args(self) -> list[str]:
                return ["docker", "exec", "x"]

        with pytest.raises(LbdartError, match="'docker exec x' is not a docker run command"):
            builder(root, kind=Wrong).run()

    def test_a_third_step_that_runs_them_by_itself(self, docker: FakeDocker, root: Path) -> None:
        """As the specification's packages do: with the credentials file, and no input to wait for."""

        class Step(BaseLambdaLayerContainerBuilder):
            def step_3_execute_build(self) -> None:
                subprocess.run(self.docker_run_args, check=True)

        builder(root, PYTHON_SCRIPT, "build.py", kind=Step, credentials=TEAM).run()
        assert (root / LAYER / "artifacts" / "python" / "made.py").exists()
        assert secrets_in(root) == []

    def test_a_package_with_fields_of_its_own(self, docker: FakeDocker, root: Path, tmp_path: Path) -> None:
        script = tmp_path / "site-packages" / "tool" / "_build_in_container.py"
        script.parent.mkdir(parents=True)
        script.write_text(
            "import pathlib; pathlib.Path('build/lambda/layer/artifacts/python/made.py').touch()"
        )

        @dataclass(frozen=True)
        class Package(BaseLambdaLayerContainerBuilder):
            path_script: Path | None = script
            credentials: Credentials | None = None
            skip_prompt: bool = False

        build = Package(
            path_pyproject_toml=root / "pyproject.toml", py_ver_major=3, py_ver_minor=13, is_arm=False
        )
        build.run()
        assert names_in(create_layer_zip_file(build.path_layout)) == ["python/made.py"]


class Own(BaseLambdaLayerContainerBuilder):
    """A builder with the specification's arguments."""

    @property
    def docker_run_args(self) -> list[str]:
        return [
            "docker", "run", "--rm", "--name", "lambda_layer_builder", self.image_uri,
            "python", "-u", self.path_layout.path_build_lambda_layer_in_container_script_in_container,
        ]  # fmt: skip


@pytest.fixture
def own_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A Docker that is one shell script for all that it is asked."""

    def make(script: str) -> None:
        (tmp_path / "bin").mkdir()
        path = tmp_path / "bin" / "docker"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")

    return make


def test_a_subclass_passes_arguments_to_its_script(root: Path) -> None:
    class WithExtras(BaseLambdaLayerContainerBuilder):
        @property
        def script_args(self) -> list[str]:
            return ["--extra", "fast"]

    builder = WithExtras(root / "pyproject.toml", py_ver_major=3, py_ver_minor=13, path_script=root / "x.sh")
    (root / "x.sh").write_text("")
    assert builder.docker_run_args[-3:] == [
        "/var/task/build/lambda/layer/build_lambda_layer_in_container.sh",
        "--extra",
        "fast",
    ]
