"""What compiles, built in containers of a real Docker engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

from integ.docker.engine import IMAGE, docker
from integ.docker.sources import make_native, make_native_project
from lbdart_cdk import LambdaLayerArtifact
from lbdart_cdk.core.api import (
    BaseLambdaLayerContainerBuilder,
    BuildContainer,
    Credentials,
    LbdartError,
    create_layer_zip_file,
)
from lbdart_cdk.core.layer.container_builder import ToolLambdaLayerContainerBuilder
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.container import Container
from lbdart_cdk.tools import (
    PipLambdaLayerContainerBuilder,
    PoetryLambdaLayerContainerBuilder,
    PylockLambdaLayerContainerBuilder,
    UvLambdaLayerContainerBuilder,
)
from tests.support.git import git
from tests.support.index import Index, after
from tests.support.poetry import package, poetry_lock
from tests.support.projects import files_in, index_table, kept_in, make_project, uv_lock
from tests.support.wheels import make_wheel, names_in, sha256

#: One engine, and each test sees to it that it leaves no container: they take turns.
pytestmark = pytest.mark.docker

USER, PASSWORD = "ci@team", "m4rked/p:ss w%rd"
#: As they are, in part, percent-encoded in part, and in base64.
SECRETS = (PASSWORD, "m4rked", "bTRya2Vk")
TEAM = Credentials("team", "https://packages.example.com/simple", USER, PASSWORD)
MODULE = "native.cpython-311-x86_64-linux-gnu.so"
HOST = BuildContainer(network="host")
Locking = Callable[[Path, Index, Path, pytest.MonkeyPatch], None]


def project(root: Path, index: Index) -> Path:
    return make_project(root, dependencies=["native"], tail=index_table(index.url))


def answer(layer: Path, image: str) -> str:
    """Import the module of a layer where it was compiled, and ask it."""
    with zipfile.ZipFile(layer) as archive:
        archive.extractall(layer.parent / "unzipped")
    said: list[str] = []
    program = "import sys; sys.path.insert(0, 'python'); import native; print(native.answer())"
    mounts = ((layer.parent / "unzipped", "/var/task"),)
    Container(image, "linux/amd64", mounts, ("python3.11", "-c", program)).run(on_line=said.append)
    return "\n".join(said)


#: Where a script finds its credentials and leaves its files.
CREDENTIALS = "/var/task/build/lambda/private-repository-credentials.json"
OUT = "/var/task/build/lambda/layer/artifacts/python"


def builder(
    root: Path,
    script: str,
    kind: type[BaseLambdaLayerContainerBuilder] = BaseLambdaLayerContainerBuilder,
    **more: object,
) -> BaseLambdaLayerContainerBuilder:
    """A builder by a script in a project that has the package ``native`` beside it."""
    root.mkdir(parents=True)
    script = script.replace("$CREDENTIALS", CREDENTIALS).replace("$OUT", OUT)
    (root / "pyproject.toml").write_text('[project]\nname = "orders"\nversion = "1"\n')
    (root / "build.sh").write_text(f"set -e\n{script}\n")
    return kind(
        path_pyproject_toml=root / "pyproject.toml",
        py_ver_major=3,
        py_ver_minor=11,
        is_arm=False,
        path_script=root / "build.sh",
        **{"time_limit": 120.0, **more},  # type: ignore[arg-type]
    )


class TestConstruct:
    """A layer of an app, of which one package has a source distribution alone."""

    def layer(self, root: Path, **props: object) -> LambdaLayerArtifact:
        stack = Stack(App(outdir=str(root.parent / "cdk.out")), "Orders")
        return LambdaLayerArtifact(
            stack, "Deps", project=str(root), runtime=lambda_.Runtime.PYTHON_3_11,
            **props,  # type: ignore[arg-type]
        )  # fmt: skip

    def test_it_ends_in_the_layer_and_runs(self, engine: str, index: Index, tmp_path: Path) -> None:
        make_native(index.folder)
        root = project(tmp_path / "orders", index)
        uv_lock(root)
        before = files_in(root)
        with pytest.raises(LbdartError, match="build_in_container=True"):
            self.layer(root)
        key = self.layer(root, build_in_container=HOST).build_key
        assert files_in(root) == before
        built = Store().archive(key)
        info = ["python/native-1.0.dist-info/METADATA", "python/native-1.0.dist-info/RECORD"]
        assert names_in(built) == [*info, f"python/{MODULE}"]
        (tmp_path / "copy").mkdir()
        copy = tmp_path / "copy" / "layer.zip"
        copy.write_bytes(built.read_bytes())
        assert answer(copy, engine) == "42"

    def test_a_path_dependency_in_an_image_pinned_by_its_digest(
        self, pinned: str, index: Index, tmp_path: Path
    ) -> None:
        assert "@sha256:" in pinned
        root = project(tmp_path / "orders", index)
        make_native_project(root / "native", [])
        with (root / "pyproject.toml").open("a") as file:
            file.write('[tool.uv.sources]\nnative = { path = "native" }\n')
        uv_lock(root)
        before = files_in(root)
        built = self.layer(root, build_in_container=BuildContainer(pinned, network="host"))
        assert f"python/{MODULE}" in names_in(Store().archive(built.build_key))
        assert files_in(root) == before

    @pytest.mark.parametrize("is_dirty", [False, True])
    def test_a_build_that_asks_git(
        self, engine: str, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_dirty: bool
    ) -> None:
        """The answer is the number of commits, or with changes this number and a hundred."""
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        repository = tmp_path / "all code"
        root = project(repository / "orders", index)
        native = make_native_project(repository / "native", [])
        (native / "answers.py").write_text(
            "import subprocess\n"
            "said = [subprocess.run(['git', *command], check=True, capture_output=True, text=True).stdout\n"
            "        for command in (['rev-list', '--count', 'HEAD'], ['status', '--porcelain'])]\n"
            "ANSWER = int(said[0]) + (100 if said[1].strip() else 0)\n"
        )
        with (root / "pyproject.toml").open("a") as file:
            file.write('[tool.uv.sources]\nnative = { path = "../native" }\n')
        uv_lock(root)
        (repository / ".gitignore").write_text("__pycache__/\n")
        git(repository, "init", "--quiet")
        git(repository, "add", "--all")
        for number in range(3):
            git(repository, "commit", "--quiet", "--allow-empty", "-m", str(number))
        if is_dirty:
            (native / "PKG-INFO.in").write_text("changed\n")
        before = files_in(native), files_in(repository / ".git")
        built = self.layer(root, build_in_container=HOST)
        (tmp_path / "copy").mkdir()
        copy = tmp_path / "copy" / "layer.zip"
        copy.write_bytes(Store().archive(built.build_key).read_bytes())
        assert answer(copy, engine) == ("103" if is_dirty else "3")
        assert (files_in(native), files_in(repository / ".git")) == before

    def test_the_same_bytes_each_time(self, engine: str, index: Index, tmp_path: Path) -> None:
        make_native(index.folder)
        root = project(tmp_path / "orders", index)
        uv_lock(root)
        layers = set()
        for number in range(2):
            built = UvLambdaLayerContainerBuilder(
                path_pyproject_toml=root / "pyproject.toml", py_ver_major=3, py_ver_minor=11,
                network="host", store=Store(tmp_path / f"store-{number}"),
            )  # fmt: skip
            built.run()
            layers.add(create_layer_zip_file(built.path_layout).read_bytes())
        assert len(layers) == 1

    def test_what_does_not_compile_says_why(
        self, engine: str, index: Index, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        make_native(index.folder, code="#include <nope.h>\n")
        root = project(tmp_path / "orders", index)
        uv_lock(root)
        with pytest.raises(LbdartError) as caught:
            self.layer(root, build_in_container=HOST)
        assert "native.c:1:10: fatal error: nope.h: No such file or directory" in caught.value.problem
        assert "fatal error: nope.h" in capfd.readouterr().err


IN_PYTHON = f"""
import json, os, stat, subprocess, sys
from pathlib import Path
file = Path("{CREDENTIALS}")
login = json.loads(file.read_text())
print("python", "%d.%d" % sys.version_info[:2], "as", os.getuid(), "in", os.getcwd(), end=": ")
print("%o" % stat.S_IMODE(file.stat().st_mode), login["username"], login["password"])
install = [sys.executable, "-m", "pip", "install", "--no-deps", "--target={OUT}", "./native"]
subprocess.run(install, check=True)
"""
IN_SHELL = f"""
set -e
field='import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])'
login() {{ python3.11 -c "$field" {CREDENTIALS} $1; }}
echo "python 3.11 as $(id -u) in $PWD: $(stat -c %a {CREDENTIALS}) $(login username) $(login password)"
[[ $UV_INDEX_TEAM_PASSWORD == "$(login password)" ]]
python3.11 -m pip install --no-deps --target={OUT} ./native
"""
#: A build of a project by its ``build.sh``, in a process of its own.
KILLED = f"""
import sys
from pathlib import Path
from lbdart_cdk.core.api import BaseLambdaLayerContainerBuilder, Credentials
root = Path(sys.argv[1])
BaseLambdaLayerContainerBuilder(
    path_pyproject_toml=root / "pyproject.toml", path_script=root / "build.sh",
    py_ver_major=3, py_ver_minor=11,
    credentials=Credentials("team", "https://packages.example.com/simple", {USER!r}, {PASSWORD!r}),
).run()
"""


class TestScript:
    """The builder by a script of the user's."""

    WHEELS = "python3.11 -m pip wheel --no-deps --wheel-dir build/lambda/layer/wheels ./native"

    def test_its_wheels_become_the_layer(self, engine: str, tmp_path: Path) -> None:
        build = builder(tmp_path / "orders", self.WHEELS)
        make_native_project(tmp_path / "orders" / "native", [])
        build.run()
        layer = create_layer_zip_file(build.path_layout)
        assert f"python/{MODULE}" in names_in(layer)
        assert answer(layer, engine) == "42"

    @pytest.mark.parametrize(
        ("name", "first_line"),
        [("build it.py", ""), ("build it", "#!/usr/bin/env python3\n"), ("build it.sh", "")],
    )
    def test_a_script_of_another_package_reads_the_credentials_file(
        self, engine: str, tmp_path: Path, name: str, first_line: str
    ) -> None:
        """Pip installs what goes into the layer; nothing of the credentials stays."""
        script = tmp_path / "site packages" / "a,tool" / name
        script.parent.mkdir(parents=True)
        program = IN_SHELL if name.endswith(".sh") else IN_PYTHON
        script.write_text(first_line + program)
        lines: list[str] = []
        build = builder(
            tmp_path / "orders",
            "exit 1",
            credentials=TEAM,
            printer=lines.append,
        )
        make_native_project(tmp_path / "orders" / "native", [])
        replace(build, path_script=script).run()
        assert f"python 3.11 as {os.getuid()} in /var/task: 600 {USER} ****" in lines
        layer = create_layer_zip_file(build.path_layout)
        assert f"python/{MODULE}" in names_in(layer)
        assert answer(layer, engine) == "42"
        assert "private-repository-credentials" not in str(names_in(layer))
        assert not any(secret in contents(tmp_path) for secret in SECRETS)

    def test_a_third_step_that_runs_the_command_by_itself(self, engine: str, tmp_path: Path) -> None:
        class Step(BaseLambdaLayerContainerBuilder):
            def step_3_execute_build(self) -> None:
                subprocess.run(self.docker_run_args, check=True, timeout=120)

        build = builder(tmp_path / "orders", "cat $CREDENTIALS > $OUT/made.txt", kind=Step, credentials=TEAM)
        build.run()
        made = build.path_layout.dir_python / "made.txt"
        assert json.loads(made.read_text())["password"] == PASSWORD
        assert not build.path_layout.path_private_repository_credentials_in_local.exists()

    def test_a_command_of_a_subclass_is_run_and_its_container_is_removed(
        self, engine: str, tmp_path: Path
    ) -> None:
        class Own(BaseLambdaLayerContainerBuilder):
            @property
            def docker_run_args(self) -> list[str]:
                root = self.path_layout.dir_project_root
                script = f"touch {OUT}/made.py; sleep $((300 * $#))"
                return [
                    "docker", "run", "--rm", "--name", "one-of-its-own", f"--volume={root}:/var/task",
                    self.image_uri, "bash", "-c", script, "x", *self.more(),
                ]  # fmt: skip

            def more(self) -> list[str]:
                return [] if self.time_limit > 5 else ["wait"]

        build = builder(tmp_path / "orders", "exit 1", kind=Own, credentials=TEAM)
        build.run()
        assert names_in(create_layer_zip_file(build.path_layout)) == ["python/made.py"]
        with pytest.raises(LbdartError, match="did not end within 3 seconds"):
            replace(build, time_limit=3.0).run()
        assert "one-of-its-own" not in docker("ps", "--all")
        assert not any(secret in contents(tmp_path) for secret in SECRETS)

    def test_the_credentials_file_of_a_build_that_is_killed_is_removed_by_the_next(
        self, engine: str, tmp_path: Path
    ) -> None:
        script = "touch build/started; [ -e go ] || sleep 300; touch $OUT/made.py"
        build = builder(tmp_path / "orders", script, credentials=TEAM)
        with subprocess.Popen([sys.executable, "-c", KILLED, build.path_layout.dir_project_root]) as program:
            until((tmp_path / "orders" / "build" / "started").exists)
            program.send_signal(signal.SIGKILL)
        until(lambda: not docker("ps", "--all", "--quiet", "--filter=name=lbdart-"))
        assert build.path_layout.path_private_repository_credentials_in_local.exists()
        (tmp_path / "orders" / "go").touch()
        build.run()
        assert not any(secret in contents(tmp_path) for secret in SECRETS)

    def test_files_come_out_owned_by_the_user(self, engine: str, tmp_path: Path) -> None:
        if os.getuid() != 0:
            pytest.skip("only root can be somebody else")
        os.chown(tmp_path, 12345, 23456)
        script = ("/bin/sh", "-c", "mkdir made; touch made/file; id -u; pwd")
        container = Container(engine, "linux/amd64", ((tmp_path, "/var/task"),), script)
        lines: list[str] = []
        replace(container, user="12345:23456").run(on_line=lines.append)
        assert lines == ["12345", "/var/task"]
        for name in ("made", "made/file"):
            made = (tmp_path / name).stat()
            assert (made.st_uid, made.st_gid) == (12345, 23456)

    def test_two_at_once_do_not_collide(self, engine: str, tmp_path: Path) -> None:
        script = "touch build/started; until [ -e go ]; do sleep 0.1; done; " + self.WHEELS
        builds = [builder(tmp_path / name, script) for name in ("one", "two")]
        for build in builds:
            make_native_project(build.path_layout.dir_project_root / "native", [])
        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(build.run) for build in builds]
            roots = [build.path_layout.dir_project_root for build in builds]
            until(lambda: all((root / "build" / "started").exists() for root in roots))
            assert len(docker("ps", "--quiet", "--filter=name=lbdart-").split()) == 2
            for root in roots:
                (root / "go").touch()
            for future in running:
                future.result(120)
        for build in builds:
            assert list(build.path_layout.dir_wheels.glob("native-*.whl"))

    def test_one_that_fails_says_what_it_said(self, engine: str, tmp_path: Path) -> None:
        lines: list[str] = []
        build = builder(tmp_path / "orders", "echo 'error: no such header'; exit 7", printer=lines.append)
        with pytest.raises(LbdartError) as caught:
            build.run()
        assert caught.value.problem == (
            f"The build by build.sh in {IMAGE} failed with exit code 7: error: no such header."
        )
        assert lines[-1] == "error: no such header"

    def test_one_that_takes_too_long_is_ended(self, engine: str, tmp_path: Path) -> None:
        build = builder(tmp_path / "orders", "sleep 300", time_limit=3.0)
        with pytest.raises(LbdartError, match="did not end within 3 seconds"):
            build.run()

    def test_an_image_that_does_not_exist(self, engine: str, tmp_path: Path) -> None:
        build = builder(tmp_path / "orders", "true", image="127.0.0.1:1/nothing:1")
        with pytest.raises(LbdartError, match=r"needs the image 127\.0\.0\.1:1/nothing:1, which is not"):
            build.run()

    def test_a_python_that_the_image_does_not_have(self, engine: str, tmp_path: Path) -> None:
        command = ("python3.9", "-m", "pip")
        container = Container(engine, "linux/amd64", ((tmp_path, "/var/task"),), command)
        with pytest.raises(LbdartError, match=r"needs python3\.9, which the image .* does not have"):
            container.run()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def private(engine: str, index: Index, monkeypatch: pytest.MonkeyPatch) -> Index:
    """An index of a package that compiles and of what it takes to build it; so far it demands nothing."""
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
    make_native(index.folder, requires=["answers"])
    make_wheel(index.folder, "answers", files={"answers.py": "ANSWER = 42\n"})
    return index


PROGRAM = """
import sys
from pathlib import Path
from lbdart_cdk.core.wheels.container import BuildContainer, WheelContainer
from lbdart_cdk.core.wheels.build import Builder
from lbdart_cdk.core.locking.selection import LockedFile
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.tools.uv import TOOL
sdist, sha256, store = sys.argv[1:]
container = WheelContainer(BuildContainer(network="host", every_source=True), Target((3, 11)))
place = Store(Path(store))
locked = LockedFile("native", "native-1.0.tar.gz", sdist, sha256)
built = Builder(TOOL.frontend, place, container).sdist(Path(sdist), locked)
print(built.path)
"""


def test_a_build_that_is_killed_leaves_no_container_and_nothing_to_trust(
    private: Index, store: Store
) -> None:
    sdist = private.folder / "native-1.0.tar.gz"
    command = [sys.executable, "-c", PROGRAM, str(sdist), sha256(sdist), str(store.root)]
    building, killed = threading.Event(), threading.Event()

    def wait() -> None:
        building.set()
        killed.wait(60)

    private.faults["answers-1.0-py3-none-any.whl"] = [after(wait)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        assert building.wait(60)
        program.send_signal(signal.SIGKILL)
    until(lambda: not docker("ps", "--all", "--quiet", "--filter=name=lbdart-"))
    killed.set()
    assert [name for name in kept_in(store) if not name.startswith("tmp/")] == []
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert MODULE in names_in(Path(done.stdout.strip()))


def lock_uv(root: Path, index: Index, sdist: Path, patch: pytest.MonkeyPatch) -> None:
    uv_lock(root)


def lock_pip(root: Path, index: Index, sdist: Path, patch: pytest.MonkeyPatch) -> None:
    # By its name uv knows the password of an index.
    patch.setenv("UV_DEFAULT_INDEX", f"tests={index.url}/simple/")
    (root / "requirements.txt").write_text(f"native==1.0 --hash=sha256:{sha256(sdist)}\n")


def lock_poetry(root: Path, index: Index, sdist: Path, patch: pytest.MonkeyPatch) -> None:
    source = f'type = "legacy"\nurl = "{index.url}/simple"\nreference = "tests"'
    poetry_lock(root, package(sdist, source=source))


def lock_pylock(root: Path, index: Index, sdist: Path, patch: pytest.MonkeyPatch) -> None:
    (root / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "native"\nversion = "1.0"\n'
        f'sdist = {{ url = "{index.file_url(sdist)}", hashes = {{ sha256 = "{sha256(sdist)}" }} }}\n'
    )


@pytest.mark.parametrize(
    "locked_with",
    [
        (UvLambdaLayerContainerBuilder, lock_uv),
        (PipLambdaLayerContainerBuilder, lock_pip),
        (PoetryLambdaLayerContainerBuilder, lock_poetry),
        (PylockLambdaLayerContainerBuilder, lock_pylock),
    ],
)
def test_credentials_reach_the_build_and_nothing_else(
    private: Index,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    locked_with: tuple[type[ToolLambdaLayerContainerBuilder], Locking],
) -> None:
    """Each tool's package, and what it takes to build it, come from an index that demands a password."""
    kind, lock = locked_with
    root = project(tmp_path / "orders", private)
    lock(root, private, private.folder / "native-1.0.tar.gz", monkeypatch)
    private.demanded = (USER, PASSWORD)
    seen: dict[str, str] = {}

    def search() -> None:
        (name,) = docker("ps", "--quiet", "--no-trunc", "--filter=name=lbdart-").split()
        seen["inspect"] = docker("inspect", name)
        seen["top"] = docker("top", name)
        logs = subprocess.run(["docker", "logs", name], capture_output=True, check=False)
        seen["logs"] = str(logs)
        seen["arguments"] = "".join(
            path.read_text(errors="replace")
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if readable(path)
        )
        seen["files"] = contents(tmp_path)

    private.faults["answers-1.0-py3-none-any.whl"] = [after(search)]
    lines: list[str] = []
    build = kind(
        path_pyproject_toml=root / "pyproject.toml",
        py_ver_major=3,
        py_ver_minor=11,
        is_arm=False,
        credentials=Credentials("tests", f"{private.url}/simple/", USER, PASSWORD),
        network="host",
        printer=lines.append,
        store=Store(tmp_path / "store"),
    )
    build.run()
    assert MODULE in names_in(next(build.path_layout.dir_wheels.iterdir()))
    assert set(seen) == {"inspect", "top", "logs", "arguments", "files"}
    assert "lbdart-" in seen["arguments"]

    printed = capfd.readouterr()
    seen |= {"printed": printed.out + printed.err, "logged": "\n".join(lines), "mount": contents(tmp_path)}
    seen["image"] = docker("image", "inspect", IMAGE) + docker("history", "--no-trunc", IMAGE)
    for place, text in seen.items():
        for secret in SECRETS:
            assert secret not in text, place


def readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:  # the process has ended
        return False
    return True


def contents(folder: Path) -> str:
    return "".join(name + content.decode(errors="replace") for name, content in files_in(folder).items())


def test_a_password_that_a_script_prints_is_masked(engine: str, tmp_path: Path) -> None:
    lines: list[str] = []
    build = builder(
        tmp_path / "orders",
        "touch build/lambda/layer/wheels/x.whl\n"
        "env | grep -c UV_INDEX_TEAM_\necho I say $UV_INDEX_TEAM_PASSWORD",
        credentials=TEAM,
        printer=lines.append,
    )
    build.run()
    assert lines[-2:] == ["2", "I say ****"]
