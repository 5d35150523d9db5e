"""A sample of the matrix, and what its comparison finds. ``make registry`` compares all of it.

The sample is skipped, with the reason, where the index cannot be reached.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from lbdart_cdk.core.project.target import Target
from tests.registry.matrix import PACKAGES, Cell, Comparison, Matrix, UnreachableError, table

#: The oldest and the newest C library, and both CPUs.
TARGETS = [Target((3, 11), "arm64"), Target((3, 13))]
#: Compiled; a namespace package; with other versions for each Python; with the default list; without a wheel.
SAMPLE = ["orjson", "zope.interface", "rapidfuzz", "requests", "docopt"]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return Matrix(tmp_path_factory.mktemp("matrix"))


@pytest.mark.registry
@pytest.mark.parametrize("package", SAMPLE)
def test_a_layer_has_the_files_that_uv_installs(matrix: Matrix, package: str) -> None:
    try:
        cells = list(matrix.cells(package, TARGETS))
    except UnreachableError as error:
        pytest.skip(f"the index cannot be reached: {error}")
    assert [str(cell) for cell in cells if not cell.is_equal or cell.refusals] == []


def test_a_hundred_packages() -> None:
    assert len(set(PACKAGES)) == 100
    assert set(SAMPLE) <= set(PACKAGES)


def compared(
    folder: Path, ours: Mapping[str, str], theirs: Mapping[str, str]
) -> tuple[list[str], Counter[str]]:
    with zipfile.ZipFile(folder / "layer.zip", "w") as archive:
        for name, text in ours.items():
            info = zipfile.ZipInfo(f"python/{name}")
            info.external_attr = (0o755 if name.endswith(".so") else 0o644) << 16
            archive.writestr(info, text)
    for name, text in theirs.items():
        path = folder / "installed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with zipfile.ZipFile(folder / "layer.zip") as archive:
        comparison = Comparison(archive, folder / "installed", {"built"})
        return list(comparison.differing()), comparison.rules


def test_what_differs_is_found(tmp_path: Path) -> None:
    ours = {"a/__init__.py": "1", "a/only.py": "", "a/native.so": "", "bin/run": "\x7fELF"}
    theirs = {"a/__init__.py": "2", "a/lost.py": "", "a/native.so": "", "bin/tool": "\x7fELF"}
    assert compared(tmp_path, ours, theirs) == (
        [
            "other bytes in the layer: a/__init__.py",
            "not in the layer: a/lost.py",
            "other mode in the layer: a/native.so",
            "only in the layer: a/only.py",
            "only in the layer: bin/run",
            "not in the layer: bin/tool",
        ],
        Counter(),
    )


def test_the_rules(tmp_path: Path) -> None:
    ours = {"a-1.dist-info/RECORD": "", "built-1.dist-info/METADATA": "short", "built/__init__.py": ""}
    theirs = {
        ".lock": "",
        "a-1.dist-info/RECORD": "a-1.dist-info/INSTALLER,,",
        "a-1.dist-info/INSTALLER": "uv",
        "bin/a": "#!/usr/bin/python",
        "boto3-1.dist-info/RECORD": "boto3/__init__.py,,\n",
        "boto3/__init__.py": "",
        "built-1.dist-info/METADATA": "long",
        "built/__init__.py": "",
        "include/site/python3.13/a/a.h": "",
    }
    differing, rules = compared(tmp_path, ours, theirs)
    assert differing == []
    assert rules == {
        "C headers": 1,
        "metadata of what is built": 1,
        "packages of the default list": 1,
        "records of an installer": 4,
        "scripts that name an interpreter": 1,
    }


def test_the_table_counts_cells() -> None:
    target = Target((3, 13))
    cells = [
        Cell("a", target),
        Cell("b", target, refusals=("this library: no", "uv: no")),
        Cell("c", target, refusals=("uv: no",)),
        Cell("d", target, differing=("not in the layer: d.py",)),
    ]
    lines = table(cells).splitlines()
    assert lines[1].split() == ["python3.13", "x86_64", "1", "1", "2"]
    assert lines[-1] == "2 of 4 cells equal"
