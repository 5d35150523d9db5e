"""``lbdart why``: as its page in the documentation shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from aws_cdk import Stack
from click.testing import CliRunner, Result

from lbdart_cdk import LambdaLayerArtifact
from lbdart_cdk.cli import main
from lbdart_cdk.cli.project_options import Asked
from lbdart_cdk.core.store.store import Store
from tests.support.apps import PYTHON_3_13, make_app
from tests.support.projects import uv_lock


@pytest.fixture(autouse=True)
def _cache(cache: Path) -> None:
    """Each test has a cache of its own."""


def why(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["why", *arguments])


def build(root: Path, **options: object) -> None:
    Asked(project=str(root), **options).layer(Store()).build()  # type: ignore[arg-type]


def test_it_shows_the_inputs_and_that_no_build_is_known(orders: Path) -> None:
    result = why(str(orders), "--extra", "fast", "--build-env", "CFLAGS=-O3")
    assert result.exit_code == 0, result.output
    key = Asked(project=str(orders), extras=("fast",)).layer(Store()).build_key
    assert result.output.splitlines() == [
        f"The layer has the build key {key}",
        "",
        "Input        Value",
        "packages     4: alpha 1.0, beta 1.0, native 1.0, urllib3 1.0",
        "own code     none",
        "target       python3.11, x86_64",
        "options      none",
        "environment  none",
        "project      name orders",
        "packer       format 4",
        "",
        "No build of this layer is known here.",
    ]


def test_exit_codes_tell_whether_something_changed(orders: Path) -> None:
    assert why(str(orders), "--exit-code").exit_code == 3
    build(orders)
    same = why(str(orders), "--exit-code")
    assert (same.exit_code, same.output.splitlines()[-1]) == (0, "Nothing changed since the last build here.")
    changed = why(str(orders), "--exit-code", "--runtime", "python3.13", "--group", "ops")
    assert changed.exit_code == 3
    native = r"native 1\.0 \([0-9a-f]{12}\) -> \([0-9a-f]{12}\)"
    *_, title, one, two, three = changed.output.splitlines()
    assert title == "Changed since the last build here, which had other options:"
    assert one == "  packages: gamma 1.0 was added"
    assert re.fullmatch(f"  packages: {native}", two)
    assert three == "  target: runtime: python3.11 -> python3.13"
    assert why(str(orders), "--runtime", "python3.13").exit_code == 0


def test_it_is_there_for_machines(orders: Path) -> None:
    build(orders)
    document = json.loads(why(str(orders), "--json", "--arch", "arm64").stdout)
    assert document["changed"] is True
    assert document["inputs"]["target"] == {"runtime": "python3.11", "architecture": "arm64"}
    assert {
        "group": "target",
        "name": "architecture",
        "old": "x86_64",
        "new": "arm64",
        "files": None,
    } in document["comparison"]["changes"]


def test_code_is_compared_too(orders: Path) -> None:
    Asked(project=str(orders)).source(Store()).build()
    (orders / "src/orders/app.py").write_text("x = 1\n")
    result = why(str(orders), "--artifact", "source")
    assert result.output.splitlines()[-2:] == [
        "Changed since the last build here:",
        "  own code: 1 file changed: src/orders/app.py",
    ]


def test_a_project_that_is_not_there_and_a_wrong_use(tmp_path: Path) -> None:
    missing = why(str(tmp_path / "nothing"))
    assert missing.exit_code == 1
    assert missing.output.startswith("Error: There is no project at")
    assert why(str(tmp_path), "--published", "x", "--artifact", "source").exit_code == 2


def test_a_changed_lock_is_named_by_version(orders: Path) -> None:
    build(orders)
    pyproject = orders / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"alpha"', '"beta"'))
    uv_lock(orders)
    assert why(str(orders)).output.splitlines()[-3:] == [
        "  packages: alpha 1.0 was removed",
        "  packages: beta 1.0 was added",
        "  packages: urllib3 1.0 was removed",
    ]


def test_what_a_synthesis_built_is_known(orders: Path, tmp_path: Path) -> None:
    stack = Stack(make_app(tmp_path / "cdk.out"), "Shop")
    LambdaLayerArtifact(stack, "Deps", project=str(orders), runtime=PYTHON_3_13)
    result = why(str(orders), "--runtime", "python3.13", "--exit-code")
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        0,
        "Nothing changed since the last build here.",
    )
