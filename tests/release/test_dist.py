"""A release is what is committed, and the same bytes wherever it is built."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import sha256_of
from release import dist, sbom

#: What the repository has only for the service that hosts it.
HOSTING: Final = (".ci/", ".github/")
PROJECT: Final = tomllib.loads((dist.REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
REQUIREMENTS: Final = (dist.REPOSITORY / "requirements" / "dev.txt").read_text("utf-8")


def tracked() -> list[str]:
    if not (dist.REPOSITORY / ".git").exists():
        pytest.skip("this is no clone of the repository")
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=dist.REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in done.stdout.split("\0") if name and (dist.REPOSITORY / name).is_file()]


def commit(repository: Path) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    date = {"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "a release"]):
        subprocess.run(["git", *command], cwd=repository, env={**os.environ, **date}, check=True)


@contextmanager
def umask(mode: int) -> Iterator[None]:
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository, as it is now."""
    folder = tmp_path_factory.mktemp("clone")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(dist.REPOSITORY / name, folder / name)
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def made(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The sdist, the wheel and the bill of materials."""
    with umask(0o022):
        return dist.release(clone, tmp_path_factory.mktemp("made"))


def test_another_directory_and_another_umask_give_the_same_bytes(
    clone: Path, made: list[Path], tmp_path: Path
) -> None:
    again = tmp_path / "a directory of another user"
    with umask(0o077):
        shutil.copytree(clone, again, copy_function=shutil.copyfile)
        subprocess.run(["git", "config", "core.fileMode", "false"], cwd=again, check=True)
        second = dist.release(again, tmp_path / "out")
    assert [(file.name, sha256_of(file)) for file in second] == [
        (file.name, sha256_of(file)) for file in made
    ]


def test_the_sdist_builds_the_wheel_that_the_repository_builds(
    clone: Path, made: list[Path], tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    epoch = dist.export(clone, tree)
    assert sha256_of(dist._built(tree, "wheel", epoch, tmp_path / "out")) == sha256_of(made[1])


def test_the_sdist_has_all_of_the_repository(made: list[Path]) -> None:
    with tarfile.open(made[0]) as tar:
        names = {member.name.partition("/")[2] for member in tar if member.isfile()}
        modes = {member.mode for member in tar if member.isfile()}
    assert names - {"PKG-INFO"} == {name for name in tracked() if not name.startswith(HOSTING)}
    assert modes <= {0o644, 0o755}


def test_the_wheel_has_the_library_and_its_handler_only(made: list[Path]) -> None:
    with zipfile.ZipFile(made[1]) as archive:
        names = archive.namelist()
    code = {name for name in tracked() if name.startswith(("lbdart_cdk/", "runtime/"))}
    expected = {f"lbdart_cdk/{name}" if name.startswith("runtime/") else name for name in code}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert {name.rpartition("/")[2] for name in names if ".dist-info/" in name} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "LICENSE",
    }


def test_the_page_of_the_package_is_the_readme(made: list[Path]) -> None:
    described = sbom.metadata(made[1])
    assert described.description_content_type == "text/markdown"
    assert described.description == (dist.REPOSITORY / "README.md").read_text("utf-8")
    assert described.license_expression == "Apache-2.0"
    assert described.project_urls == PROJECT["urls"]


def test_what_is_not_committed_is_in_no_release(clone: Path, made: list[Path], tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(clone, changed, symlinks=True)
    (changed / "lbdart_cdk" / "left_here.py").write_text("TOKEN = 's3cret'\n", "utf-8")
    assert [sha256_of(file) for file in dist.release(changed, tmp_path / "out")] == list(map(sha256_of, made))
    (changed / "README.md").write_text("other words\n", "utf-8")
    with pytest.raises(LbdartError, match=r"changes that are not committed: M README\.md"):
        dist.release(changed, tmp_path / "out")


def test_a_directory_without_git_gives_no_release(tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match="Build a release in a clone"):
        dist.release(tmp_path, tmp_path / "out")


def test_the_first_version_of_the_changelog_is_the_one_that_is_built() -> None:
    lines = (dist.REPOSITORY / "CHANGELOG.md").read_text("utf-8").splitlines()
    newest = next(line for line in lines if line.startswith("## "))
    assert newest.startswith(f"## {PROJECT['version']} (")


def bill(made: list[Path]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(made[2].read_text("utf-8"))
    return content


def test_the_bill_of_materials_names_the_wheel(made: list[Path]) -> None:
    assert made[2].name == f"lbdart_cdk-{PROJECT['version']}.cdx.json"
    root = bill(made)["metadata"]["component"]
    assert (root["name"], root["version"]) == ("lbdart_cdk", PROJECT["version"])
    assert root["hashes"] == [{"alg": "SHA-256", "content": sha256_of(made[1])}]
    assert root["licenses"] == [{"license": {"id": "Apache-2.0"}}]


def test_the_bill_of_materials_has_all_that_is_installed_with_the_wheel(made: list[Path]) -> None:
    here, wanted = dict[str, str](), {each.name for each in map(Requirement, PROJECT["dependencies"])}
    while wanted:
        name = canonicalize_name(wanted.pop())
        found = importlib.metadata.distribution(name)
        here[name] = found.version
        for each in map(Requirement, found.requires or ()):
            applies = each.marker is None or each.marker.evaluate({"extra": ""})
            if applies and canonicalize_name(each.name) not in here:
                wanted.add(each.name)
    components = {each["name"]: each["version"] for each in bill(made)["components"]}
    assert here.items() <= components.items()
    assert {"moto", "pytest", "uv"}.isdisjoint(components)


def test_each_package_of_the_bill_is_reached_from_the_wheel(made: list[Path]) -> None:
    content = bill(made)
    below = {row["ref"]: set(row.get("dependsOn", ())) for row in content["dependencies"]}
    reached = {content["metadata"]["component"]["bom-ref"]}
    while more := set().union(*(below[ref] for ref in reached)) - reached:
        reached |= more
    assert reached == set(below)


def test_pins_are_read_with_their_markers_and_who_requires_them() -> None:
    text = (
        "click==8.3.1 \\\n    --hash=sha256:00\n"
        "    # via\n    #   lbdart-cdk (pyproject.toml)\n    #   flask\n"
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:01\n    # via click\n"
    )
    click, colorama = sbom.pins(text)
    assert click == sbom.Pin("click", "8.3.1", "", frozenset({"lbdart-cdk", "flask"}))
    assert colorama == sbom.Pin("colorama", "0.4.6", "sys_platform == 'win32'", frozenset({"click"}))
    assert sbom.required(["click"], [click, colorama]) == [click, colorama]
