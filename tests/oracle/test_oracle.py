"""What the product packs of a project is what uv installs of it in place, for a sample of every kind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from tests.support.index import Index
from tests.support.projects import files_in

from . import compare
from .compare import (
    RULES,
    Bench,
    File,
    Result,
    built_by_product,
    built_in_place,
    check,
    differences,
)
from .projects import AXES, FEATURES, Project, random_project, write
from .wheelhouse import UnreachableError, wheelhouse

#: The settings that tests run without, as they were when Python started.
_SETTINGS = {name: os.environ[name] for name in os.environ if name.startswith("PIP_") or name == "HOME"}

#: Every choice of every axis, and every feature. ``make oracle`` tries thousands.
SAMPLE = (
    "hatchling src static own pylock none top data odd-names executable entry-points link-outside",
    "hatchling src file own pylock git below data ignore-project artifacts untracked dirty",
    "hatchling src static own pylock git below data ignore-all odd-folder inner-repository",
    "setuptools src static path pylock git top package-data data data-scheme subpackages licence",
    "setuptools namespace file own pylock none top manifest-in data odd-names link-file link-chain",
    "flit src attribute sdist pylock none top data entry-points link-file",
    "none src static own pylock none top data leftovers tests subpackages",
    "uv src static workspace uv git below data ignore-top entry-points",
    "uv namespace static sdist pylock git top data data-scheme headers",
    "hatchling namespace parent path pylock git below data shared include ignore-package link-up",
    "hatchling flat attribute workspace uv git below data ignore-top tracked-ignored exclude",
    "hatchling src static own pylock git top build-folder data-scheme shell-script cache-tag leftovers",
    "hatch-vcs src tag own pylock git below data tag commits-after version-file hook sha256",
    "hatch-vcs flat tag git pylock git below tag light-tag subpackages",
    "hatch-vcs src tag path requirements submodule top many-tags dirty",
    "setuptools-cfg src parent own pylock git below readme-beside headers shell-script data package-data",
    "setuptools-cfg flat static own pylock none top no-pyproject data package-data",
    "setuptools-scm src tag own pylock shared top data tag untracked staged deleted git-hooks",
    "setuptools-scm src tag git requirements git top data tag commits-after attributes",
    "setuptools-scm flat tag workspace uv worktree below data tag version-file",
    "poetry src static own pylock git top data ignore-top ignore-exclude ignore-global untracked include",
    "poetry-dynamic src tag own pylock git top data tag commits-after dirty",
    "flit src static own pylock worktree top data link-folder tests",
    "pdm src static git pylock git below data inner-submodule",
    "pdm-scm src tag path pylock shallow top data tag commits-after version-file",
    "pdm flat attribute own pylock submodule top data tool-names bytecode",
    "none flat static own pylock none top data leftovers tests plain-files",
)


def test_the_sample_has_everything() -> None:
    projects = [Project.parse(line) for line in SAMPLE]
    for axis, choices in AXES.items():
        assert {getattr(project, axis) for project in projects} == set(choices)
    assert {feature for project in projects for feature in project.features} == set(FEATURES)


@pytest.mark.parametrize("seed", range(20))
def test_a_project_is_one_line(seed: int) -> None:
    project = random_project(seed)
    assert project.is_possible
    assert Project.parse(str(project)) == project


def test_a_line_writes_the_same_project_every_time(tmp_path: Path) -> None:
    project = Project.parse("setuptools-scm src tag own pylock git below data tag commits-after dirty")
    first, second = (write(project, tmp_path / name) for name in ("first", "second"))
    assert first.commit == second.commit
    assert files_in(first.root) == files_in(second.root)


# The comparison finds what it is there to find.

_PROJECT = Project()
_METADATA = b"Metadata-Version: 2.4\nName: demo-lib\nVersion: 1.2\nLicense-Expression: MIT\n"
_FILES = {
    "demo_lib/__init__.py": File(b"", False),
    "demo_lib/run.sh": File(b"#!/bin/sh\n", True),
    "demo_lib-1.2.dist-info/METADATA": File(_METADATA, False),
}
_MADE = Result(_FILES, version="1.2")


def test_equal_results_do_not_differ() -> None:
    assert differences(_PROJECT, Result(_FILES), _MADE) == []


@pytest.mark.parametrize(
    ("path", "file", "found"),
    [
        ("demo_lib/__init__.py", None, "missing: demo_lib/__init__.py"),
        ("demo_lib/.env", File(b"", False), "too much: demo_lib/.env"),
        ("demo_lib/__init__.py", File(b"\n", False), "other content: demo_lib/__init__.py"),
        ("demo_lib/run.sh", File(b"#!/bin/sh\n", False), "other mode: demo_lib/run.sh"),
        (
            "demo_lib-1.2.dist-info/METADATA",
            File(_METADATA.replace(b"1.2", b"0.0.0"), False),
            "METADATA: Version ['1.2'] is ['0.0.0'] here",
        ),
    ],
)
def test_a_fault_is_found(path: str, file: File | None, found: str) -> None:
    files = {**_FILES, path: file}
    faulty = replace(_MADE, files={path: file for path, file in files.items() if file is not None})
    assert differences(_PROJECT, Result(_FILES), faulty) == [found]


def test_a_version_that_is_not_that_of_the_wheel_is_found() -> None:
    faulty = replace(_MADE, version="0.0.0")
    assert differences(_PROJECT, Result(_FILES), faulty) == ["version: 1.2 is 0.0.0 here"]


def test_what_fails_in_place_must_fail_with_an_explanation() -> None:
    in_place = Result(failure="error: no version")
    assert differences(_PROJECT, in_place, Result(failure="LbdartError: no version")) == []
    assert differences(_PROJECT, in_place, Result(failure="not an LbdartError: KeyError"))
    assert differences(_PROJECT, in_place, _MADE)
    assert differences(_PROJECT, Result(_FILES), Result(failure="LbdartError: no version"))


# The product, against uv.


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An index of the build backends, which one of the workers downloads."""
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONFIG_FILE"}
    try:
        wheels = wheelhouse(tmp_path_factory.getbasetemp().parent / "oracle", environment | _SETTINGS)
    except UnreachableError as error:
        pytest.skip(f"the build backends cannot be had from the index of pip: {error}")
    with Index(wheels) as running:
        yield running


@pytest.fixture
def bench(index: Index, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path, f"{index.url}/simple/", tmp_path_factory.getbasetemp() / "uv-cache")


@pytest.mark.registry
@pytest.mark.parametrize("line", SAMPLE)
def test_the_product_packs_what_uv_installs(line: str, bench: Bench) -> None:
    outcome = check(Project.parse(line), bench, edits=1)
    assert outcome.wrong == (), f"python -m tests.oracle --project '{line}'"
    assert not outcome.failed, "a project that nobody can build says nothing"


#: What uv installs of these has files of every rule.
_WITH_EVERY_RULE = (
    "setuptools-cfg src static path pylock none top entry-points headers data package-data",
    "setuptools-scm src tag path pylock git top tag bytecode",
    "pdm-scm flat tag path pylock git below data inner-submodule",
)


@pytest.mark.registry
def test_each_rule_is_needed_and_no_other_file_may_be_left_out(bench: Bench) -> None:
    needed = set()
    for line in _WITH_EVERY_RULE:
        project = Project.parse(line)
        with bench.surroundings(bench.folder):
            in_place = built_in_place(project, write(project, bench.folder / project.backend))
        for path, file in in_place.files.items():
            rules = {rule.name for rule in RULES if rule.covers(PurePosixPath(path), file.content)}
            rest = {name: other for name, other in in_place.files.items() if name != path}
            is_found = f"missing: {path}" in differences(project, in_place, Result(rest))
            assert is_found == (not rules), path
            needed |= rules
    assert needed == {rule.name for rule in RULES}


@pytest.mark.registry
def test_a_key_that_does_not_change_with_the_code_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.parse("flit flat static own pylock none top")
    with bench.surroundings(bench.folder):
        key = built_by_product(project, write(project, bench.folder / "key"), bench.folder / "cache").key
    monkeypatch.setattr(compare, "key_of", lambda *_: key)
    assert "not deployed: a new module" in check(project, bench, edits=99).wrong
