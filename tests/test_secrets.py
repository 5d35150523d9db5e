"""With marked credentials in use, what a build leaves and prints is searched for them, with each tool.

The environment of the tools that are run is how they are told; only the same user can read it, and it is
gone with them. The password is therefore looked for in every file, in all that is printed, and in the
command lines of all that is run, but not in environments.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.private_index import PASSWORD, SECRETS, USER, PrivateIndex, serving
from tests.support.private_projects import LOCKED_WITH, environment_for
from tests.support.wheels import make_wheel

#: An app with a layer and a source of each tool's project. It notes the command line of each process that it
#: starts, and prints all that Python would show of each failure; the last one ends it.
PROGRAM = """
import logging, os, sys, traceback
from pathlib import Path

logging.basicConfig(level=logging.DEBUG)
commands = Path("commands.txt").open("w")
sys.addaudithook(lambda event, found: event == "subprocess.Popen" and print(found[:2], file=commands))

from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.core.api import Credentials

url, user, *tools = sys.argv[1:]
password = os.environ.pop("TEAM_PASSWORD", None)
given = [Credentials("tests", url, user, password)] if password is not None else []
app = App(outdir="cdk.out")
failed = []
for tool in tools:
    stack = Stack(app, tool)
    common = dict(project=f"projects/{tool}", runtime=lambda_.Runtime.PYTHON_3_13, credentials=given)
    try:
        source = LambdaSourceArtifact(stack, "Code", **common)
        print(vars(source), vars(LambdaLayerArtifact(stack, "Deps", **common)))
    except Exception as error:
        traceback.print_exc()
        print(repr(error), error.args, getattr(error, "__notes__", ()))
        failed.append(error)
print(given, "failed:", len(failed))
if failed:
    raise failed[-1]
app.synth()
"""


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateIndex]:
    folder = tmp_path_factory.mktemp("private")
    make_wheel(folder, "alpha")
    with serving(folder) as index:
        yield index


class Run:
    """A run of the app in a folder of its own: home, caches and temporary files are all below it."""

    def __init__(self, folder: Path, index: PrivateIndex) -> None:
        self.folder = folder
        self.seen: set[str] = set()
        (wheel,) = index.folder.glob("alpha-*")
        for tool, made in LOCKED_WITH.items():
            made(folder / "projects" / tool, index, wheel)
        (folder / "app.py").write_text(PROGRAM)
        for name in ("home", "tmp"):
            (folder / name).mkdir()

    def __call__(self, url: str, **more: str) -> tuple[int, str]:
        """Return the exit code and all that was printed."""
        environment = {
            **os.environ,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "UV_CACHE_DIR": str(self.folder / "uv-cache"),
            "LBDART_CACHE_DIR": str(self.folder / "store"),
            "UV_HTTP_RETRIES": "0",
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTHONUTF8": "1",
            **more,
        }
        command = [sys.executable, "app.py", url, USER, *LOCKED_WITH]
        output = self.folder / "printed.txt"
        with (
            output.open("wb") as printed,
            subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            ) as process,
        ):
            for _ in range(6000):
                self.seen |= command_lines(process.pid)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(0.05), output.read_text()
            process.kill()
        pytest.fail(f"the app does not end: {output.read_text()}")

    def leaks(self) -> list[str]:
        """Return where a secret is; in what was printed and which processes ran, too, for these are files."""
        (self.folder / "seen.txt").write_text("\n".join(self.seen))
        found = []
        for path in self.folder.rglob("*"):
            content = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
            found += [f"{secret} in {path}" for secret in SECRETS if secret.encode() in content]
        return found


def command_lines(session: int) -> set[str]:
    """Return the command lines of the processes that were started in a session."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                line = (folder / "cmdline").read_bytes()
                found.add(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.mark.parametrize("way", ["given", "environment"])
def test_nothing_that_is_left_or_printed_has_the_password(
    way: str, tmp_path: Path, private: PrivateIndex
) -> None:
    run = Run(tmp_path, private)
    variables = {"TEAM_PASSWORD": PASSWORD}
    if way == "environment":
        variables = {k: v for tool in LOCKED_WITH for k, v in environment_for(tool, private).items()}
    code, printed = run(private.simple, **variables)
    assert code == 0, printed
    assert run.leaks() == []
    assert "failed: 0" in printed
    for tool in LOCKED_WITH:
        assert (tmp_path / "cdk.out" / f"{tool}.template.json").is_file()
    assert list((tmp_path / "store").glob("v1/archives/*/*.zip"))
    assert any("app.py" in line for line in run.seen)
    assert "'compile'" in (tmp_path / "commands.txt").read_text()


@pytest.mark.parametrize("failure", ["refused", "down"])
def test_nothing_that_a_failure_leaves_or_prints_has_the_password(
    failure: str, tmp_path: Path, private: PrivateIndex
) -> None:
    """The password is marked and wrong; or nobody answers where it would be sent."""
    run = Run(tmp_path, private)
    url = private.simple
    if failure == "down":
        url = "http://127.0.0.1:9/simple/"
        for path in (tmp_path / "projects").glob("*/*"):
            if path.suffix in (".toml", ".lock", ".txt"):
                path.write_text(path.read_text().replace(private.url, "http://127.0.0.1:9"))
    code, printed = run(url, TEAM_PASSWORD=f"{PASSWORD}x")
    assert code == 1, printed
    assert f"failed: {len(LOCKED_WITH)}" in printed
    assert ("403 Forbidden" if failure == "refused" else "Connect") in printed
    assert run.leaks() == []


def test_the_search_finds_what_it_looks_for(tmp_path: Path, private: PrivateIndex) -> None:
    run = Run(tmp_path, private)
    for name, content in (("plain", PASSWORD), ("encoded", SECRETS[1]), ("base64", SECRETS[-1])):
        (tmp_path / name).write_text(content)
    command = [sys.executable, "-c", "input(print(flush=True))", "m4rked"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # its command line cannot be read before it has begun
        run.seen |= command_lines(process.pid)
        process.kill()
    assert {leak.rpartition("/")[2] for leak in run.leaks()} == {"plain", "encoded", "base64", "seen.txt"}
