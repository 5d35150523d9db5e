"""What a project itself requires, as its ``pyproject.toml`` or its requirements file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.tools._listing import Line, origins_in, own_lines, shown_by
from lbdart_cdk.tools._roots import roots_of, roots_within

STANDARD = """
[project]
name = "orders"
dependencies = ["Alpha[B,a]>=1; python_version > '3'", "lib @ file:///lib", "not a requirement !"]
[project.optional-dependencies]
fast = ["beta"]
all = ["orders[fast]", "gamma[x]; extra == 'y'"]
[dependency-groups]
Dev = ["delta", {include-group = "lint"}, {unknown = 1}]
lint = ["epsilon", {include-group = "dev"}]
"""
POETRY = """
[tool.poetry]
name = "orders"
[tool.poetry.dependencies]
python = "^3.11"
alpha = {version = "^1", extras = ["b"], python = "^3.9"}
beta = {version = "1", optional = true}
gamma = [{version = "1", markers = "os_name == 'nt'"}, {version = "2", platform = "linux", python = ">=3.9"}]
[tool.poetry.extras]
fast = ["Beta"]
[tool.poetry.group.docs]
include-groups = ["lint"]
[tool.poetry.group.docs.dependencies]
delta = "*"
[tool.poetry.group.lint.dependencies]
epsilon = "*"
[tool.poetry.dev-dependencies]
zeta = "*"
"""
PDM = """
[project]
name = "orders"
[tool.pdm.dev-dependencies]
dev = ["delta[x]", "-e file:///${PROJECT_ROOT}/lib#egg=lib[y]"]
"""
OF_STANDARD = ['alpha[a,b]; python_version > "3"', "lib"]
OF_POETRY = [
    "alpha[b]",
    'gamma; os_name == "nt"',
    'gamma; sys_platform == "linux" and python_full_version >= "3.9"',
]


def project(root: Path, pyproject: str) -> Project:
    (root / "pyproject.toml").write_text(pyproject)
    return Project(root, root / "any.lock")


@pytest.mark.parametrize(
    ("pyproject", "extras", "groups", "expected"),
    [
        ("", [], [], []),
        (STANDARD, [], [], OF_STANDARD),
        (STANDARD, ["Fast"], [], [*OF_STANDARD, "beta"]),
        (STANDARD, ["all"], [], [*OF_STANDARD, "beta", 'gamma[x]; "y" in extras']),
        (STANDARD, [], ["dev"], [*OF_STANDARD, "delta", "epsilon"]),
        (STANDARD, [], ["Lint"], [*OF_STANDARD, "delta", "epsilon"]),
        (POETRY, [], [], OF_POETRY),
        (POETRY, ["fast"], [], [*OF_POETRY, "beta"]),
        (POETRY, [], ["docs"], [*OF_POETRY, "delta", "epsilon"]),
        (POETRY, [], ["dev"], [*OF_POETRY, "zeta"]),
        (PDM, [], ["dev"], ["delta[x]", "lib[y]"]),
        ('[project]\ndependencies = 1\n[dependency-groups]\ndev = "x"\n', [], ["dev"], []),
    ],
)
def test_roots_are_those_of_the_chosen_extras_and_groups(
    tmp_path: Path, pyproject: str, extras: list[str], groups: list[str], expected: list[str]
) -> None:
    options = Options(tuple(extras), tuple(groups))
    assert list(roots_of(project(tmp_path, pyproject), options)) == sorted(expected)


@pytest.mark.parametrize(
    ("locked", "selectable", "more"),
    [
        (["alpha", "beta", "lib"], [], ["beta"]),
        (["alpha", "beta", "lib"], ["fast", "all"], []),
        (["alpha", "beta", "lib", "gamma"], [], ["beta", 'gamma[x]; "y" in extras']),
        (["alpha", "lib", "delta"], [], []),
        (["alpha", "lib", "delta", "epsilon"], [], ["delta", "epsilon"]),
    ],
)
def test_what_a_lock_may_include_for_good_counts(
    tmp_path: Path, locked: list[str], selectable: list[str], more: list[str]
) -> None:
    found = roots_within(project(tmp_path, STANDARD), Options(), locked, selectable)
    assert list(found) == sorted([*OF_STANDARD, *more])


BELOW = """
boto3==1.0 \\
    --hash=sha256:00
    # via
    #   -r requirements.in
    #   Moto[s3]
# a comment of the user's
botocore==1.0
    # via boto3
alpha==1.0
"""
BESIDE = """
boto3==1.0                # via -r requirements.in, moto
botocore==1.0             # via boto3
alpha==1.0  # via orders (pyproject.toml)
"""


def test_comments_say_what_a_line_is_there_for() -> None:
    assert origins_in(BELOW) == {"boto3": {"-r requirements.in", "Moto[s3]"}, "botocore": {"boto3"}}
    assert origins_in(BESIDE) == {
        "boto3": {"-r requirements.in", "moto"},
        "botocore": {"boto3"},
        "alpha": {"orders (pyproject.toml)"},
    }
    assert origins_in("alpha  # viable, via boto3\n# via beta\n") == {"alpha": {"beta"}}


@pytest.mark.parametrize(
    ("lines", "locked", "own"),
    [
        # Not every package has a line: all lines are the user's.
        ({"boto3": [], "alpha[x]": []}, ["boto3", "botocore", "alpha"], ["boto3", "alpha[x]"]),
        # Every package has a line, as pip freeze and poetry export write them.
        ({"boto3": [], "botocore": [], "alpha[x]": []}, ["boto3", "botocore", "alpha"], ["alpha[x]"]),
        ({"boto3": ["-r in"], "botocore": ["boto3"]}, ["boto3", "botocore"], ["boto3"]),
        ({"boto3": ["-r in", "moto"], "botocore": ["boto3"], "moto": ["-c c"]}, ["boto3"], ["boto3"]),
        # The project itself, and a line that the user added.
        ({"boto3": ["orders"], "botocore": ["boto3"], "beta": []}, ["boto3"], ["boto3", "beta"]),
        # moto is installed elsewhere.
        ({"boto3": ["moto"], "moto": ["-r in"]}, ["boto3"], ["moto"]),
    ],
)
def test_own_lines(lines: dict[str, list[str]], locked: list[str], own: list[str]) -> None:
    read = [Line(required, frozenset(origins)) for required, origins in lines.items()]
    assert own_lines(read, locked) == tuple(sorted(own))


def test_comments_show_who_requires_whom() -> None:
    lines = [Line("boto3", frozenset({"-r in", "Moto[s3]"})), Line("botocore", frozenset({"moto"}))]
    assert shown_by(lines) == {"moto": ["boto3", "botocore"]}
