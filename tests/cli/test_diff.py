"""``lbdart diff``: two of anything, and an exit code that says whether they differ."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lbdart_cdk.cli import main
from lbdart_cdk.core.artifacts.inputs import BuildInputs
from lbdart_cdk.core.artifacts.sbom import render
from tests.support.installed_zip import installed, zip_of
from tests.support.projects import run_uv


def lbdart(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["diff", *map(str, arguments)])


def said(*arguments: object) -> str:
    """Return what a successful command says."""
    result = lbdart(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def zips(tmp_path: Path) -> tuple[Path, Path]:
    before = zip_of(tmp_path / "before.zip", installed("alpha"), installed("beta"), {"app.py": "x = 1\n"})
    after = zip_of(
        tmp_path / "after.zip", installed("alpha", "2.0"), installed("gamma"), {"app.py": "x = 2\n"}
    )
    return before, after


def test_two_zips_are_told_by_packages_and_own_files(tmp_path: Path) -> None:
    lines = said(*zips(tmp_path)).splitlines()
    assert [line.split()[:4] for line in lines[:4]] == [
        ["Package", "Before", "After", "Change"],
        ["alpha", "1.0", "2.0", "changed"],
        ["beta", "1.0", "removed", "-1"],
        ["gamma", "1.0", "added", "+1"],
    ]
    assert lines[4] == "3 packages differ: 1 added, 1 removed, 1 changed."
    assert " unzipped before, " in lines[5]
    assert lines[6:] == ["Own code: 1 file changed.", "  app.py changed"]


def test_the_exit_code_says_whether_they_differ(tmp_path: Path) -> None:
    before, after = zips(tmp_path)
    assert lbdart(before, after).exit_code == 0
    assert lbdart(before, after, "--exit-code").exit_code == 3
    assert lbdart(before, before, "--exit-code").exit_code == 0
    assert lbdart(before, tmp_path / "none", "--exit-code").exit_code == 1
    assert lbdart(before).exit_code == 2
    assert lbdart(before, after, "--json", "--markdown").exit_code == 2


def test_the_document_has_both_sides_of_each_change(tmp_path: Path) -> None:
    document = json.loads(said(*zips(tmp_path), "--json"))
    assert [side["what"] for side in (document["before"], document["after"])] == ["before.zip", "after.zip"]
    changes = {change["name"]: change for change in document["packages"]}
    assert {name: change["change"] for name, change in changes.items()} == {
        "alpha": "changed",
        "beta": "removed",
        "gamma": "added",
    }
    assert changes["beta"]["after"] is None
    assert changes["beta"]["unzipped"] == -changes["beta"]["before"]["unzipped"]
    assert document["own_code"] == {"added": [], "removed": [], "changed": ["app.py"]}
    assert document["unzipped"] == document["after"]["unzipped"] - document["before"]["unzipped"]


def test_markdown_is_a_table(tmp_path: Path) -> None:
    text = said(*zips(tmp_path), "--markdown")
    assert text.startswith("**before.zip → after.zip**: 3 packages differ")
    assert "| alpha | 1.0 | 2.0 | changed |" in text


def test_a_lock_out_of_the_history_is_a_lock(orders: Path, tmp_path: Path) -> None:
    before = shutil.copy(orders / "uv.lock", tmp_path / "main")
    run_uv(orders, "remove", "alpha", "--no-sync")
    assert [line.split()[:3] for line in said(before, orders / "uv.lock").splitlines()[1:3]] == [
        ["alpha", "1.0", "removed"],
        ["urllib3", "1.0", "removed"],
    ]


@pytest.mark.usefixtures("cache")
def test_a_project_is_its_layer_and_the_layer_is_its_zip(orders: Path, tmp_path: Path) -> None:
    zipped = tmp_path / "layer.zip"
    built = CliRunner().invoke(
        main, ["build", "layer", str(orders), "--runtime", "python3.13", "-o", str(zipped)]
    )
    assert built.exit_code == 0
    assert said(orders, zipped, "--runtime", "python3.13").startswith("No differences.\n")
    assert "native" in said(orders, zipped, "--runtime", "python3.11")


def test_an_sbom_has_versions_and_no_bytes(tmp_path: Path) -> None:
    sbom, (zipped, _) = tmp_path / "bom.json", zips(tmp_path)
    values = {"name": "alpha", "version": "0.9", "license": "", "filename": "a.whl", "sha256": "ab" * 32}
    sbom.write_text(render("orders", "0" * 64, [values], BuildInputs("layer", {})))
    lines = said(sbom, zipped).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["alpha", "0.9", "1.0", "changed"],
        ["beta", "1.0", "added", "+1", "kB"],
    ]
    assert lines[3:] == ["2 packages differ: 1 added, 1 changed."]


def test_a_lock_beside_a_zip_is_told_to_have_more(orders: Path, tmp_path: Path) -> None:
    result = lbdart(orders / "uv.lock", zips(tmp_path)[0])
    assert result.stderr == "uv.lock is a lock: it has the packages for every target, group and extra.\n"


def test_what_is_nothing_of_this_is_a_mistake(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader,\n")
    result = lbdart(letter, letter)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{letter} is no lock: its line 'Dear reader,' is no requirement." in result.stderr
